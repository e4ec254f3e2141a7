// What an EventSource of a real browser does with a refusal. put_off.t has the server, and makes room when it reads that the
// browser has been put off.
//
// node put_off.mjs PAGE URL: opens an EventSource for URL in PAGE. One line of JSON for each thing that happens to it, until it
// is closed or has received a "ready" event.

import { inChromium } from "./chromium.mjs";

const [where, url] = process.argv.slice(2);

await inChromium(async (context) => {
  const page = await context.newPage();
  await page.exposeFunction("report", (what, state) => console.log(JSON.stringify({ what, state, time: Date.now() })));
  await page.goto(where);
  await page.evaluate((target) => new Promise((resolve) => {
    const source = new EventSource(target);
    source.onopen = () => window.report("open", source.readyState);
    source.onmessage = () => window.report("message", source.readyState);
    source.onerror = async () => {
      await window.report("error", source.readyState);
      if (source.readyState === EventSource.CLOSED) resolve();
    };
    source.addEventListener("ready", async () => {
      await window.report("ready", source.readyState);
      source.close();
      resolve();
    });
  }), url);
}, { ignoreHTTPSErrors: true });
