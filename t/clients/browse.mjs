// Opens pages in Chromium, one after the other, and reports each text that is added to #answer, a line each, until it is
// told to end.
//
// node browse.mjs: each line of its input is the address of a page to open beside the others.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { chromium } from "../browser/node_modules/playwright-core/index.mjs";

// In the page, before its own scripts run.
function watch() {
  new MutationObserver((changes) => {
    for (const { target, addedNodes } of changes) {
      if (target.id === "answer") for (const { textContent } of addedNodes) report(textContent);
    }
  }).observe(document, { childList: true, subtree: true });
}

const profile = mkdtempSync(join(tmpdir(), "sse-browser-"));
const context = await chromium.launchPersistentContext(profile, {
  executablePath: "/usr/bin/chromium",
  headless: true,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"],
});
try {
  await context.exposeFunction("report", (text) => console.log(text.trim()));
  await context.addInitScript(watch);
  context.on("weberror", (error) => console.log(`error: ${error.error().message}`));
  for await (const address of createInterface({ input: process.stdin })) {
    await (await context.newPage()).goto(address);
    console.log("loaded");
  }
} finally {
  await context.close();
  rmSync(profile, { recursive: true, force: true });
}
