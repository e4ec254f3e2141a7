// Drives the page of "sse_status format=html" for t/browser/status_page.t: prints one line of JSON for each check.
//
//   node status_page.mjs PAGE PUBLISH PICTURES

import { inChromium } from "./chromium.mjs";
import { contrast, isTooWide, unnamed } from "./looks.mjs";

const [url, publish, pictures] = process.argv.slice(2);
const check = (good, name, detail = "") => console.log(JSON.stringify({ good: Boolean(good), name, detail: String(detail) }));

const says = (page, text) => page.waitForFunction((wanted) => document.body.innerText.includes(wanted), text);

// --- the tests, each beginning where the one before has ended ---

async function testFigures(page) {
  await page.goto(url);
  await page.waitForSelector("#health[data-state=good]");
  check(await page.textContent("#health") === "No problem", "the page says that all is well");
  check((await page.$$("#zones .card")).length === 2, "each zone has a card");
  check((await page.$$("#workers tbody tr")).length === 2, "each worker has a row");
  check(/^OK/.test(await page.title()), "the title says how it is");

  const published = () => page.$$eval("#zones dt", (all) => Number(all.find((one) => one.textContent === "published").nextSibling.textContent));
  const first = await published();
  for (let number = 0; number < 3; ++number) await fetch(`${publish}?channel=news`, { method: "POST", body: "x" });
  await page.waitForFunction((wanted) => [...document.querySelectorAll("#zones dt")]
    .find((one) => one.textContent === "published").nextSibling.textContent === String(wanted), first + 3);
  check(true, "it brings itself up to date");
}

// A channel whose name looks like markup, and what the policy blocks even if markup should get in.
async function testInjection(page, complaints) {
  const name = "<img src=x onerror=alert(1)>";
  await fetch(new URL("/json/pub", url), { method: "POST", body: JSON.stringify({ channel: name, data: 1 }) });
  await page.click("#top");
  await says(page, "most events");
  check((await page.textContent("#channels")).includes(name), "the top channels are there, their names as text");
  check((await page.$$("#channels img")).length === 0, "and not as markup");
  check(await page.getAttribute("#top", "aria-expanded") === "true", "and the button says so");

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
}

async function testKeyboard(page, requests) {
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
}

async function testLooks(page) {
  const without = await unnamed(page);
  check(without.length === 0, "everything has a name", without);
  check(await page.$$eval("table", (all) => all.every((one) => one.caption && one.querySelector("th[scope=col]"))), "tables have captions and heads");
  check(await page.getAttribute("html", "lang") === "en", "the language is known");
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    const least = await contrast(page);
    check(least.ratio >= 4.5, `${colorScheme}: the contrast is enough`, JSON.stringify(least));
    await page.screenshot({ path: `${pictures}/status-${colorScheme}.png`, fullPage: true });
  }
  await page.setViewportSize({ width: 360, height: 700 });
  check(!await isTooWide(page), "on a phone nothing is wider than the page");
  await page.screenshot({ path: `${pictures}/status-phone.png`, fullPage: true });
}

// What it shows if there is no response, if the response reports trouble, and if it has figures that the page does not know.
async function testTrouble(page) {
  await page.route("**/*json*", (route) => route.abort());
  await page.waitForSelector("#health[data-state=bad]");
  check(await page.textContent("#health") === "No answer from nginx", "it says when nginx does not answer");
  await page.unroute("**/*json*");
  await page.route("**/*json*", (route) => route.fulfill({ json: {
    zones: { a: { capacity: 1, used: 1, channels: 1, channel_capacity: 1, first_id: null, last_id: "1-1", published: 1,
                  closed: { client: 3, slow: 0, drain: 2 }, bus: { up: false, connected: false, dead_since: Date.now() - 5000, lag: 1 } } },
    workers: [], subscribers: 0, delivered: 0, later_member: 5 } }));
  await says(page, "Problem: a: no connection to the bus");
  check((await page.textContent("#zones")).includes("3 client, 2 drain"), "of counters by reason those are shown that count something");
  check((await page.$$("#zones dd.bad")).length > 0, "what is wrong with a bus is marked");
  check((await page.textContent("#total")).includes("later member"), "figures of later versions are shown");
}

async function test(context) {
  const complaints = [];
  const requests = [];
  const page = await context.newPage();
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("request", (request) => requests.push(request.url()));
  await testFigures(page);
  await testInjection(page, complaints);
  await testKeyboard(page, requests);
  await testLooks(page);
  await testTrouble(page);
  const outside = requests.filter((one) => !one.startsWith(new URL(url).origin) && !one.startsWith("data:"));
  check(outside.length === 0, "nothing is loaded from elsewhere", outside);
}

try {
  await inChromium(test, { viewport: { width: 1200, height: 900 }, colorScheme: "light" });
} catch (error) {
  check(false, "the test runs to its end", error.stack);
}
