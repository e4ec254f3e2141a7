// The demo as a user meets it: `./build.sh run`, the page Live log in Chromium, curl beside it, a reload of nginx, Ctrl-C.
//
// SSE_SCREENSHOT=1 writes docker/screenshot.png, with the port that the demo has; otherwise the pictures go below build/.

import { existsSync, mkdirSync, mkdtempSync, chmodSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { diag, done, is, ok } from "./tap.mjs";
import { Demo, freePort, ingest, post } from "./server.mjs";

const TIMEOUT = 30_000;
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

// Waits until the last line is `text`, or says what is there instead.
async function lastLine(page, text) {
  const there = (wanted) => document.querySelector("#log li:last-child span")?.textContent === wanted;
  await page.waitForFunction(there, text, { timeout: TIMEOUT }).catch(async () => {
    diag(`waited for "${text}", the page ends with ${JSON.stringify((await texts(page)).slice(-3))}`);
  });
}

const state = (page, wanted) =>
  page.waitForFunction((name) => document.getElementById("state").dataset.state === name, wanted,
                       { timeout: TIMEOUT });

async function open(context, url, errors) {
  const page = await context.newPage();
  page.on("pageerror", (error) => errors.push(error.message));
  await page.goto(url);
  return page;
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
  await page.waitForFunction(() => document.getElementById("answer").textContent !== "", null, { timeout: TIMEOUT });
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

async function testGap(context, demo, errors) {
  const page = await context.newPage();
  page.on("pageerror", (error) => errors.push(error.message));
  await page.route("**/events?*", (route) => route.fulfill({
    contentType: "text/event-stream",
    body: 'retry: 60000\nid: 7-0\nevent: gap\ndata: {"reason":"evicted","requested":"5-0","start":"7-0"}\n\n',
  }));
  await page.goto(`${demo.base}log.html?channel=log`);
  await page.waitForSelector("#log .note", { timeout: TIMEOUT });
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

async function pictures(page, demo, lines) {
  // A page that has seen nothing but a log.
  await page.evaluate(() => document.getElementById("clear").click());
  await ingest(demo.url("ingest"), lines);
  await lastLine(page, lines.at(-1));
  await page.waitForFunction(() => document.getElementById("rate").textContent !== "0", null, { timeout: TIMEOUT });
  await page.evaluate(() => document.activeElement.blur());
  const file = process.env.SSE_SCREENSHOT ? "docker/screenshot.png" : "build/browser/light.png";
  mkdirSync("build/browser", { recursive: true });
  await page.screenshot({ path: file, fullPage: true });
  await page.emulateMedia({ colorScheme: "dark" });
  await page.screenshot({ path: "build/browser/dark.png", fullPage: true });
  await page.setViewportSize({ width: 375, height: 800 });
  await page.screenshot({ path: "build/browser/phone.png", fullPage: true });
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
  is(overflow, false, "on a phone nothing is wider than the screen");
}

async function testPage(demo, profile) {
  const errors = [];
  const lines = realLog(300);
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: "/usr/bin/chromium",
    headless: true,
    viewport: { width: 1200, height: 800 },
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
           "--disable-component-update", "--disable-sync"],
  });
  try {
    const page = await open(context, `${demo.base}log.html?channel=log`, errors);
    await testLog(page, demo, lines);
    await testReload(page, demo, lines);
    await testPublishBox(page);
    await testPause(page, demo);
    await testFilter(page);
    await testBounded(page, demo);
    await pictures(page, demo, lines);
    await testGap(context, demo, errors);
    is(errors, [], "the page's script made no error");
  } finally {
    await context.close();
  }
}

const directory = mkdtempSync(join(tmpdir(), "sse-browser-"));
chmodSync(directory, 0o755); // root's nginx has workers of another user
try {
  const temporary = join(directory, "demo");
  mkdirSync(temporary);
  const port = process.env.SSE_SCREENSHOT ? 8080 : await freePort();
  const demo = await Demo.start(port, temporary);
  try {
    is(demo.output, [`http://127.0.0.1:${port}/`], "run prints one address and nothing else");
    await testPage(demo, join(directory, "profile"));
  } finally {
    is(await demo.interrupt(), 0, "Ctrl-C ends it");
    is(readdirSync(temporary), [], "no file is left behind");
    is(demo.alive(), [], "no process is left behind");
    is(demo.complaints(), [], "nginx had nothing to complain about");
  }
} catch (error) {
  ok(false, "the test ran to its end", error.stack);
} finally {
  rmSync(directory, { recursive: true, force: true });
}
done();
