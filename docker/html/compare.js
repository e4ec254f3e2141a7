// The page Compare: follows the same channel by a stream, by long polling and by polling, and counts what each costs.

import { clock, element } from "./page.js";
import { SSE } from "./sse.js";
import { tapped } from "./tapped.js";

const PERIOD = 2000; // of polling, in milliseconds
const FEED = new URL("feed/events", location.href).href;

// --- what one way costs ---

class Way {
  events = 0;
  requests = 0;
  sent = 0;
  received = 0;
  delay = 0; // of all events
  longest = 0;

  constructor(column) {
    this.cells = [...document.querySelectorAll(`#ways tbody td:nth-of-type(${column})`)];
    this.show();
  }

  fetch = tapped({
    onAnswer: ({ headers }) => {
      this.requests++;
      this.sent += Number(headers.get("x-request-length"));
      this.received += "HTTP/1.1 200 OK\r\n\r\n".length;
      for (const [name, value] of headers) this.received += `${name}: ${value}\r\n`.length;
      this.show();
    },
    onBytes: (bytes) => {
      this.received += bytes.length;
      this.show();
    },
  });

  take(data) {
    const delay = Math.max(0, Date.now() - Number(data.split(" ")[1]));
    this.events++;
    this.delay += delay;
    this.longest = Math.max(this.longest, delay);
    this.show();
  }

  show() {
    const { events, requests, sent, received } = this;
    const mean = (value) => (events ? Math.round(value / events).toLocaleString("en") : "none");
    const figures = [events, requests, sent.toLocaleString("en"), received.toLocaleString("en"), mean(sent + received),
                     mean(this.delay), this.longest.toLocaleString("en")];
    figures.forEach((figure, at) => { this.cells[at].textContent = figure; });
  }
}

// --- the three ways ---

const pause = (time, signal) => new Promise((passed) => {
  const timer = setTimeout(passed, time);
  signal.addEventListener("abort", () => {
    clearTimeout(timer);
    passed();
  });
});

function stream(way, cursor, signal) {
  const source = new SSE(FEED, { lastEventId: cursor, signal, fetch: way.fetch });
  source.addEventListener("message", ({ data }) => way.take(data));
}

async function poll(way, cursor, signal, wait, period) {
  while (!signal.aborted) {
    try {
      const answer = await way.fetch(`${FEED}?poll&wait=${wait}&last_event_id=${cursor}`, { cache: "no-store", signal });
      const { events, cursor: next } = await answer.json();
      for (const { data } of events) way.take(data);
      cursor = next;
    } catch {
      await pause(PERIOD, signal);
    }
    await pause(period, signal);
  }
}

// All begin at the same place.
async function begin(signal) {
  const { cursor } = await (await fetch(`${FEED}?poll`, { cache: "no-store" })).json();
  element("since").textContent = clock(new Date());
  stream(new Way(1), cursor, signal);
  poll(new Way(2), cursor, signal, 25, 0);
  poll(new Way(3), cursor, signal, 0, PERIOD);
}

let running = new AbortController();
element("again").addEventListener("click", () => {
  running.abort();
  running = new AbortController();
  begin(running.signal);
});
await begin(running.signal);
