// The live log of a demo that runs elsewhere: image.mjs URL. Prints the state of its stream, and two lines that it shows: one
// that its own form has published, and one that comes from outside.

import { inChromium } from "./chromium.mjs";

const url = process.argv[2];

const last = (page, text) => page.waitForFunction((wanted) =>
  document.querySelector("#log li:last-child span")?.textContent === wanted, text).then(() => console.log(text));

await inChromium(async (context) => {
  const page = await context.newPage();
  await page.goto(`${url}log.html?channel=log`);
  await page.waitForFunction(() => document.getElementById("state").dataset.state === "open");
  console.log("open");
  await page.fill("#text", "published in the page");
  await page.click("#publish button");
  await last(page, "published in the page");
  const answer = await fetch(`${url}publish?channel=log`, { method: "POST", body: "published from outside" });
  if (answer.status !== 201) throw new Error(`publishing was answered with ${answer.status}`);
  await last(page, "published from outside");
});
