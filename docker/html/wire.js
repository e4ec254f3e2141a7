// The page On the wire: follows numbers with sse.js, and shows each byte before sse.js gets it.

import { clock, element, make, showState } from "./page.js";
import { SSE } from "./sse.js";
import { tapped } from "./tapped.js";

const MAX_ENTRIES = 300; // in the page; older ones are taken out

const count = { connections: 0, bytes: 0, heartbeats: 0, received: 0, lost: 0, twice: 0 };
let last = null;     // number
let worker = null;   // the process that serves this page
let decoder = null; // of the answer that there is
let cut = () => {};  // breaks the connection that there is

function add(name, by = 1) {
  count[name] += by;
  element(name).textContent = count[name];
}

// --- the wire ---

// A line feed is shown as such, and what is sent at once stands together.
function entry(kind, what, text) {
  const item = make("li", "", { className: kind });
  const now = new Date();
  const time = make("time", `${clock(now)}.${String(now % 1000).padStart(3, "0")}`);
  item.append(time, make("b", what), make("pre", text));
  const wire = element("wire");
  wire.append(item);
  while (wire.children.length > MAX_ENTRIES) wire.firstChild.remove();
  if (element("follow").checked) wire.scrollTop = wire.scrollHeight;
}

const lines = (headers) => [...headers].map(([name, value]) => `${name}: ${value}`).join("\n");

function showBytes(bytes) {
  const text = decoder.decode(bytes, { stream: true });
  add("bytes", bytes.length);
  if (/^:\n+$/.test(text)) add("heartbeats");
  entry("received", `${bytes.length} bytes`, text.replace(/\r/g, "\u240D").replace(/\n/g, "\u21B5\n").trimEnd());
}

const watched = tapped({
  onRequest: (url, { headers }) => entry("sent", "request", `GET ${new URL(url).pathname}\n${lines(headers)}`),
  onAnswer: ({ status, headers }) => {
    decoder = new TextDecoder();
    worker = headers.get("x-worker");
    element("worker").textContent = worker ?? "unknown";
    entry("head", "response", `${status}\n${lines(headers)}`);
  },
  onOpen: (breakIt) => { cut = breakIt; },
  onBytes: showBytes,
});

// --- the stream ---

function take({ data, lastEventId }) {
  const number = Number(data.split(" ")[0]);
  add("received");
  if (last !== null && number > last + 1) add("lost", number - last - 1);
  if (last !== null && number <= last) add("twice");
  last = Math.max(last, number);
  element("number").textContent = last;
  element("last-id").textContent = lastEventId;
}

const stream = new SSE("wire/events", { timeout: 6000, fetch: watched }); // nginx is never silent for more than 2 seconds
stream.addEventListener("open", () => {
  add("connections");
  showState("open");
});
stream.addEventListener("message", take);
stream.addEventListener("ready", ({ lastEventId }) => { element("last-id").textContent = lastEventId; });
stream.addEventListener("gap", ({ data }) => entry("cut", "gap", data));
stream.addEventListener("error", ({ error, status, delay }) => {
  const why = error?.message ?? (status === 200 ? "the stream has ended" : `status ${status}`);
  entry("cut", "cut", `${why}; back in ${(delay / 1000).toFixed(1)} s`);
  showState("connecting", "reconnecting");
});
stream.addEventListener("close", ({ reason }) => showState("closed", reason));

// --- what breaks it ---

// Of these nginx knows nothing: docker/control/control.py does them, where it is there. It may kill the worker that
// should pass on its answer.
async function order(what) {
  element("notice").textContent = "";
  try {
    const answer = await fetch(`control/${what}`, { method: "POST", headers: { "X-Demo": "1" } });
    if (!answer.ok) element("notice").textContent = `Not done: ${await answer.text()}`;
  } catch {
    // Seen by what becomes of the stream.
  }
}

element("cut").addEventListener("click", () => cut());
element("kill").addEventListener("click", () => order(`kill?pid=${worker}`));
element("reload").addEventListener("click", () => order("reload"));
element("clear").addEventListener("click", () => element("wire").replaceChildren());

const control = await fetch("control/").catch(() => ({ ok: false }));
if (!control.ok) {
  element("kill").disabled = element("reload").disabled = true;
  element("notice").textContent = "Killing and reloading only work if ./build.sh run has started this demo.";
}
