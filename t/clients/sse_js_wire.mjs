// docker/html/sse.js against a server that sends whatever a test needs: streams that are cut into pieces anywhere, everything
// that WHATWG HTML 9.2.6 says about them, and how long the client waits after which response.

import { once } from "node:events";
import { createServer } from "node:http";
import { SSE } from "../../docker/html/sse.js";
import { done, is, ok } from "../browser/tap.mjs";

// --- the server: `answer` handles the next request ---

let answer;
const requests = [];
const server = createServer((request, response) => {
  requests.push(request.headers);
  answer(response, requests.length);
}).listen(0, "127.0.0.1");
await once(server, "listening");
const url = `http://127.0.0.1:${server.address().port}/`;

function refuse(status, headers) {
  return (response) => response.writeHead(status, headers).end("no");
}

// Sends the pieces, each in a write of its own, and ends.
function send(...pieces) {
  return async (response) => {
    response.socket.setNoDelay(true);
    response.writeHead(200, { "Content-Type": "text/event-stream; charset=utf-8" });
    for (const piece of pieces) {
      response.write(piece);
      await new Promise((sent) => setImmediate(sent));
    }
    response.end();
  };
}

// --- the client ---

// What a stream has shown until that event.
async function shown(until, options = {}) {
  const seen = [];
  const stream = new SSE(url, options);
  for (const type of ["message", "gap", "end", "news", "__proto__"]) {
    stream.addEventListener(type, (event) => seen.push([event.type, event.data, event.lastEventId]));
  }
  const last = await new Promise((resolve) => stream.addEventListener(until, resolve));
  const state = stream.readyState;
  stream.close();
  return { seen, last, stream, state };
}

const read = async (...pieces) => {
  answer = send(...pieces);
  return (await shown("error")).seen;
};

// --- what a stream may look like ---

const TEXT = 'retry: 10\n\nid: 1\ndata: one\n\n: comment\nevent: news\nid: 2\ndata: Grüße\ndata:  世界 🙂\n\ndata\n\ndata:\ndata:x:y\n\n';
const EVENTS = [["message", "one", "1"], ["news", "Grüße\n 世界 🙂", "2"], ["message", "", "2"], ["message", "\nx:y", "2"]];

for (const [name, end] of [["LF", "\n"], ["CR", "\r"], ["CRLF", "\r\n"]]) {
  const bytes = Buffer.from(TEXT.replaceAll("\n", end) + ":end\n");
  is(await read(bytes), EVENTS, `lines that end with ${name}`);
  is(await read(...Array.from(bytes, (_, at) => bytes.subarray(at, at + 1))), EVENTS, `${name}, byte by byte`);
  const wrong = [];
  for (let at = 1; at < bytes.length; at++) {
    const seen = await read(bytes.subarray(0, at), bytes.subarray(at));
    if (JSON.stringify(seen) !== JSON.stringify(EVENTS)) wrong.push([at, seen]);
  }
  is(wrong, [], `${name}, cut in two anywhere`);
}
is(await read("data: a\r", "\ndata: b\r\n", "\r\n"), [["message", "a\nb", ""]], "a CR and its LF in two pieces are one end");
is(await read("data: a\r", "\rdata: b\n\n"), [["message", "a", ""], ["message", "b", ""]], "two CRs are two");
is(await read("\uFEFFdata: a\n\n\uFEFFdata: b\n\n"), [["message", "a", ""]], "a byte order mark counts at the start alone");
is(await read("id: 1\ndata: a\n\nid: 2\0\ndata: b\n\n"), [["message", "a", "1"], ["message", "b", "1"]],
   "an id with NUL is none");
is(await read("id: 1\ndata: a\n\nid\ndata: b\n\n"), [["message", "a", "1"], ["message", "b", ""]], "an empty id is one");
is(await read("id: 1\ndata: a\n\nid: 2\ndata: b\n"), [["message", "a", "1"]], "an event that has no end is none");
is(await read("event: news\n\ndata: a\n\n"), [["message", "a", ""]], "a type without data is forgotten");
is(await read("constructor: x\ntoString: x\n__proto__: x\nDATA: x\ndata: a\n\n"), [["message", "a", ""]],
   "other fields are ignored");
is(await read("event: __proto__\ndata: a\n\n"), [["__proto__", "a", ""]], "a type may have any name");
is(await read("data: a\u2028b\u0085c\n\n"), [["message", "a\u2028b\u0085c", ""]], "other line separators are text");
is(await read(Buffer.from([...Buffer.from("data: "), 0xff, ...Buffer.from("a\n\n")])), [["message", "\uFFFDa", ""]],
   "what is no UTF-8 is replaced");
