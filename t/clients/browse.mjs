// Opens pages in Chromium, one after the other, and prints a line for each text that is added to #answer, until its input
// ends.
//
// node browse.mjs: each line of its input is the address of a page to open beside the others.

import { createInterface } from "node:readline";
import { inChromium } from "../browser/chromium.mjs";

// In the page, before its own scripts run.
function watch() {
  new MutationObserver((changes) => {
    for (const { target, addedNodes } of changes) {
      if (target.id === "answer") for (const { textContent } of addedNodes) report(textContent);
    }
  }).observe(document, { childList: true, subtree: true });
}

await inChromium(async (context) => {
  await context.exposeFunction("report", (text) => console.log(text.trim()));
  await context.addInitScript(watch);
  context.on("weberror", (error) => console.log(`error: ${error.error().message}`));
  for await (const address of createInterface({ input: process.stdin })) {
    await (await context.newPage()).goto(address);
    console.log("loaded");
  }
});
