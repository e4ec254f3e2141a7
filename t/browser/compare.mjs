// The page Compare as a user meets it: all three ways get the same events, at different costs.

import { is, ok } from "./tap.mjs";
import { pictures, testDemo } from "./pages.mjs";

// Of each way: events, requests, bytes sent and received, bytes per event, delays.
async function figures(page) {
  const rows = await page.$$eval("#ways tbody tr", (all) => all.map((row) => [...row.cells].map(({ textContent }) => textContent)));
  return [1, 2, 3].map((column) => rows.map((row) => parseInt(row[column].replaceAll(",", ""), 10)));
}

const eventsReach = (page, least) => page.waitForFunction((wanted) => [...document.querySelectorAll("#ways tbody tr:first-child td")]
  .every(({ textContent }) => Number(textContent) >= wanted), least);

async function test({ page, demo }) {
  await eventsReach(page, 6);
  const [stream, long, short] = await figures(page);
  is(stream[1], 1, "a stream is one request");
  // A page that stands still for a second gets two events with one poll.
  ok(long[1] > 4 && long[1] >= long[0] - 2, "long polling is one for each event", JSON.stringify(long));
  ok(short[1] > 2 && short[1] < long[1], "polling is fewer", JSON.stringify(short));
  ok(stream[2] > 200 && long[2] > 5 * 200, "requests are counted as nginx has read them", JSON.stringify([stream, long]));
  ok(stream[4] < long[4], "an event of a stream costs less than by long polling", JSON.stringify([stream, long]));
  ok(stream[5] < short[5] && long[5] < short[5], "and both come sooner than by polling", JSON.stringify([stream, long, short]));

  await pictures(page, "compare");
  await page.click("#again");
  await page.waitForFunction(() => Number(document.querySelector("#ways tbody td").textContent) < 3);
  demo.reload();
  await page.waitForFunction(() => Number(document.querySelector("#ways tr:nth-child(2) td").textContent) >= 2);
  await eventsReach(page, 5);
  // Polling catches up with each poll. If one way had lost an event, its number would stay too low.
  await page.waitForFunction(() => {
    const events = [...document.querySelectorAll("#ways tbody tr:first-child td")].map(({ textContent }) => Number(textContent));
    return Math.max(...events) - Math.min(...events) <= 1;
  });
  ok(true, "after a reload all ways still get the same");
}

await testDemo("compare.html", test);
