#include "status/html.hpp"

#include <string_view>

#include "http/random.hpp"
#include "http/respond.hpp"
#include "sse/buffer.hpp"

namespace sse {

namespace {

// The page in parts, between which the nonce stands. Nothing in it comes from a request or a configuration:
// what the figures say is set as text, by the script.
constexpr std::string_view kHead = R"html(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>SSE status</title>
<link rel="icon" href="data:,">
<style nonce=")html";

constexpr std::string_view kStyle = R"html(">
:root {
  color-scheme: light dark;
  --page: #f5f6f4; --panel: #fff; --ink: #1b211d; --dim: #566059; --line: #d5dbd6;
  --good: #0a6b36; --bad: #b3261e; --bar: #0a7a3d; --track: #e3e8e4;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #121613; --panel: #1b211d; --ink: #e6ebe7; --dim: #a3aea7; --line: #333c36;
    --good: #6ed99a; --bad: #ff9a92; --bar: #4cc47f; --track: #2b332e;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; font-variant-numeric: tabular-nums;
}
header, main { max-width: 72rem; margin: 0 auto; padding: 1rem; }
header { display: flex; flex-wrap: wrap; gap: 0.5rem 1rem; align-items: center; }
h1 { margin: 0; font-size: 1.3rem; }
h2 { margin: 1.5rem 0 0.5rem; font-size: 1.1rem; }
h3 { margin: 0 0 0.5rem; font-size: 1rem; overflow-wrap: anywhere; }
#health { margin: 0; font-weight: 600; }
#health[data-state="good"] { color: var(--good); }
#health[data-state="bad"] { color: var(--bad); }
#when { margin: 0 0 0 auto; color: var(--dim); font-size: 0.9rem; }
button {
  font: inherit; color: inherit; background: var(--panel); padding: 0.3rem 0.8rem; min-height: 2.5rem;
  border: 1px solid var(--dim); border-radius: 0.4rem; cursor: pointer;
}
:focus-visible { outline: 3px solid var(--bar); outline-offset: 2px; }
.cards { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 21rem), 1fr)); }
.card, .table { background: var(--panel); border: 1px solid var(--line); border-radius: 0.5rem; }
.card { padding: 1rem; }
.card h4 { margin: 0.75rem 0 0.25rem; font-size: 0.9rem; color: var(--dim); }
.table { overflow-x: auto; }
dl { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 0.15rem 1rem; margin: 0; }
dt { color: var(--dim); }
dd { margin: 0; text-align: right; overflow-wrap: anywhere; }
dd.bad { color: var(--bad); font-weight: 600; }
progress {
  grid-column: 1 / -1; width: 100%; height: 0.5rem; margin: 0.1rem 0 0.3rem; appearance: none; border: 0;
  background: var(--track);
}
::-webkit-progress-bar { background: var(--track); }
::-webkit-progress-value { background: var(--bar); }
::-moz-progress-bar { background: var(--bar); }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; padding: 0.6rem 1rem 0; color: var(--dim); }
th, td { padding: 0.35rem 1rem; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
thead th { color: var(--dim); font-weight: 600; border-bottom: 1px solid var(--line); }
tbody th { font-weight: 400; }
#channels tbody th { min-width: 9rem; white-space: normal; overflow-wrap: anywhere; }
tfoot td, tfoot th { border-top: 1px solid var(--line); font-weight: 600; }
.note { color: var(--dim); }
[hidden] { display: none; }
</style>
</head>
<body>
<header>
<h1>SSE status</h1>
<p id="health" role="status">Loading</p>
<p id="when"></p>
<button id="pause" type="button" aria-pressed="false">Pause</button>
</header>
<main>
<noscript><p>This page needs JavaScript. <a href="?json">The same as JSON</a>.</p></noscript>
<section aria-labelledby="h-total"><h2 id="h-total">In total</h2><div class="cards" id="total"></div></section>
<section aria-labelledby="h-zones"><h2 id="h-zones">Zones</h2><div class="cards" id="zones"></div></section>
<section aria-labelledby="h-workers"><h2 id="h-workers">Workers</h2>
<div class="table" id="workers" tabindex="0" role="region" aria-labelledby="h-workers"></div></section>
<section aria-labelledby="h-top"><h2 id="h-top">Channels</h2>
<p><button id="top" type="button" aria-expanded="false" aria-controls="channels">Show the top channels</button></p>
<p class="note" id="note" role="status"></p><div class="cards" id="channels"></div></section>
<p class="note"><a href="?json">The same as JSON</a></p>
</main>
<script nonce=")html";

constexpr std::string_view kScript = R"html(">
"use strict";
const PERIOD = 2000; // milliseconds between two questions
const element = (id) => document.getElementById(id);
const whole = new Intl.NumberFormat();
const one = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });

