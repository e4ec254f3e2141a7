// The script of the page that sse_js.t opens: follows streams with docker/html/sse.js until they are closed, and publishes what
// each of them has seen. On the word "leave" it goes to another page, which comes back to this one. Firefox does not keep a page
// with an open request, and would load it again: there the script sends the client the events of a page that is kept.

import { SSE } from "/client/sse.js";

const browser = new URLSearchParams(location.search).get("browser");
const shown = []; // whether the page was kept, each time it was shown
addEventListener("pageshow", ({ persisted }) => shown.push(persisted));

async function leave() {
  if (browser !== "firefox") {
    location.href = `sse_js_away.html?browser=${browser}`;
    return;
  }
  dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true }));
  await fetch("/pub?channel=away", { method: "POST", body: browser });
  await (await fetch("/back?poll&wait=30")).json();
  dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }));
}

function follow(url, options) {
  return new Promise((resolve) => {
    const journal = [];
    const stream = new SSE(url, options);
    for (const type of ["message", "gap", "end"]) stream.addEventListener(type, ({ data }) => journal.push([type, data]));
    for (const type of ["open", "error"]) stream.addEventListener(type, ({ status }) => journal.push([type, status]));
    stream.addEventListener("message", ({ data }) => {
      if (data === "leave") leave();
    });
    stream.addEventListener("close", ({ reason, status }) => {
      journal.push(["close", reason, status]);
      resolve(journal);
    });
  });
}

const journals = await Promise.all([
  follow(`/numbers?browser=${browser}`),
  follow("/recent?channel=gap", { lastEventId: await (await fetch("/first")).text(), endEvent: "message" }),
  follow("/refusing"),
  follow(`/busy?browser=${browser}`, { endEvent: "message" }),
  follow("/over"),
  follow("/echo", { body: new URLSearchParams({ question: "why?" }), endEvent: "message" }),
]);
const [numbers, gap, refused, busy, over, posted] = journals;
const result = { browser, shown, numbers, gap, refused, busy, over, posted };
await fetch("/pub?channel=journals", { method: "POST", body: JSON.stringify(result) });
