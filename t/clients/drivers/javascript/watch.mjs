// What the drivers in JavaScript report of a client, in Node and in a page.

// The types that the server sends. An EventSource hands each to its own listeners.
const types = ["message", "note", "ready", "gap", "end"];

// A client with the interface of EventSource.
export function watch(source, report, over) {
  for (const type of types) {
    source.addEventListener(type, (event) => {
      report({ what: "event", type: event.type, id: event.lastEventId, data: event.data });
    });
  }
  source.addEventListener("open", () => report({ what: "open" }));
  source.addEventListener("error", (event) => {
    report({ what: "error", text: String(event?.message ?? event?.status ?? "") });
    setTimeout(() => source.readyState === 2 && over()); // some close themselves after they have told
  });
}
