// A page that follows a channel as docs/guide.md recommends. fallback.t has the servers and looks at what comes.
//
// node fallback.mjs ORIGIN URL: opens ORIGIN/page, which has follow(), and prints a line of JSON when it is there, for each
// event, and for what follow() returns unless that is 200. Ends with its standard input.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [origin, url] = process.argv.slice(2);
const tell = (value) => console.log(JSON.stringify(value));

const profile = mkdtempSync(join(tmpdir(), "sse-browser-"));
const context = await chromium.launchPersistentContext(profile, {
  executablePath: "/usr/bin/chromium",
  headless: true,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"],
});
try {
  const page = await context.newPage();
  await page.exposeFunction("tell", tell);
  await page.goto(`${origin}/page`);
  tell("opened");
  await page.evaluate((where) => { follow(where, tell).then((status) => status === 200 || tell(status)); }, url);
  await new Promise((resolve) => { process.stdin.on("end", resolve).resume(); });
} finally {
  await context.close();
  rmSync(profile, { recursive: true, force: true });
}
