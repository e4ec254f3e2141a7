// What the tests of the demo's pages have in common: `./build.sh run`, a Chromium, pictures, and a clean end.
//
// SSE_SCREENSHOT=1 writes docs/images/NAME.png, of a demo that has its own port; otherwise pictures go below build/.

import { chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { done, is, ok } from "./tap.mjs";
import { Demo, freePort } from "./server.mjs";

const TIMEOUT = 20_000;

// Runs test({ page, context, demo }) on that page of the demo. `allowed` are complaints that belong to the test.
export async function testDemo(name, test, allowed = /(?!)/) {
  const directory = mkdtempSync(join(tmpdir(), "sse-browser-"));
  chmodSync(directory, 0o755); // root's nginx has workers of another user
  const temporary = join(directory, "demo");
  mkdirSync(temporary);
  try {
    const demo = await Demo.start(process.env.SSE_SCREENSHOT ? 8080 : await freePort(), temporary);
    try {
      await inChromium(join(directory, "profile"), async (context, errors) => {
        const page = await context.newPage();
        await page.goto(`${demo.base}${name}`);
        await test({ page, context, demo });
        is(errors, [], "the scripts of the page made no error");
      });
    } finally {
      is(await demo.interrupt(), 0, "Ctrl-C ends it");
      is(readdirSync(temporary), [], "no file is left behind");
      is([...demo.alive(), ...programs(demo)], [], "no process is left behind");
      is(demo.complaints().filter((line) => !allowed.test(line)), [], "nothing had anything to complain about");
    }
  } catch (error) {
    ok(false, "the test ran to its end", error.stack);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  done();
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

async function inChromium(profile, use) {
  const errors = [];
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: "/usr/bin/chromium",
    headless: true,
    viewport: { width: 1100, height: 720 },
    ignoreHTTPSErrors: true, // the certificate of the demo is its own
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
           "--disable-component-update", "--disable-sync"],
  });
  context.setDefaultTimeout(TIMEOUT);
  context.on("weberror", (error) => errors.push(error.error().message));
  try {
    await use(context, errors);
  } finally {
    await context.close();
  }
}

export const text = (page, id) => page.textContent(`#${id}`);
export const number = async (page, id) => Number(await text(page, id));

// Waits until the stream is in that state.
export const state = (page, wanted) =>
  page.waitForFunction((name) => document.getElementById("state").dataset.state === name, wanted);

// Waits until the number in that element is at least so large.
export const reaches = (page, id, least) =>
  page.waitForFunction(([name, wanted]) => Number(document.getElementById(name).textContent) >= wanted, [id, least]);

// Pictures in light and dark and on a phone, on which nothing may be too wide, and what a screen reader needs.
export async function pictures(page, name) {
  const official = process.env.SSE_SCREENSHOT ? "docs/images" : "build/browser";
  mkdirSync("build/browser", { recursive: true });
  mkdirSync(official, { recursive: true });
  await page.evaluate(() => document.activeElement.blur());
  await page.screenshot({ path: `${official}/${name}.png` });
  await page.emulateMedia({ colorScheme: "dark" });
  await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
  await page.screenshot({ path: `build/browser/${name}-dark.png` });
  const before = page.viewportSize();
  await page.setViewportSize({ width: 340, height: 740 });
  await page.screenshot({ path: `build/browser/${name}-phone.png`, fullPage: true });
  is(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false,
     "on a phone nothing is wider than the screen");
  await page.setViewportSize(before);
  await page.emulateMedia({ colorScheme: "light" });
  is(await page.$$eval("button, input, textarea, select, [role=img], canvas, svg, [tabindex='0']", (all) => all.filter((one) => {
    const named = one.getAttribute("aria-label") || one.getAttribute("aria-labelledby") || one.textContent.trim();
    return !named && !one.labels?.length && !one.closest("[aria-hidden=true]");
  }).map((one) => one.outerHTML)), [], "everything that can be used or looked at has a name");
}
