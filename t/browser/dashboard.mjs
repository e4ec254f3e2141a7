// The page Dashboard as a user meets it: it begins with the last minute, lines move, values and alarms come, also after a reload
// of nginx.

import { is, ok } from "./tap.mjs";
import { pictures, state, testDemo } from "./pages.mjs";

const rows = (page) => page.$$eval("#sensors tr", (all) => all.map((row) => [...row.children].map((cell) => cell.textContent)));
const drawn = (page) => page.$eval("#chart", (chart) => {
  const { data } = chart.getContext("2d").getImageData(0, 0, chart.width, chart.height);
  return data.reduce((sum, value, at) => (at % 4 === 3 && value > 200 ? sum + 1 : sum), 0);
});
const picture = (page) => page.$eval("#chart", (chart) => chart.toDataURL());

async function test({ page, demo }) {
  await state(page, "open");
  await page.waitForFunction(() => document.querySelectorAll("#sensors tr").length === 4);
  const before = await rows(page);
  is(before.map(([name]) => name), ["Air", "Soil", "Humidity", "Light"], "each sensor has a row");
  ok(before.every(([, value, kind]) => /^-?\d+\.\d \S+$/.test(value) && /^(normal|alarm)$/.test(kind)), "with its value and state",
     JSON.stringify(before));
  await page.waitForFunction((old) => [...document.querySelectorAll("#sensors tr")].every((row, at) =>
    row.children[1].textContent !== old[at][1]), before);
  ok(true, "which change");
  const image = await picture(page);
  await page.waitForFunction((old) => document.getElementById("chart").toDataURL() !== old, image);
  ok(await drawn(page) > 100, "lines are drawn, and move", await drawn(page));

  const again = page.waitForRequest(/dashboard\/events/); // for how long the page shows that it has no stream is up to chance
  demo.reload();
  await again;
  await state(page, "open");
  // In the format of the producer.
  const send = (kind, value) => fetch(`${demo.base}produce?channel=sensors&event=${kind}`, {
    method: "POST",
    body: JSON.stringify({ sensor: "Air", unit: "°C", value, at: Date.now(), alarm: kind === "alarm" }),
  });
  await send("alarm", 99.5);
  await send("clear", 21.5);
  await page.waitForFunction(() => /99\.5/.test(document.getElementById("alarms").textContent));
  await page.waitForFunction(() => /21\.5/.test(document.getElementById("alarms").textContent));
  const alarms = await page.$$eval("#alarms li", (all) => all.map(({ textContent }) => textContent.replace(/^\S+ /, "")));
  is(alarms.filter((line) => /99\.5|21\.5/.test(line)), ["Air: 21.5 °C, back to normal", "Air: 99.5 °C, out of its range"],
     "alarms come, after a reload, too, the newest first");
  is(alarms.filter((line) => /99\.5/.test(line)).length, 1, "once");

  await page.reload();
  await page.waitForFunction(() => /99\.5/.test(document.getElementById("alarms").textContent));
  ok(true, "a page that is loaded anew has the last minute at once");
  await pictures(page, "dashboard");
}

await testDemo("dashboard.html", test);
