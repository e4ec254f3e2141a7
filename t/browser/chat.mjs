// The page Chat as a user meets it: `./build.sh run`, an answer that types, Stop, a reload in the middle, a second window,
// a program that is killed while it answers.

import { readFileSync } from "node:fs";
import { is, ok } from "./tap.mjs";
import { pictures, programs, state, testDemo } from "./pages.mjs";
import { post } from "./server.mjs";

const TEXT = readFileSync("docker/chat/answer.txt", "utf8").trim();

// --- what the page shows ---

const answer = (page) => page.textContent("#text");

const reads = (page, length) =>
  page.waitForFunction((least) => document.getElementById("text").textContent.length >= least, length);

// Asks a question; returns the name of the answer.
async function ask(page, question) {
  const before = page.url();
  await page.fill("#question", question);
  await page.press("#question", "Enter");
  await page.waitForURL((url) => url.href !== before && /^\?answer=\d+-\d+$/.test(url.search));
  return new URL(page.url()).searchParams.get("answer");
}

// The processes that answer: children of the shell that ./build.sh run has started for them.
const producers = (demo) => programs(demo, "chat/producer.py");

// --- the tests, each beginning where the one before has ended ---

async function testAnswer(page, context, demo) {
  is(await page.textContent("#state"), "no question yet", "a page without an answer says so");
  await ask(page, "What is\nthis?");
  is(await page.evaluate(() => document.activeElement.id), "stop", "the keyboard is at Stop while the answer is written");
  await reads(page, 100);
  is(await page.getAttribute("#text", "aria-busy"), "true", "the answer is marked as unfinished");

  const second = await context.newPage();
  await second.goto(await page.evaluate(() => document.getElementById("window").href));
  await reads(second, 150);
  is(await second.textContent("#asked"), "What is\nthis?", "a second window shows the question");
  await page.reload();
  await reads(page, 200);
  ok(TEXT.startsWith(await answer(page)), "a page that is reloaded goes on", await answer(page));

  const [producer] = producers(demo);
  process.kill(producer, "SIGKILL");
  demo.reload();
  await Promise.all([state(page, "complete"), state(second, "complete")]);
  for (const [window, which] of [[page, "the reloaded page"], [second, "the second window"]]) {
    is(await answer(window), TEXT, `${which} has each token once, although the program that answers was killed`);
    is(await window.getAttribute("#text", "aria-busy"), "false", `${which} is done`);
    is(await window.isDisabled("#stop"), true, "and there is nothing to stop");
  }
  const [successor, ...more] = producers(demo);
  ok(successor !== producer && more.length === 0, "the program has been started again");
  await second.close();
}

async function testStop(page, context) {
  const name = await ask(page, "Stop!");
  const second = await context.newPage();
  await second.goto(page.url());
  await reads(page, 60);
  await page.keyboard.press("Enter"); // the keyboard is at Stop
  await Promise.all([state(page, "stopped"), state(second, "stopped")]);
  is(await page.evaluate(() => document.activeElement.id), "question", "the keyboard is at the next question then");
  is(await answer(page), await answer(second), "both windows end with the same token");
  ok((await answer(page)).length < TEXT.length / 2, "which is not the last one");
  await page.reload();
  await state(page, "stopped");
  is(await answer(page), await answer(second), "a reload shows the same");
  await second.close();
  return name;
}

// Any client that may publish can send a token twice, and a killed producer does so if nginx is slow.
async function testNumbers(page, demo) {
  const name = `${Date.now()}-65536`;
  const send = (text, end = "") => post(`${demo.base}chat/tokens?answer=${name}${end}`, text,
                                        { "Content-Type": "text/event-stream" });
  const token = (number, text) => `id: ${number}\ndata: ${text}\n\n`;
  await page.goto(`${demo.base}chat.html?answer=${name}`);
  await state(page, "waiting");
  await send(`id: 0\nevent: question\ndata: a question\n\n${token(1, "one")}${token(2, " two")}`);
  await send(token(2, " two") + token(3, " three") + token(1, "one") + token(6, "six"), "&end");
  await state(page, "complete");
  is(await answer(page), "one two three […] six", "no token is shown twice, and none is missing in silence");
  await page.goto(`${demo.base}chat.html?answer=../events`);
  await state(page, "closed");
  is(await answer(page), "", "another name leads nowhere");
}

async function testHistory(page, demo, stopped) {
  await page.goto(`${demo.base}chat.html?answer=${stopped}`);
  await state(page, "stopped");
  await ask(page, "Once more");
  await reads(page, 30);
  await page.goBack();
  await state(page, "stopped");
  is(await page.textContent("#asked"), "Stop!", "Back shows the answer before");
  await page.goForward();
  await reads(page, 60);
  is(await page.textContent("#asked"), "Once more", "and Forward goes on with the later one");
}

// What a screen reader reads out: the state when it changes, and whole sentences of an answer while it is being written.
async function testSpoken(page, demo) {
  await page.goto(`${demo.base}chat.html`);
  await page.evaluate(() => {
    window.said = [];
    const watch = (id, what) => new MutationObserver((changes) => {
      for (const { addedNodes } of changes) for (const node of addedNodes) said.push(what(node));
    }).observe(document.getElementById(id), { childList: true });
    watch("spoken", (node) => node.textContent);
    watch("state", (node) => node.textContent);
  });
  await ask(page, "Read it out");
  await page.waitForFunction(() => said.length >= 6);
  const said = await page.evaluate(() => window.said);
  is(said.slice(0, 2), ["waiting", "answering"], "the state is said once");
  ok(said.slice(2).every((sentence) => TEXT.includes(sentence) && /[.:]$/.test(sentence)), "then whole sentences are",
     JSON.stringify(said));
  await page.reload();
  await reads(page, 300);
  is(await page.$$eval("#spoken p", (all) => all.length <= 2), true, "a reload does not read out what was there before");
  await page.click("#stop");
  await state(page, "stopped");
}

async function testLooks(page, demo) {
  await page.goto(`${demo.base}chat.html`);
  await ask(page, "What are Server-Sent Events, and what happens if I reload this page now?");
  await reads(page, process.env.SSE_SCREENSHOT ? 700 : 100);
  await pictures(page, "chat", "docker/chat.png");
  const blinking = () => page.evaluate(() => getComputedStyle(document.getElementById("text"), "::after").animationName);
  is(await blinking(), "blink", "a cursor blinks");
  await page.emulateMedia({ reducedMotion: "reduce" });
  is(await blinking(), "none", "and stands still for who wants no motion");
  await page.click("#stop");
  await state(page, "stopped");
}

async function test({ page, context, demo }) {
  await page.click("nav a >> text=Chat");
  await testAnswer(page, context, demo);
  const stopped = await testStop(page, context);
  await testNumbers(page, demo);
  await testHistory(page, demo, stopped);
  await testSpoken(page, demo);
  await testLooks(page, demo);
}

await testDemo("", test, { allowed: / Killed .*python3/, viewport: { width: 1000, height: 640 } });
