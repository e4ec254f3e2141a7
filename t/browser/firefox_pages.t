# All pages of the demo in Firefox: each connects, shows its first event, and resumes after a reload of nginx; the test itself is
# t/browser/firefox_pages.mjs.
# needs: module browser browsers python
use v5.36;
use Test::More;

plan skip_all => 'no playwright-core; `./build.sh test` installs it' if !-d 't/browser/node_modules/playwright-core' && !$ENV{CI};
exec 'node', 't/browser/firefox_pages.mjs' or BAIL_OUT("node does not start: $!");
