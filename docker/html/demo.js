// The page of the demo: a live log of one channel, and a box to publish to it.
// `?channel=NAME` in the page's address chooses the channel.

const MAX_LINES = 1000; // in the page; older ones are taken out

const channel = new URLSearchParams(location.search).get("channel") || "log";
const element = (id) => document.getElementById(id);
const log = element("log");

// The server takes the name from the query as it stands there, so everybody here writes it the same way.
const query = `channel=${encodeURIComponent(channel)}`;

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
    const item = document.createElement("li");
    const time = document.createElement("time");
    const content = document.createElement("span");
    time.dateTime = at.toISOString();
    time.textContent = at.toLocaleTimeString([], { hour12: false });
    content.textContent = text;
    if (id) item.title = `id ${id}`;
    if (isNote) item.className = "note";
    item.append(time, content);
    rows.append(item);
  }
  waiting = [];
  log.append(rows);
  while (log.children.length > MAX_LINES) log.firstChild.remove();
  followEnd();
}

function followEnd() {
  if (element("follow").checked) log.scrollTop = log.scrollHeight;
}

function showState(state, text) {
  element("state").dataset.state = state;
  element("state").textContent = text;
}

function showId(event) {
  if (event.lastEventId) element("last-id").textContent = event.lastEventId;
}

function subscribe() {
  const source = new EventSource(`events?${query}`);
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
  // Sent where events are no longer there that this subscriber has not seen.
  source.addEventListener("gap", (event) => {
    const { reason, requested, start } = JSON.parse(event.data);
    showId(event);
    row(`Events after ${requested} are missing (${reason}). The log goes on after ${start}.`, event.lastEventId, true);
  });
}

async function publish(text) {
  const answer = element("answer");
  try {
    const response = await fetch(`publish?${query}`, {
      method: "POST",
      headers: { "Content-Type": "text/plain; charset=utf-8" },
      body: text,
    });
    const result = await response.json();
    answer.classList.toggle("bad", !response.ok);
    answer.textContent = response.ok
      ? `Published as ${result.id}, subscribers: ${result.subscribers}.`
      : `Refused (${response.status}): ${result.error}`;
    return response.ok;
  } catch (error) {
    answer.classList.add("bad");
    answer.textContent = `Not published: ${error.message}`;
    return false;
  }
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
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.setAttribute("aria-label", `Copy: ${command.querySelector("h3").textContent}`);
    button.addEventListener("click", () => copy(code, button));
    command.append(button);
  }
}

element("channel").textContent = channel;
element("follow").addEventListener("change", followEnd);
new ResizeObserver(followEnd).observe(log);
element("clear").addEventListener("click", () => log.replaceChildren());
setInterval(() => {
  element("rate").textContent = lastSecond;
  element("count").textContent = received;
  lastSecond = 0;
}, 1000);

setUpCommands();
setUpForm();
subscribe();
