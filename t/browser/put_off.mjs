// What an EventSource of a real browser does with a refusal. put_off.t has the server, and makes room when it reads that the
// browser has been put off.
//
// node put_off.mjs URL...: opens an EventSource for each, all at the same time, in a page of their origin. One line of JSON for
// each thing that happens to one, until all are closed or have received a "ready" event.

import { inChromium } from "./chromium.mjs";

const urls = process.argv.slice(2);

// In the page.
function listen(targets) {
  return Promise.all(targets.map((url) => new Promise((resolve) => {
    const source = new EventSource(url);
    source.onopen = () => window.report(url, "open", source.readyState);
    source.onmessage = () => window.report(url, "message", source.readyState);
    source.onerror = async () => {
      await window.report(url, "error", source.readyState);
      if (source.readyState === EventSource.CLOSED) resolve();
    };
    source.addEventListener("ready", async () => {
      await window.report(url, "ready", source.readyState);
      source.close();
      resolve();
    });
  })));
}

await inChromium(async (context) => {
  const page = await context.newPage();
  await page.exposeFunction("report", (url, what, state) => console.log(JSON.stringify({ url, what, state, time: Date.now() })));
  await page.goto(new URL("/page", urls[0]).href);
  await page.evaluate(listen, urls);
}, { ignoreHTTPSErrors: true });
