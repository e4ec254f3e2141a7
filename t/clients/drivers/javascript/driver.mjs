// node driver.mjs CLIENT URL: follows a stream as that client does, and prints a line of JSON for each thing that happens:
// {"what": "open" | "event" | "error"}. It ends when the client has given up.

import { createRequire } from "node:module";
import { watch } from "./watch.mjs";

const [client, url] = process.argv.slice(2);
const require = createRequire(import.meta.url);
const report = (what) => console.log(JSON.stringify(what));
const over = () => process.exit(0);
const reportEvent = ({ event, id, data }) => report({ what: "event", type: event, id, data });

// Calls `follow` for what a fetch brings, and is over with it.
async function fetched(follow) {
  const response = await fetch(url);
  if (response.status !== 200) throw new Error(`status ${response.status}`);
  report({ what: "open" });
  for await (const event of follow(response)) reportEvent(event);
}

const clients = {
  "eventsource": async () => watch(new (await import("eventsource")).EventSource(url), report, over),
  "eventsource-4": async () => watch(new (await import("eventsource-4")).EventSource(url), report, over),
  "eventsource-3": async () => watch(new (await import("eventsource-3")).EventSource(url), report, over),
  "eventsource-2": () => watch(new (require("eventsource-2"))(url), report, over),
  "undici": async () => watch(new (await import("undici")).EventSource(url), report, over),
  "extended-eventsource": async () => {
    const { EventSource } = await import("extended-eventsource");
    watch(new EventSource(url), report, over);
  },
  "launchdarkly-eventsource": async () => {
    const { EventSource } = require("launchdarkly-eventsource");
    watch(new EventSource(url), report, over);
  },
  "eventsource-client": async () => {
    const { createEventSource } = await import("eventsource-client");
    const source = createEventSource({
      url,
      onConnect: () => report({ what: "open" }),
      onDisconnect: () => report({ what: "error", text: "disconnected" }),
      onMessage: reportEvent,
    });
    setInterval(() => source.readyState === "closed" && over(), 50);
  },
  "fetch-event-source": async () => {
    globalThis.window = globalThis; // it is made for pages
    globalThis.document = { hidden: false, addEventListener() {}, removeEventListener() {} };
    class Refused extends Error {}
    const { fetchEventSource } = require("@microsoft/fetch-event-source");
    await fetchEventSource(url, { // as its README has it
      async onopen(response) {
        if (response.ok && response.headers.get("content-type")?.startsWith("text/event-stream")) return report({ what: "open" });
        const fatal = response.status >= 400 && response.status < 500 && response.status !== 429;
        throw new (fatal ? Refused : Error)(`status ${response.status}`);
      },
      onmessage: reportEvent,
      onerror(error) {
        report({ what: "error", text: error.message });
        if (error instanceof Refused) throw error;
      },
    });
    over();
  },
  "eventsource-parser": async () => {
    const { EventSourceParserStream } = await import("eventsource-parser/stream");
    await fetched(({ body }) => body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream()));
    over();
  },
  "fetch-event-stream": async () => {
    const { events } = await import("fetch-event-stream");
    await fetched(events);
    over();
  },
  "sse.js": async () => { // of this project
    const { SSE } = await import("../../../../docker/html/sse.js");
    const source = new SSE(url, { endEvent: "" });
    watch(source, report, over);
    source.addEventListener("close", over);
  },
};

setInterval(() => {}, 60_000); // some do not keep Node alive while they wait
try {
  await clients[client]();
} catch (error) {
  report({ what: "error", text: error.message });
  process.exit(1);
}
