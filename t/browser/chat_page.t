# The page Chat of the demo in a real browser; the test itself is t/browser/chat.mjs.
# needs: module browser demo
use v5.36;
use lib 't/lib';
use SSE::Playwright;

SSE::Playwright::become('chat.mjs');
