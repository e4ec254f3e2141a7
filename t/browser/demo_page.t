#!/usr/bin/perl
# The page Live log of the demo in a real browser; the test itself is t/browser/demo.mjs.
# needs: module browser
use strict;
use warnings;

use Test::More;

if (!-d 't/browser/node_modules/playwright-core' && !$ENV{CI}) {
    plan skip_all => 'no playwright-core; `./build.sh test` installs it';
}
exec 'node', 't/browser/demo.mjs' or BAIL_OUT "node does not start: $!";