const long = "x".repeat(1_000_000);
is((await read(`data: ${long}\n\n`))[0][1].length, long.length, "a long line");

answer = send("id: 7\n\n", "id: 8\ndata: a\n");
requests.length = 0;
{
  const stream = new SSE(url, { retry: 1 });
  await new Promise((resolve) => stream.addEventListener("error", resolve));
  answer = refuse(204);
  await new Promise((resolve) => stream.addEventListener("close", resolve));
  is(requests.map((headers) => headers["last-event-id"]), [undefined, "7"],
     "an id without data is where it goes on, one without an end is not");
}
answer = send("event: end\ndata: a\n\ndata: b\n\n");
is((await shown("close")).seen, [["end", "a", ""]], "after the end event nothing is shown");
answer = send("event: news\ndata: a\n\n");
is((await shown("close", { endEvent: "news" })).last.reason, "ended", "which may have another type");

// --- how long it waits ---

const retryOf = async (field) => {
  answer = send(`retry: ${field}\n\n`);
  return (await shown("error", { retry: 50 })).stream.retry;
};
is([await retryOf("1234"), await retryOf("1x"), await retryOf("-1"), await retryOf("")], [1234, 50, 50, 50],
   "digits set the time to wait");

async function delays(count, options) {
  const all = [];
  for (let i = 0; i < count; i++) all.push((await shown("error", options)).last.delay);
  return all;
}
const between = (all, least, most, name) => ok(all.every((delay) => delay >= least && delay <= most), name, all.join(" "));

answer = refuse(500);
const spread = await delays(40, { retry: 1000 });
between(spread, 1000, 1500, "it does not come before the time");
ok(Math.max(...spread) - Math.min(...spread) > 100, "not all clients come at once", spread.join(" "));
answer = send("retry: 0\n\n");
between(await delays(5, {}), 100, 150, "a server that wants it at once gets it at most ten times a second");
answer = refuse(503, { "Retry-After": "120" });
between(await delays(5, {}), 120_000, 180_000, "Retry-After in seconds");
answer = (response) => refuse(503, { "Retry-After": new Date(Date.now() + 3600_000).toUTCString() })(response);
between(await delays(5, {}), 3_590_000, 5_400_000, "Retry-After as a date");
for (const value of ["soon", "-5", "Thu, 01 Jan 1970 00:00:00 GMT"]) {
  answer = refuse(429, { "Retry-After": value });
  between(await delays(5, { retry: 200 }), 200, 300, `Retry-After: ${value}`);
}
answer = refuse(503, { "Retry-After": "99999999999" });
between(await delays(1, {}), 2 ** 31 - 1, 2 ** 31 - 1, "not longer than a timer can");
{
  answer = refuse(502);
  const stream = new SSE(url, { retry: 100 });
  const grown = [];
  await new Promise((resolve) => stream.addEventListener("error", ({ delay }) => grown.push(delay) < 4 || resolve()));
  stream.close();
  ok(grown.every((delay, i) => delay >= 100 * 2 ** i && delay <= 150 * 2 ** i), "while it fails it waits twice as long each time",
     grown.join(" "));
}
for (const status of [400, 401, 403, 404, 405, 410, 304]) {
  answer = refuse(status);
  const { last, state } = await shown("close");
  is([last.reason, last.status, state], ["refused", status, 2], `${status} is for good`);
}
for (const status of [408, 425, 429, 500, 502, 503, 504]) {
  answer = refuse(status);
  const { last, state } = await shown("error");
  is([last.status, state], [status, 0], `${status} may pass`);
}

// --- how it begins and is closed ---

let thrown;
try {
  new SSE("http://[");
} catch (error) {
  thrown = error.name;
}
is(thrown, "TypeError", "what is no URL is told at once");
requests.length = 0;
{
  const stream = new SSE(url, { signal: AbortSignal.abort() });
  is((await once(stream, "close"))[0].reason, "aborted", "a signal that has been given already");
  const closed = new SSE(url);
  closed.close("enough");
  await new Promise((passed) => setTimeout(passed, 50));
  is([closed.readyState, requests.length], [2, 0], "what is closed at once asks for nothing");
}
for (const [what, part] of [
  ["accepts and says nothing", () => {}],
  ["has said all", (response) => response.writeHead(200, { "Content-Type": "text/event-stream" }).flushHeaders()],
]) {
  answer = part;
  const { last } = await shown("error", { timeout: 100 });
  is(last.error.message, "silence", `a server that ${what} is given up`);
}

server.closeAllConnections();
server.close();
done();
