// Follows a stream with docker/html/sse.js, and prints a line of JSON for each of its events. sse_js.t has the servers.
//
// node sse_js.mjs URL [OPTIONS]: options of SSE as JSON. `tokens` is how often another token can be had, for an
// authorization that is renewed at each connect. The line "close" or "abort" of its input ends it, and so does its end.

import { createInterface } from "node:readline";
import { SSE } from "../../docker/html/sse.js";

const [url, json = "{}"] = process.argv.slice(2);
const { tokens, ...options } = JSON.parse(json);
const report = (what) => console.log(JSON.stringify(what));

let number = 0;
const renewed = async () => {
  await new Promise((done) => setTimeout(done, 10));
  if (++number > tokens) throw new Error("no more tokens");
  return { Authorization: `Bearer ${number}` };
};

const controller = new AbortController();
const stream = new SSE(url, { ...options, ...(tokens && { headers: renewed }), signal: controller.signal });
for (const type of ["open", "error", "close"]) {
  stream.addEventListener(type, ({ status, error, reason, delay }) => {
    report({ type, status, error: error?.message, reason, delay: delay && Math.round(delay), state: stream.readyState });
  });
}
for (const type of ["message", "gap", "ready", "end"]) {
  stream.addEventListener(type, ({ data, lastEventId }) => report({ type, data, id: lastEventId }));
}
for await (const line of createInterface({ input: process.stdin })) {
  if (line === "close") stream.close();
  if (line === "abort") controller.abort();
}
stream.close();
