// What docs/faq.md says of browsers, tried in Chromium. faq.t has the servers and judges what is reported.
//
// node faq.mjs ORIGIN OTHER: both serve /page, /events?channel=..., /events.js and /tab, which has the code of a tab. Prints
// lines of JSON.

import { inChromium } from "./chromium.mjs";

const [origin, other] = process.argv.slice(2);
const report = (what, value) => console.log(JSON.stringify({ what, value }));
const publish = (channel, text) => fetch(`${origin}/publish?channel=${channel}`, { method: "POST", body: text });
const subscribers = async (channel) => (await (await fetch(`${origin}/publish?channel=${channel}`)).json()).subscribers;

async function until(condition, deadline = Date.now() + 30000) {
  while (!await condition()) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function open(context, count, path) {
  const pages = [];
  for (let i = 0; i < count; i++) {
    const page = await context.newPage();
    await page.goto(`${origin}${path}`);
    pages.push(page);
  }
  return pages;
}

// Seven tabs with a stream each: what happens to the seventh stream, and to any other request.
async function six(context) {
  const pages = await open(context, 7, "/page");
  const listen = (page) => page.evaluate(() => {
    window.got = [];
    window.source = new EventSource("/events?channel=six");
    window.source.onmessage = ({ data }) => window.got.push(data);
  });
  for (const page of pages.slice(0, 6)) await listen(page);
  await until(async () => await subscribers("six") === 6);
  await listen(pages[6]);
  await pages[6].evaluate(() => { window.answer = "none"; fetch("/page").then(() => { window.answer = "there"; }); });
  await publish("six", "one");
  for (const page of pages.slice(0, 6)) await page.waitForFunction(() => window.got.includes("one"));
  report("the seventh", await pages[6].evaluate(() => [window.source.readyState, window.got.length, window.answer]));
  await pages[0].evaluate(() => window.source.close());
  await pages[6].waitForFunction(() => window.source.readyState === EventSource.OPEN);
  await pages[1].evaluate(() => window.source.close());
  await pages[6].waitForFunction(() => window.answer === "there");
  await until(async () => await subscribers("six") === 5);
  report("with room", "both");
  await Promise.all(pages.map((page) => page.close()));
}

// Seven tabs with the SharedWorker of the document.
async function shared(context) {
  const pages = await open(context, 7, "/tab");
  const texts = (page) => page.evaluate(() => window.lines.map(([, text]) => text));
  // A tab says that it is there when it has been shown; it gets what comes from then on.
  await until(async () => {
    await publish("news", "are you there");
    return (await Promise.all(pages.map(texts))).every((lines) => lines.length);
  });
  const answer = await (await publish("news", "the news")).json();
  for (const page of pages) await page.waitForFunction(() => window.lines.some(([, text]) => text === "the news"));
  const line = (page) => page.evaluate(() => window.lines.find(([, text]) => text === "the news"));
  report("tabs", await Promise.all(pages.map(line)));
  report("the answer", [answer.id, answer.subscribers]);
  await Promise.all(pages.map((page) => page.close()));
}

// Requests to another origin: of an EventSource that is cut off once and resumes, and of fetch. The access log has them.
async function preflights(context) {
  const [page] = await open(context, 1, "/page");
  await page.evaluate((url) => new Promise((resolve) => {
    const source = new EventSource(url);
    source.onmessage = ({ lastEventId, data }) => {
      window.last = lastEventId;
      if (data === "second") { source.close(); resolve(); }
    };
    window.first = new Promise((ready) => source.addEventListener("ready", ready));
    window.first.then(() => fetch("/publish?channel=far", { method: "POST", body: "first" }));
    source.onerror = () => fetch("/publish?channel=far", { method: "POST", body: "second" });
  }), `${other}/short?channel=far&by=EventSource`);
  await page.evaluate(async (url) => {
    const stop = new AbortController();
    await fetch(url, { headers: { Authorization: "Bearer of-the-page" }, signal: stop.signal });
    stop.abort();
  }, `${other}/short?channel=far&by=fetch`);
  await page.close();
}

// The policy of the page.
async function policy(context) {
  for (const path of ["/strict", "/named"]) {
    const [page] = await open(context, 1, path);
    report(path, await page.evaluate((url) => new Promise((resolve) => {
      const source = new EventSource(url);
      source.onopen = source.onerror = ({ type }) => { resolve([type, source.readyState]); source.close(); };
    }), `${other}/events?channel=policy`));
    await page.close();
  }
}

await inChromium(async (context) => {
  for (const part of [six, shared, preflights, policy]) await part(context);
});
