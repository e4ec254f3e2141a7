// The page Dashboard: readings of some sensors as moving lines, their last values, and alarms.

import { clock, element, make, prepend, showState } from "./page.js";

const SPAN = 60_000; // milliseconds that the chart shows
const MAX_ALARMS = 8;
const DASHES = [[], [6, 3], [2, 2], [10, 3, 2, 3]]; // colours alone do not tell lines apart

const sensors = []; // { readings, row } of each, at its number
let newest = 0; // time of the last reading

// --- what the page shows ---

function row(name, number) {
  const line = make("tr");
  const title = make("th", "", { scope: "row" });
  const swatch = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const sample = document.createElementNS("http://www.w3.org/2000/svg", "line");
  for (const [key, value] of Object.entries({ x1: 0, y1: 5, x2: 28, y2: 5 })) sample.setAttribute(key, value);
  sample.setAttribute("stroke-dasharray", DASHES[number].join(" "));
  sample.style.stroke = `var(--line-${number})`;
  swatch.setAttribute("aria-hidden", "true");
  swatch.append(sample);
  title.append(swatch, name);
  line.append(title, make("td"), make("td"));
  // A page that begins in the middle of a round hears of them in another order.
  element("sensors").insertBefore(line, sensors.slice(number).find((one) => one)?.row ?? null);
  return line;
}

function take({ sensor, number, unit, value, at, alarm }) {
  sensors[number] ??= { readings: [], row: row(sensor, number) };
  const { readings, row: line } = sensors[number];
  readings.push({ at, value });
  while (readings[0].at < at - SPAN) readings.shift();
  newest = Math.max(newest, at);
  line.children[1].textContent = `${value.toFixed(1)} ${unit}`;
  line.children[2].textContent = alarm ? "alarm" : "normal";
  line.className = alarm ? "alarm" : "";
}

function alarm({ type, data }) {
  const { sensor, unit, value, at } = JSON.parse(data);
  const item = make("li", "", { className: type });
  const time = make("time", clock(new Date(at)));
  item.append(time, ` ${sensor}: ${value} ${unit}, ${type === "alarm" ? "out of its range" : "back to normal"}`);
  prepend(element("alarms"), item, MAX_ALARMS);
}

// --- the chart: each line has its own scale, from its least to its greatest value ---

const isCalm = matchMedia("(prefers-reduced-motion: reduce)"); // then the lines step with each reading
let drawn = 0;

function move(now) {
  requestAnimationFrame(move);
  if (now - drawn < 40 || (isCalm.matches && drawn > 0)) return;
  drawn = now;
  draw();
}

function draw() {
  const chart = element("chart");
  const ratio = devicePixelRatio;
  const [width, height] = [chart.clientWidth, chart.clientHeight];
  const pixels = [width, height].map((length) => Math.round(length * ratio));
  if (chart.width !== pixels[0]) [chart.width, chart.height] = pixels;
  const pen = chart.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  const style = getComputedStyle(document.documentElement);
  grid(pen, width, height, style);
  // Moves between two readings, and not beyond the last one by more than the time to the next.
  const end = isCalm.matches ? newest : Math.min(Date.now(), newest + 1500);
  sensors.forEach(({ readings }, number) => {
    const values = readings.map(({ value }) => value);
    const [least, most] = [Math.min(...values), Math.max(...values)];
    pen.beginPath();
    for (const { at, value } of readings) {
      pen.lineTo(width * (1 - (end - at) / SPAN), 8 + (height - 16) * (1 - (value - least) / (most - least || 1)));
    }
    pen.strokeStyle = style.getPropertyValue(`--line-${number}`);
    pen.lineWidth = 2;
    pen.setLineDash(DASHES[number]);
    pen.stroke();
  });
}

function grid(pen, width, height, style) {
  pen.strokeStyle = style.getPropertyValue("--line");
  pen.lineWidth = 1;
  pen.setLineDash([]);
  pen.beginPath();
  for (let part = 1; part < 6; part++) {
    pen.moveTo(Math.round(width * part / 6) + 0.5, 0);
    pen.lineTo(Math.round(width * part / 6) + 0.5, height);
  }
  pen.stroke();
}

// --- the stream ---

const source = new EventSource("dashboard/events");
source.onopen = () => showState("open");
source.onerror = () => {
  if (source.readyState === EventSource.CLOSED) showState("closed", "refused");
  else showState("connecting", "reconnecting");
};
source.addEventListener("reading", ({ data }) => {
  take(JSON.parse(data));
  if (isCalm.matches) draw();
});
source.addEventListener("alarm", alarm);
source.addEventListener("clear", alarm);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
requestAnimationFrame(move);
