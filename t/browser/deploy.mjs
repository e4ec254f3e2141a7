// The page Deploy as a user meets it: a deployment that is reloaded and watched in a second window, that goes on although the
// program that deploys is killed and nginx is reloaded, and that ends.

import { is, ok } from "./tap.mjs";
import { pictures, programs, state, testDemo, text } from "./pages.mjs";

const steps = (page) => page.$$eval("#steps li", (all) => all.map(({ textContent }) => textContent));
const ALL = ["Check out", "Build", "Test", "Upload", "Switch over"];

async function test({ page, context, demo }) {
  const requests = [];
  context.on("request", (request) => /deploy\/events/.test(request.url()) && requests.push(request.url()));
  is(await text(page, "state"), "none", "a page without a deployment is not connected");
  await page.click("#start");
  await page.waitForFunction(() => document.querySelectorAll("#steps li").length >= 2);
  is(await page.isDisabled("#start"), true, "one cannot start it twice");
  const second = await context.newPage();
  await second.goto(page.url());
  await page.reload();
  await page.waitForFunction(() => document.querySelectorAll("#steps li").length >= 3);
  is((await steps(page)).slice(0, 3), ALL.slice(0, 3), "a page that is reloaded shows all");
  await pictures(page, "deploy");

  process.kill(programs(demo, "deploys.py")[0], "SIGKILL");
  demo.reload();
  await Promise.all([state(page, "over"), state(second, "over")]);
  for (const [window, which] of [[page, "the page"], [second, "the second window"]]) {
    is(await steps(window), ALL, `${which} has each step once, although the program was killed`);
    const output = await text(window, "output");
    is(output.split("\n").filter((line) => /^\d+ passed|^Deployed/.test(line)), ["60 passed", "120 passed", "Deployed."],
       `${which} has each line once`);
    is(await window.$eval("#bar", ({ value }) => value), 100, `${which} is at its end`);
    ok(/over/.test(await text(window, "notice")), `${which} says so`);
  }
  const before = requests.length;
  await page.evaluate(() => new Promise((passed) => setTimeout(passed, 1000))); // longer than an EventSource would wait
  is(requests.length, before, "nobody comes back after the end");
  await page.goto(`${demo.base}deploy.html?run=1-1`);
  await state(page, "closed");
  ok(true, "another name leads nowhere");
}

await testDemo("deploy.html", test, { allowed: / Killed .*python3/ });
