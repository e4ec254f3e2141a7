// The page Limits as a user meets it: of seven streams over HTTP/1.1 one waits until another one is closed; seven tabs that share
// a worker have one stream. Over HTTP/2 all seven are open.

import { is, ok } from "./tap.mjs";
import { pictures, testDemo, text } from "./pages.mjs";

const states = (page, list) => page.$$eval(`#${list} li`, (all) => all.map(({ className }) => className));
const numbered = (page, list, count) => page.waitForFunction(([id, wanted]) => [...document.querySelectorAll(`#${id} li b`)]
  .filter(({ textContent }) => /^number/.test(textContent)).length >= wanted, [list, count]);

async function test({ page, context, demo }) {
  const subscribers = async () => (await (await fetch(`${demo.base}produce?channel=ticks`)).json()).subscribers;
  const settles = async (wanted) => {
    for (let i = 0; i < 100 && await subscribers() !== wanted; i++) await new Promise((passed) => setTimeout(passed, 50));
    return subscribers();
  };

  await page.click("#open");
  await numbered(page, "streams", 6);
  is((await states(page, "streams")).sort(), [...Array(6).fill("open"), "waiting"], "of seven streams one waits");
  is(await subscribers(), 6, "nginx has six");
  await page.click("#close-one");
  await page.waitForFunction(() => !document.querySelector("#streams .waiting"));
  is((await states(page, "streams")).filter((state) => state === "open").length, 6, "when one is closed it is its turn");
  await page.click("#close");
  is(await settles(0), 0, "all can be closed");

  await page.click("#share");
  await numbered(page, "shared", 7);
  is(await subscribers(), 1, "seven tabs that share a worker have one stream");
  is(await text(page, "sharing"), "7 tabs, streams: 1.", "and the page says so");
  const second = await context.newPage();
  await second.goto(`${demo.base}limits.html`);
  await second.click("#share");
  await numbered(second, "shared", 7);
  await page.waitForFunction(() => document.getElementById("sharing").textContent === "14 tabs, streams: 1.");
  is(await subscribers(), 1, "another page shares it, too");
  await second.close();
  demo.reload();
  await numbered(page, "shared", 7);
  const before = await text(page, "shared");
  await page.waitForFunction((old) => document.getElementById("shared").textContent !== old, before);
  ok(true, "after a reload it goes on");
  await page.click("#open");
  await numbered(page, "streams", 5);
  ok((await states(page, "streams")).filter((state) => state === "open").length >= 5, "the worker's stream counts as one of six");
  await pictures(page, "limits");
  await page.click("#close");
  await page.click("#unshare");
  is(await settles(0), 0, "the last one that leaves closes it");

  ok((await text(page, "protocol")).includes("over HTTP/1.1"), "the page knows its protocol");
  await Promise.all([page.waitForURL(/^https:/), page.click("#over-http2")]);
  await page.click("#open");
  await numbered(page, "streams", 7);
  is(await states(page, "streams"), Array(7).fill("open"), "over HTTP/2 all seven are open");
  is(await subscribers(), 7, "and nginx has seven");
  is(await text(page, "protocol"), "This page was loaded over HTTP/2. ", "the page says so");
  await page.click("#close");
  is(await settles(0), 0, "and all can be closed");
}

await testDemo("limits.html", test);
