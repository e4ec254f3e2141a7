// A page that follows a channel as docs/guide.md recommends. fallback.t has the servers and looks at what comes.
//
// node fallback.mjs ORIGIN URL: opens ORIGIN/page, which has follow(), and prints a line of JSON when it is there, for each
// event, and for what follow() returns unless that is 200. Ends with its standard input.

import { inChromium } from "./chromium.mjs";

const [origin, url] = process.argv.slice(2);
const tell = (value) => console.log(JSON.stringify(value));

await inChromium(async (context) => {
  const page = await context.newPage();
  await page.exposeFunction("tell", tell);
  await page.goto(`${origin}/page`);
  tell("opened");
  await page.evaluate((where) => { follow(where, tell).then((status) => status === 200 || tell(status)); }, url);
  await new Promise((resolve) => { process.stdin.on("end", resolve).resume(); });
});