function make(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function bytes(count) {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let unit = 0;
  for (; count >= 1024 && unit < units.length - 1; ++unit) count /= 1024;
  return `${one.format(count)} ${units[unit]}`;
}

function age(milliseconds) {
  const seconds = Math.max(0, milliseconds) / 1000;
  if (seconds < 120) return `${one.format(seconds)} s`;
  if (seconds < 7200) return `${whole.format(Math.round(seconds / 60))} min`;
  return seconds < 172800 ? `${one.format(seconds / 3600)} h` : `${one.format(seconds / 86400)} days`;
}

const moment = (id) => Number(id.split("-")[0]);
const label = (key) => key.replaceAll("_", " ");

// What a member says, of any name: a page of this version shows what another version of the module has to tell.
function words(value) {
  if (value === null || value === undefined) return "none";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "object") {
    const parts = Object.entries(value).filter(([, count]) => count !== 0);
    return parts.map(([key, count]) => `${words(count)} ${label(key)}`).join(", ") || "0";
  }
  return typeof value === "number" ? whole.format(value) : String(value);
}

function facts(rows) {
  const list = make("dl");
  for (const [name, value, isBad] of rows) {
    list.append(make("dt", { textContent: name }), make("dd", { textContent: value, className: isBad ? "bad" : "" }));
  }
  return list;
}

function share(list, name, part, whole) {
  list.append(make("progress", { max: whole || 1, value: part, ariaLabel: name }));
}

// --- Rates: from one answer to the next ---

let before = null; // { at, counters }
let rates = new Map();

function counters(status) {
  const all = new Map();
  for (const [name, zone] of Object.entries(status.zones ?? {})) all.set(`zone ${name}`, zone.published);
  for (const key of ["delivered", "gaps"]) all.set(key, status[key]);
  return all;
}

// Counters begin anew when nginx restarts.
function measure(status) {
  const now = { at: performance.now(), counters: counters(status) };
  rates = new Map();
  if (before) {
    const seconds = (now.at - before.at) / 1000;
    for (const [name, count] of now.counters) {
      const grown = count - before.counters.get(name);
      if (grown >= 0 && seconds > 0) rates.set(name, grown / seconds);
    }
  }
  before = now;
}

const rate = (name) => rates.has(name) ? `${one.format(rates.get(name))} / s` : "\u2026";

// --- Parts of the page ---

function total(status) {
  const rest = Object.entries(status).filter(([key, value]) =>
    typeof value === "number" && !["subscribers", "delivered"].includes(key));
  return make("div", { className: "card" }, facts([
    ["subscribers", words(status.subscribers)],
    ["delivered", words(status.delivered)],
    ["delivered per second", rate("delivered")],
    ...rest.map(([key, value]) => [label(key), words(value)]),
  ]));
}

function bus(figures) {
  const shown = ["up", "dead_since", "lag"];
  const rest = Object.entries(figures).filter(([key, value]) => !shown.includes(key) && typeof value !== "object");
  return [make("h4", { textContent: "Bus" }), facts([
    ["up", words(figures.up), !figures.up],
    ...(figures.dead_since === null ? [] : [["dead for", age(Date.now() - figures.dead_since), true]]),
    ["lag", `${words(figures.lag)} ms`],
    ...rest.map(([key, value]) => [label(key), words(value), value === false]),
  ])];
}

const KNOWN = ["capacity", "used", "channels", "channel_capacity", "first_id", "last_id", "published", "bus", "top"];

function zone(name, figures) {
  const events = facts([
    ["published per second", rate(`zone ${name}`)],
    ["published", words(figures.published)],
    ["history", figures.first_id ? age(moment(figures.last_id) - moment(figures.first_id)) : "none"],
    ...Object.entries(figures).filter(([key]) => !KNOWN.includes(key)).map(([key, value]) => [label(key), words(value)]),
    ["used", `${bytes(figures.used)} of ${bytes(figures.capacity)}`],
  ]);
  share(events, "used", figures.used, figures.capacity);
  const index = facts([["channels", `${words(figures.channels)} of ${words(figures.channel_capacity)}`]]);
  share(index, "channels", figures.channels, figures.channel_capacity);
  return make("div", { className: "card" }, make("h3", { textContent: name }), events, index,
    ...(figures.bus ? bus(figures.bus) : []));
}

function table(caption, columns, rows, foot) {
  const cells = (row, head) => make("tr", {}, ...columns.map((key, at) => {
    const cell = make(at === 0 || head ? "th" : "td", { textContent: head ? label(key) : key === "pid" ? row[key] : words(row[key]) });
    if (at === 0 || head) cell.scope = head ? "col" : "row";
    return cell;
  }));
  return make("table", {}, make("caption", { textContent: caption }), make("thead", {}, cells({}, true)),
    make("tbody", {}, ...rows.map((row) => cells(row))), ...(foot ? [make("tfoot", {}, cells(foot))] : []));
}

