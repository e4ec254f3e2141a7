# docker/html/sse.js against a server other than nginx: what a stream may look like, and how long the client waits. The test
# itself is t/clients/sse_js_wire.mjs.
# needs: node
use v5.36;

exec 'node', 't/clients/sse_js_wire.mjs' or die "node does not start: $!";
