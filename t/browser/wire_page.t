# The page On the wire of the demo in a real browser; the test itself is t/browser/wire.mjs.
# needs: module browser demo
use v5.36;
use lib 't/lib';
use SSE::Playwright;

SSE::Playwright::become('wire.mjs');
