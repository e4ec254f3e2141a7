// The page On the wire as a user meets it, from the home page: the connection is cut, its worker killed, nginx reloaded, and
// each number comes once.

import { is, ok } from "./tap.mjs";
import { number, pictures, reaches, state, testDemo, text } from "./pages.mjs";

// Breaks something, and waits until the page is connected again and has received more.
async function breaks(page, button) {
  const [connections, received] = [await number(page, "connections"), await number(page, "received")];
  await page.click(`#${button}`);
  await reaches(page, "connections", connections + 1);
  await reaches(page, "received", received + 2);
}

async function test({ page, demo }) {
  const links = await page.$$eval("nav a", (all) => all.map(({ href }) => href));
  for (const link of links) is((await fetch(link)).status, 200, `the home page leads to ${link.slice(demo.base.length)}`);
  await pictures(page, "home");

  await page.click("text=On the wire");
  await state(page, "open");
  await reaches(page, "received", 2);
  const sent = await text(page, "wire");
  ok(/GET \/wire\/events/.test(sent) && /accept: text\/event-stream/.test(sent), "the request is shown", sent);
  ok(/content-type: text\/event-stream/.test(sent), "the head of the answer is", sent);
  ok(/retry: \d+\u21B5/.test(sent) && /id: \d+-\d+\u21B5\ndata: \d+ \d+\u21B5/.test(sent), "and each line, with its end", sent);

  const worker = await text(page, "worker");
  await breaks(page, "cut");
  ok(/last-event-id: \d+-\d+/.test(await text(page, "wire")), "after a cut it sends its cursor");
  const before = await text(page, "worker");
  await breaks(page, "kill");
  ok(before !== await text(page, "worker"), "the worker that served it is dead", `${worker} ${before}`);
  await breaks(page, "reload");
  await reaches(page, "heartbeats", 1);
  is([await text(page, "lost"), await text(page, "twice")], ["0", "0"], "nothing is lost, and nothing is there twice");
  // The stream goes on, so what is compared is read at one moment.
  const shown = await page.evaluate(() => ({
    ...Object.fromEntries(["number", "received", "bytes"].map((id) => [id, Number(document.getElementById(id).textContent)])),
    sum: [...document.querySelectorAll("#wire .received b")].reduce((sum, one) => sum + parseInt(one.textContent, 10), 0),
  }));
  ok(shown.number >= shown.received, "although numbers have come all the time", JSON.stringify(shown));
  is(shown.sum, shown.bytes, "and every byte has been counted");
  await reaches(page, "received", await number(page, "received") + 3);
  await pictures(page, "wire");

  // In the image, no page may kill anything.
  await page.route("**/control/", (route) => route.fulfill({ status: 404 }));
  await page.reload();
  await page.waitForFunction(() => document.getElementById("kill").disabled);
  ok(/build\.sh run/.test(await text(page, "notice")), "where nothing can be killed the page says so");
}

await testDemo("", test, { allowed: /exited on signal 9/ });
