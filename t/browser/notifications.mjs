// The page Notifications as a user meets it: what is sent to one user is in their list, counted at their bell, and nowhere else.

import { is, ok } from "./tap.mjs";
import { pictures, testDemo } from "./pages.mjs";

const has = (page, user, text) => page.waitForFunction(([who, what]) =>
  document.querySelector(`[data-user=${who}] .feed`).textContent.includes(what), [user, text]);
const list = (page, user) => page.textContent(`[data-user=${user}] .feed`);
const badge = (page, user) => page.$eval(`[data-user=${user}] .badge`, (one) => (one.hidden ? 0 : Number(one.textContent)));
const connected = (page) => page.waitForFunction(() =>
  [...document.querySelectorAll(".user .state")].every(({ textContent }) => textContent === "connected"));

async function send(page, user, text) {
  await page.fill(`[data-user=${user}] input`, text);
  await page.press(`[data-user=${user}] input`, "Enter");
}

async function test({ page, context, demo }) {
  await connected(page);
  await send(page, "ada", "only for Ada <b>");
  await has(page, "ada", "only for Ada <b>");
  await send(page, "ben", "only for Ben");
  await has(page, "ben", "only for Ben");
  ok(!(await list(page, "ben")).includes("for Ada"), "Ben does not get what is for Ada");
  ok(!(await list(page, "ada")).includes("for Ben"), "nor Ada what is for Ben");
  ok(await badge(page, "ada") >= 1 && await badge(page, "ben") >= 1, "the bells count");
  ok(/^[1-9]\d* new notifications of Ada/.test(await page.getAttribute("[data-user=ada] .bell", "aria-label")), "and say so");
  await pictures(page, "notifications");
  await page.focus("[data-user=ada] .bell");
  await page.keyboard.press("Enter");
  is(await badge(page, "ada"), 0, "what has been read is not counted");
  ok(await badge(page, "ben") >= 1, "at the bell of who has read it");

  const again = page.waitForRequest(/notifications\/events/); // when one of the streams has been cut off
  demo.reload();
  await again;
  await send(page, "ada", "during the reload");
  await has(page, "ada", "during the reload");
  is((await list(page, "ada")).split("during the reload").length, 2, "a reload loses nothing, and brings nothing twice");

  const second = await context.newPage();
  await second.goto(`${demo.base}notifications.html`);
  await has(second, "ada", "during the reload");
  ok(true, "another device of Ada has it, too");
  await second.close();
  is((await fetch(`${demo.base}notifications/events?user=eve`)).status, 400, "who is nobody gets nothing");
}

await testDemo("notifications.html", test);
