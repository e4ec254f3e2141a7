// The demo as a user meets it: `./build.sh run`, the page Live log in Chromium, curl beside it, a reload of nginx, Ctrl-C.

import { existsSync, readFileSync } from "node:fs";
import { diag, is, ok } from "./tap.mjs";
import { pictures, state, testDemo } from "./pages.mjs";
import { ingest, post } from "./server.mjs";

const MAX_LINES = 1000; // of the page, docker/html/log.js

// The last lines of a log that every Debian has.
function realLog(count) {
  const file = ["/var/log/dpkg.log", "/var/lib/dpkg/status"].find(existsSync);
  return readFileSync(file, "utf8").trimEnd().split("\n").slice(-count);
}

function numbered(prefix, count) {
  return Array.from({ length: count }, (_, i) => `${prefix} ${i + 1}`);
}

// --- what the page shows ---

const texts = (page) => page.$$eval("#log li span", (spans) => spans.map((span) => span.textContent));

// Waits until the last line is `text`, or prints what is there instead.
async function lastLine(page, text) {
  const there = (wanted) => document.querySelector("#log li:last-child span")?.textContent === wanted;
  await page.waitForFunction(there, text).catch(async () => {
    diag(`waited for "${text}", the page ends with ${JSON.stringify((await texts(page)).slice(-3))}`);
  });
}

// --- the tests, each beginning where the one before has ended ---

async function testLog(page, demo, lines) {
  await state(page, "open");
  is(await page.textContent("#last-id") !== "none yet", true, "a new page is given its position in the log");

  const answer = await ingest(demo.url("ingest"), lines);
  is(answer.status, 201, "a log is taken line by line");
  is(answer.json.events, lines.length, "each of its lines is an event");
  await lastLine(page, lines.at(-1));
  is(await texts(page), lines, "the page shows all lines in order");
  is(await page.evaluate(async () => (await import("./page.js")).clock(new Date(2026, 0, 1, 0, 5))), "00:05:00",
     "the hour of midnight is 0");
}

async function testReload(page, demo, lines) {
  const expected = [...lines];
  const publishSome = async (prefix) => {
    for (const text of numbered(prefix, 20)) {
      const { status } = await post(demo.url("publish"), text);
      if (status !== 201) diag(`publishing "${text}" was answered with ${status}`);
      expected.push(text);
    }
  };

  await publishSome("before the reload");
  demo.reload();
  await publishSome("after the signal");
  await state(page, "connecting");
  await publishSome("while nobody is connected");
  await state(page, "open");
  await publishSome("when it is back");
  await lastLine(page, expected.at(-1));
  is(await texts(page), expected, "after a reload of nginx nothing is missing and nothing there twice");
}

async function testPublishBox(page) {
  const text = "Grüße, 世界\n  second line";
  await page.fill("#text", text);
  await page.click("#publish button");
  await lastLine(page, text);
  is((await texts(page)).at(-1), text, "what the box publishes comes back as it was");
  await page.waitForFunction(() => document.getElementById("answer").textContent !== "");
  const answer = await page.textContent("#answer");
  ok(/^Published as \d+-\d+, subscribers: 1\.$/.test(answer), "the box tells the id and who listens", answer);
}

async function testPause(page, demo) {
  const before = (await texts(page)).length;
  await page.click("#pause");
  await state(page, "paused");
  for (const text of numbered("paused", 3)) await post(demo.url("publish"), text);
  is((await texts(page)).length, before, "a paused page shows nothing");
  await page.click("#pause");
  await lastLine(page, "paused 3");
  is((await texts(page)).slice(before), numbered("paused", 3), "resumed it shows all that has come meanwhile");
}

async function testFilter(page) {
  const visible = () => page.$$eval("#log li:not([hidden]) span", (spans) => spans.map((span) => span.textContent));
  const all = (await texts(page)).length;
  await page.fill("#filter", "PAUSED 2");
  is(await visible(), ["paused 2"], "a filter shows the lines that have that text");
  is(await page.textContent("#shown"), `1 of ${all} lines`, "and says how many they are");
  await page.fill("#filter", "");
  is((await visible()).length, all, "without it all are there");
}

async function testBounded(page, demo) {
  const lines = numbered("many", MAX_LINES + 200);
  await ingest(demo.url("ingest"), lines);
  await lastLine(page, lines.at(-1));
  is(await texts(page), lines.slice(-MAX_LINES), "the page keeps a bounded number of lines");
}

async function testGap(context, demo) {
  const page = await context.newPage();
  await page.route("**/events?*", (route) => route.fulfill({
    contentType: "text/event-stream",
    body: 'retry: 60000\nid: 7-0\nevent: gap\ndata: {"reason":"evicted","requested":"5-0","start":"7-0"}\n\n',
  }));
  await page.goto(`${demo.base}log.html?channel=log`);
  await page.waitForSelector("#log .note");
  const note = await page.textContent("#log .note span");
  ok(/5-0 are missing \(evicted\)/.test(note), "missing events are shown as missing", note);
  await page.evaluate((lines) => {
    for (let i = 0; i < lines; i++) document.getElementById("log").prepend(document.createElement("li"));
    for (let i = 0; i < lines; i++) document.getElementById("log").append(document.createElement("li"));
    for (const item of document.querySelectorAll("#log li:empty")) item.textContent = "x";
  }, 200);
  await page.click("#to-gap");
  ok(await page.evaluate(() => {
    const [list, item] = [document.getElementById("log"), document.activeElement].map((it) => it.getBoundingClientRect());
    return document.activeElement.className === "note" && item.top >= list.top && item.bottom <= list.bottom;
  }), "and a button leads there");
  await page.close();
}

// A page that shows nothing but a log.
async function testLooks(page, demo, lines) {
  await page.evaluate(() => document.getElementById("clear").click());
  const busy = page.waitForFunction(() => document.getElementById("rate").textContent !== "0"); // which it is for a second
  await ingest(demo.url("ingest"), lines);
  await lastLine(page, lines.at(-1));
  await busy;
  await pictures(page, "log", "docker/screenshot.png");
}

async function test({ page, context, demo }) {
  const lines = realLog(300);
  is(demo.output, [demo.base], "run prints one address and nothing else");
  await testLog(page, demo, lines);
  await testReload(page, demo, lines);
  await testPublishBox(page);
  await testPause(page, demo);
  await testFilter(page);
  await testBounded(page, demo);
  await testLooks(page, demo, lines);
  await testGap(context, demo);
}

await testDemo("log.html?channel=log", test, { viewport: { width: 1200, height: 900 }, hurries: false });
