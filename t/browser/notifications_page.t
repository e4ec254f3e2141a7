# The page Notifications of the demo in a real browser; the test itself is t/browser/notifications.mjs.
# needs: module browser python
use v5.36;
use Test::More;

plan skip_all => 'no playwright-core; `./build.sh test` installs it' if !-d 't/browser/node_modules/playwright-core' && !$ENV{CI};
exec 'node', 't/browser/notifications.mjs' or BAIL_OUT("node does not start: $!");
