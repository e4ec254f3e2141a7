# docker/html/sse.js against servers that are no nginx: what a stream may look like, and how long it waits. The test itself is
# t/clients/sse_js_wire.mjs.
# needs: node
use v5.36;

exec 'node', 't/clients/sse_js_wire.mjs' or die "node does not start: $!";
