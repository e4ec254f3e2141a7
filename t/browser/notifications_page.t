# The page Notifications of the demo in a real browser; the test itself is t/browser/notifications.mjs.
# needs: module browser demo
use v5.36;
use lib 't/lib';
use SSE::Playwright;

SSE::Playwright::become('notifications.mjs');
