// Drives the page of "sse_status format=html" for t/browser/status_page.t: prints one line of JSON for each check.
//
//   node status_page.mjs PAGE PUBLISH PROFILE PICTURES

import { chromium } from "playwright-core";

const [url, publish, profile, pictures] = process.argv.slice(2);
const check = (good, name, detail = "") => console.log(JSON.stringify({ good: Boolean(good), name, detail: String(detail) }));

const context = await chromium.launchPersistentContext(profile, {
  executablePath: "/usr/bin/chromium",
  viewport: { width: 1200, height: 900 },
  colorScheme: "light",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"],
});
context.setDefaultTimeout(20_000);
const complaints = [];
const requests = [];
try {
  const page = await context.newPage();
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("request", (request) => requests.push(request.url()));
  const says = (text) => page.waitForFunction((wanted) => document.body.innerText.includes(wanted), text);
  const text = (selector) => page.textContent(selector);

  await page.goto(url);
  await page.waitForSelector("#health[data-state=good]");
  check(await text("#health") === "No problem", "the page says that all is well");
  check((await page.$$("#zones .card")).length === 2, "each zone has a card");
  check((await page.$$("#workers tbody tr")).length === 2, "each worker has a row");
  check(/^OK/.test(await page.title()), "the title says how it is");

  const published = () => page.$$eval("#zones dt", (all) => Number(all.find((one) => one.textContent === "published").nextSibling.textContent));
  const first = await published();
  for (let number = 0; number < 3; ++number) await fetch(`${publish}?channel=news`, { method: "POST", body: "x" });
  await page.waitForFunction((wanted) => [...document.querySelectorAll("#zones dt")]
    .find((one) => one.textContent === "published").nextSibling.textContent === String(wanted), first + 3);
  check(true, "it brings itself up to date");

  // A name that would be markup.
  const name = "<img src=x onerror=alert(1)>";
  await fetch(new URL("/json/pub", url), { method: "POST", body: JSON.stringify({ channel: name, data: 1 }) });
  await page.click("#top");
  await says("most events");
  check((await text("#channels")).includes(name), "the top channels are there, their names as text");
  check((await page.$$("#channels img")).length === 0, "and not as markup");
  check(await page.getAttribute("#top", "aria-expanded") === "true", "and the button says so");

  // What the policy keeps out, if something should ever get in.
  const runs = await page.evaluate(() => {
    window.broken = 0;
    const script = document.createElement("script");
    script.textContent = "window.broken = 1";
    document.body.append(script);
    document.body.insertAdjacentHTML("beforeend", "<a id=evil onclick='window.broken = 1'>x</a>");
    document.getElementById("evil").click();
    document.getElementById("evil").remove();
    script.remove();
    return window.broken;
  });
  check(runs === 0, "no other script runs, and no inline handler");
  check(complaints.every((one) => /Content Security Policy/.test(one)), "nothing but that is complained of", complaints.join("\n"));
  complaints.length = 0;

  // Keyboard.
  await page.locator("h1").click();
  const stops = [];
  for (let number = 0; number < 12; ++number) {
    await page.keyboard.press("Tab");
    stops.push(await page.evaluate(() => document.activeElement.id || document.activeElement.textContent.slice(0, 20)));
  }
  check(["pause", "workers", "top"].every((id) => stops.includes(id)), "buttons and the table are reached by the keyboard", stops);
  await page.focus("#pause");
  await page.keyboard.press("Space");
  check(await page.getAttribute("#pause", "aria-pressed") === "true", "a key pauses it");
  const paused = requests.length;
  await page.evaluate(() => new Promise((done) => setTimeout(done, 2500))); // longer than its period
  check(requests.length === paused, "and it asks no more");
  await page.keyboard.press("Space");
  await page.waitForFunction(() => document.getElementById("pause").getAttribute("aria-pressed") === "false");

  // What a screen reader is told.
  const unnamed = await page.$$eval("button, progress, [role=region], table", (all) => all.filter((one) =>
    !(one.textContent.trim() || one.ariaLabel || one.getAttribute("aria-labelledby"))).map((one) => one.outerHTML));
  check(unnamed.length === 0, "everything has a name", unnamed);
  check(await page.$$eval("table", (all) => all.every((one) => one.caption && one.querySelector("th[scope=col]"))), "tables have captions and heads");
  check(await page.getAttribute("html", "lang") === "en", "the language is known");

  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    const ratio = await page.evaluate(() => {
      const light = (color) => color.match(/\d+/g).slice(0, 3).map(Number).map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
      const behind = (one) => { for (; one; one = one.parentElement) { const c = getComputedStyle(one).backgroundColor; if (!/, 0\)$/.test(c)) return c; } };
      return Math.min(...[...document.querySelectorAll("h1, #health, #when, button, dt, dd, th, td, caption, .note")].map((one) => {
        const [a, b] = [light(getComputedStyle(one).color), light(behind(one))].sort((x, y) => y - x);
        return (a + 0.05) / (b + 0.05);
      }));
    });
    check(ratio >= 4.5, `${colorScheme}: the contrast is enough`, ratio);
    await page.screenshot({ path: `${pictures}/status-${colorScheme}.png`, fullPage: true });
  }
  await page.setViewportSize({ width: 360, height: 700 });
  check(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "on a phone nothing is wider than the page");
  await page.screenshot({ path: `${pictures}/status-phone.png`, fullPage: true });

  // No answer.
  await page.route("**/*json*", (route) => route.abort());
  await page.waitForSelector("#health[data-state=bad]");
  check(await text("#health") === "No answer from nginx", "it says when nginx does not answer");
  await page.unroute("**/*json*");
  await page.route("**/*json*", (route) => route.fulfill({ json: {
    zones: { a: { capacity: 1, used: 1, channels: 1, channel_capacity: 1, first_id: null, last_id: "1-1", published: 1,
                  closed: { client: 3, slow: 0, drain: 2 }, bus: { up: false, connected: false, dead_since: Date.now() - 5000, lag: 1 } } },
    workers: [], subscribers: 0, delivered: 0, later_member: 5 } }));
  await says("Problem: a: no connection to the bus");
  check((await page.textContent("#zones")).includes("3 client, 2 drain"), "of counters by reason those are shown that count something");
  check((await page.$$("#zones dd.bad")).length > 0, "what is wrong with a bus is marked");
  check((await page.textContent("#total")).includes("later member"), "figures of later versions are shown");

  const outside = requests.filter((one) => !one.startsWith(new URL(url).origin) && !one.startsWith("data:"));
  check(outside.length === 0, "nothing is loaded from elsewhere", outside);
} catch (error) {
  check(false, "the test runs to its end", error.stack);
} finally {
  await context.close();
}