function workers(list) {
  const columns = Object.keys(list[0] ?? { pid: 0, subscribers: 0 }).filter((key) => typeof list[0]?.[key] !== "object");
  columns.sort((a, b) => (b === "pid") - (a === "pid"));
  return table(`${words(list.length)} now`, columns, list);
}

// What is wrong; nothing if all is well.
function troubles(status) {
  return Object.entries(status.zones ?? {}).flatMap(([name, { bus: figures }]) =>
    !figures || figures.up ? [] : [`${name}: ${figures.connected ? "nothing comes through the bus" : "no connection to the bus"}`]);
}

function health(state, text) {
  const place = element("health");
  if (place.textContent !== text) place.textContent = text; // is read aloud
  place.dataset.state = state;
}

function show(status) {
  measure(status);
  const wrong = troubles(status);
  health(wrong.length ? "bad" : "good", wrong.length ? `Problem: ${wrong.join("; ")}` : "No problem");
  document.title = `${wrong.length ? "Problem" : "OK"} \u2013 SSE status`;
  element("total").replaceChildren(total(status));
  element("zones").replaceChildren(...Object.entries(status.zones ?? {}).map(([name, figures]) => zone(name, figures)));
  element("workers").replaceChildren(workers(status.workers ?? []));
  element("when").textContent = new Date().toLocaleTimeString();
}

// --- Questions ---

async function ask(query) {
  const answer = await fetch(query, { cache: "no-store", signal: AbortSignal.timeout(10000) });
  if (!answer.ok) throw Object.assign(new Error(`nginx answers with ${answer.status}`), { status: answer.status });
  return answer.json();
}

let timer = 0;
let isPaused = false;

async function update() {
  clearTimeout(timer);
  try {
    show(await ask("?json"));
  } catch (error) {
    before = null;
    health("bad", error.status ? error.message : "No answer from nginx");
  }
  clearTimeout(timer); // of an update that has come in between
  if (!isPaused && document.visibilityState === "visible") timer = setTimeout(update, PERIOD);
}

element("pause").addEventListener("click", ({ currentTarget: button }) => {
  isPaused = !isPaused;
  button.setAttribute("aria-pressed", isPaused);
  isPaused ? clearTimeout(timer) : update();
});
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible" && !isPaused) update();
});

function topOf(name, top) {
  const card = (caption, rows) => make("div", { className: "table", tabIndex: 0, role: "region", ariaLabel: `${name}: ${caption}` },
    table(`${name}: ${caption}`, ["channel", "subscribers", "events"], rows));
  return [card("most subscribers", top.subscribers), card("most events", top.events)];
}

element("top").addEventListener("click", async ({ currentTarget: button }) => {
  const note = element("note");
  note.textContent = "";
  try {
    const { zones } = await ask("?json&top=10");
    element("channels").replaceChildren(...Object.entries(zones).flatMap(([name, { top }]) => topOf(name, top)));
    button.setAttribute("aria-expanded", "true");
    button.textContent = "Refresh the top channels";
  } catch (error) {
    element("channels").replaceChildren();
    note.textContent = error.status === 403 ? "The location has no sse_list that permits it." : error.message;
  }
});

update();
</script>
</body>
</html>
)html";

// Nothing but the page's own style and script, and questions to where it comes from; in no frame.
constexpr std::string_view kPolicyBefore =
    "default-src 'none'; connect-src 'self'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; style-src 'nonce-";
constexpr std::string_view kPolicyBetween = "'; script-src 'nonce-";
constexpr std::string_view kPolicyAfter = "'";

// Joins the parts in the request's pool; empty without memory.
std::string_view join(ngx_http_request_t* r, std::initializer_list<std::string_view> parts) noexcept {
    Buffer text;
    for (const std::string_view part : parts) {
        if (!text.append(part)) {
            return {};
        }
    }
    return toView(poolString(r->pool, text.view()));
}

} // namespace

ngx_int_t sendStatusPage(ngx_http_request_t* r) noexcept {
    u_char room[32]; // hexadecimal digits
    ngx_snprintf(room, sizeof(room), "%016xL%016xL", randomNumber(), randomNumber());
    const std::string_view nonce(reinterpret_cast<const char*>(room), sizeof(room));

    const std::string_view policy = join(r, {kPolicyBefore, nonce, kPolicyBetween, nonce, kPolicyAfter});
    const std::string_view page = join(r, {kHead, nonce, kStyle, nonce, kScript});
    if (policy.empty() || page.empty() || !addHeader(r, "Content-Security-Policy", policy) ||
        !addHeader(r, "X-Content-Type-Options", "nosniff") ||
        !addHeader(r, "Referrer-Policy", "no-referrer")) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    return respond(r, NGX_HTTP_OK, "text/html; charset=utf-8", page);
}

} // namespace sse
