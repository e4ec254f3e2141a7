// The page Live log: the events of one channel, and a box to publish to it.
// `?channel=NAME` in the page's address chooses the channel; a producer writes to that of the shop.

import { clock, element, make, post, showState } from "./page.js";

const MAX_LINES = 1000; // in the page; older ones are taken out

const channel = new URLSearchParams(location.search).get("channel") || "shop";
const log = element("log");

// The server takes the name from the query as it stands there, so everybody here writes it the same way.
const query = `channel=${encodeURIComponent(channel)}`;

let source = null; // the stream, unless it is paused
let lastId = "";
let received = 0;
let lastSecond = 0; // events since the rate was last shown
let waiting = [];   // rows that the next frame puts into the page

function row(text, id, isNote = false) {
  waiting.push({ text, id, isNote, at: new Date() });
  if (waiting.length > MAX_LINES) waiting.shift(); // a hidden page has no frames
  if (waiting.length === 1) requestAnimationFrame(render);
}

function render() {
  const rows = document.createDocumentFragment();
  for (const { text, id, isNote, at } of waiting) {
    const item = make("li", "", isNote ? { className: "note", tabIndex: -1 } : {});
    if (id) item.title = `id ${id}`;
    item.append(make("time", clock(at), { dateTime: at.toISOString() }), make("span", text));
    item.hidden = isFilteredOut(item);
    rows.append(item);
  }
  waiting = [];
  log.append(rows);
  while (log.children.length > MAX_LINES) log.firstChild.remove();
  element("to-gap").hidden = !log.querySelector(".note");
  showNumber();
  followEnd();
}

function followEnd() {
  if (element("follow").checked) log.scrollTop = log.scrollHeight;
}

// Gaps are shown whatever the filter says.
function isFilteredOut(item) {
  const wanted = element("filter").value.toLowerCase();
  return !item.classList.contains("note") && !item.lastChild.textContent.toLowerCase().includes(wanted);
}

function showNumber() {
  const count = log.querySelectorAll("li:not([hidden])").length;
  element("shown").hidden = element("filter").value === "";
  element("shown").textContent = `${count} of ${log.children.length} lines`;
}

function filter() {
  for (const item of log.children) item.hidden = isFilteredOut(item);
  showNumber();
  followEnd();
}

function jumpToGap() {
  const gaps = log.querySelectorAll(".note");
  element("follow").checked = false;
  gaps[gaps.length - 1].scrollIntoView({ block: "center" });
  gaps[gaps.length - 1].focus();
}

function showId(event) {
  if (!event.lastEventId) return;
  lastId = event.lastEventId;
  element("last-id").textContent = lastId;
}

// A pause costs nothing: the stream is closed, and what is published meanwhile waits in nginx, as far as there is room.
function pause() {
  if (source) {
    source.close();
    source = null;
    showState("paused", "paused");
  } else {
    subscribe();
  }
  element("pause").textContent = source ? "Pause" : "Resume";
}

function subscribe() {
  source = new EventSource(`events?${query}${lastId && `&last_event_id=${encodeURIComponent(lastId)}`}`);
  showState("connecting", "connecting");
  source.onopen = () => showState("open", "open");
  source.onerror = () => {
    // The browser comes back by itself, with the id of the last event, unless the server has refused it.
    if (source.readyState === EventSource.CLOSED) showState("closed", "refused");
    else showState("connecting", "reconnecting");
  };
  source.onmessage = (event) => {
    received++;
    lastSecond++;
    showId(event);
    row(event.data, event.lastEventId);
  };
  // Sent to a subscriber that starts at the end of the log: from here on nothing is missed.
  source.addEventListener("ready", showId);
  // Sent if events that this subscriber has not received are no longer there.
  source.addEventListener("gap", (event) => {
    const { reason, requested, start, missed } = JSON.parse(event.data);
    const which = missed ? `${missed} events after ${requested}` : `Events after ${requested}`;
    showId(event);
    row(`${which} are missing (${reason}). The log goes on after ${start}.`, event.lastEventId, true);
  });
}

async function publish(text) {
  const { result, trouble } = await post(`publish?${query}`, text);
  element("answer").classList.toggle("bad", !result);
  element("answer").textContent = trouble ?? `Published as ${result.id}, subscribers: ${result.subscribers}.`;
  return Boolean(result);
}

function setUpForm() {
  const form = element("publish");
  const text = element("text");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (await publish(text.value)) text.value = "";
    text.focus();
  });
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
}

async function copy(code, button) {
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(code); // no clipboard without TLS or localhost
    button.textContent = "Selected";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}

function setUpCommands() {
  const base = new URL(".", location.href).href.replace(/\/$/, "");
  for (const command of document.querySelectorAll(".command")) {
    const code = command.querySelector("code");
    code.textContent = code.textContent.replace("{origin}", base).replace("channel={channel}", query);
    const button = make("button", "Copy", { type: "button" });
    button.setAttribute("aria-label", `Copy: ${command.querySelector("h3").textContent}`);
    button.addEventListener("click", () => copy(code, button));
    command.append(button);
  }
}

element("channel").textContent = channel;
element("follow").addEventListener("change", followEnd);
new ResizeObserver(followEnd).observe(log);
element("filter").addEventListener("input", filter);
element("pause").addEventListener("click", pause);
element("to-gap").addEventListener("click", jumpToGap);
element("clear").addEventListener("click", () => {
  log.replaceChildren();
  element("to-gap").hidden = true;
  showNumber();
});
setInterval(() => {
  element("rate").textContent = lastSecond;
  element("count").textContent = received;
  lastSecond = 0;
}, 1000);

setUpCommands();
setUpForm();
subscribe();
