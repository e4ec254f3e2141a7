// The script of the page that drain.t opens: follows the streams that the page's address names, and keeps a journal of what each
// EventSource sees. When the last of them is closed, the journals are published to /pub.

const PAUSE = 1000; // after this an EventSource that is not closed would be back, in milliseconds

function follow(url) {
  return new Promise((resolve) => {
    const journal = [];
    const source = new EventSource(url);
    source.onopen = () => journal.push({ what: "open" });
    source.onmessage = ({ data, lastEventId }) => journal.push({ what: "event", data, id: lastEventId });
    source.addEventListener("ready", ({ lastEventId }) => journal.push({ what: "ready", id: lastEventId }));
    for (const type of ["gap", "end"]) source.addEventListener(type, () => journal.push({ what: type }));
    source.onerror = () => {
      journal.push({ what: "error", state: source.readyState });
      if (source.readyState !== EventSource.CLOSED) return;
      setTimeout(() => {
        journal.push({ what: "last", state: source.readyState });
        resolve(journal);
      }, PAUSE);
    };
  });
}

const query = new URLSearchParams(location.search);
const journals = await Promise.all(query.getAll("stream").map(follow));
await fetch("/pub?channel=journals", { method: "POST", body: JSON.stringify([query.get("browser"), ...journals]) });
