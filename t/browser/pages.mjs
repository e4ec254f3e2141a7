// What the tests of the demo's pages have in common: `./build.sh run`, a Chromium, pictures, and a clean end.
//
// SSE_SCREENSHOT=1 writes the pictures of the documents, of a demo that has its own port; otherwise they go below build/.

import { chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inChromium } from "./chromium.mjs";
import { contrast, isTooWide, unnamed } from "./looks.mjs";
import { done, is, ok } from "./tap.mjs";
import { Demo, freePort } from "./server.mjs";

// Runs test({ page, context, demo }) on that page of the demo. `allowed` are complaints of the demo that belong to the test;
// `hurries` is whether streams end and come back sooner than users of the demo see it.
export async function testDemo(name, test, { allowed = /(?!)/, viewport = { width: 1100, height: 720 }, hurries = true } = {}) {
  const temporary = mkdtempSync(join(tmpdir(), "sse-browser-"));
  chmodSync(temporary, 0o755); // root's nginx has workers of another user
  try {
    const demo = await Demo.start(process.env.SSE_SCREENSHOT ? 8080 : await freePort(), temporary);
    try {
      if (hurries) await demo.hurry();
      // The certificate of the demo is its own.
      await inChromium((context) => testPage(name, test, demo, context), { viewport, ignoreHTTPSErrors: true, locale: "en-US" });
    } finally {
      is(await demo.interrupt(), 0, "Ctrl-C ends it");
      is(readdirSync(temporary), [], "no file is left behind");
      is(await leftBehind(demo), [], "no process is left behind");
      is(demo.complaints().filter((line) => !allowed.test(line)), [], "nothing had anything to complain about");
    }
  } catch (error) {
    ok(false, "the test ran to its end", error.stack);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  done();
}

async function testPage(name, test, demo, context) {
  const errors = [];
  context.on("weberror", (error) => errors.push(error.error().message));
  const page = await context.newPage();
  await page.goto(`${demo.base}${name}`);
  await test({ page, context, demo });
  is(errors, [], "the scripts of the page made no error");
}

// The processes of a demo that has ended. A program that has been sent a signal may need a moment to end.
async function leftBehind(demo) {
  const left = () => [...demo.alive(), ...programs(demo)];
  for (let i = 0; i < 100 && left().length !== 0; i++) await new Promise((passed) => setTimeout(passed, 50));
  return left();
}

// The programs that publish to that demo.
export function programs(demo, name = ".py") {
  return readdirSync("/proc").filter((pid) => /^\d+$/.test(pid)).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(`${name}\0${demo.base.slice(0, -1)}\0`);
    } catch {
      return false;
    }
  }).map(Number);
}

export const text = (page, id) => page.textContent(`#${id}`);
export const number = async (page, id) => Number(await text(page, id));

// Waits until the stream is in that state.
export const state = (page, wanted) =>
  page.waitForFunction((name) => document.getElementById("state").dataset.state === name, wanted);

// Waits until the number in that element is at least so large.
export const reaches = (page, id, least) =>
  page.waitForFunction(([name, wanted]) => Number(document.getElementById(name).textContent) >= wanted, [id, least]);

// Pictures in light and dark and on a phone, and what the page must be in each. `official` is the picture of the documents.
export async function pictures(page, name, official = `docs/images/${name}.png`) {
  mkdirSync("build/browser", { recursive: true });
  const screenshot = (kind, options) => page.screenshot({ path: `build/browser/${name}${kind}.png`, ...options });
  await page.evaluate(() => document.activeElement.blur());
  for (const colorScheme of ["dark", "light"]) {
    await page.emulateMedia({ colorScheme });
    await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
    const least = await contrast(page);
    ok(least.ratio >= 4.5, `in the ${colorScheme} everything can be read`, JSON.stringify(least));
    await screenshot(`-${colorScheme}`);
  }
  if (process.env.SSE_SCREENSHOT) await page.screenshot({ path: official });
  const before = page.viewportSize();
  await page.setViewportSize({ width: 340, height: 740 });
  await screenshot("-phone", { fullPage: true });
  is(await isTooWide(page), false, "on a phone nothing is wider than the screen");
  await page.setViewportSize(before);
  is(await unnamed(page), [], "everything that can be used or looked at has a name");
}
