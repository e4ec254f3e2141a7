# All pages of the demo in Firefox: each connects, shows its first event, and resumes after a reload of nginx; the test itself is
# t/browser/firefox_pages.mjs.
# needs: module browser browsers demo
use v5.36;
use lib 't/lib';
use SSE::Playwright;

SSE::Playwright::become('firefox_pages.mjs');
