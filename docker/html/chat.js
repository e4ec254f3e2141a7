// The page Chat: asks, and shows the answer while it is written. `?answer=NAME` in the page's address says which one, so
// a page that is reloaded, a second window and the Back button show what has been there.

import { element, make, post, showState } from "./page.js";

const MAX_SPOKEN = 5; // sentences that wait for a screen reader

let name = null;   // of the answer
let source = null; // its stream, until the end
let last = -1;     // number of the last event: 0 is the question, then come the tokens
let written = null; // the text that they make
let isLive = false;
let isStopped = false;

// --- what the page shows ---

const STATES = {
  idle: "no question yet",
  waiting: "waiting",
  open: "answering",
  connecting: "reconnecting",
  complete: "complete",
  stopped: "stopped",
  closed: "not available; reload the page to try again",
};

function enter(state) {
  if (element("state").dataset.state === state) return;
  showState(state, STATES[state]);
  const isRunning = ["waiting", "open", "connecting"].includes(state);
  element("text").setAttribute("aria-busy", String(isRunning));
  if (!isRunning && document.activeElement === element("stop")) element("question").focus();
  element("stop").disabled = !isRunning;
  if (state === "open") element("notice").textContent = "";
}

function showQuestion(question) {
  element("asked").textContent = question;
  element("asked").hidden = question === "";
}

// Keeps the end in view, unless the reader has scrolled away from it.
function append(token) {
  const box = element("text");
  const follows = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
  written.appendData(token);
  if (follows) box.scrollTop = box.scrollHeight;
}

// --- what a screen reader says: whole sentences of what is written from now on ---

let unspoken = "";

function listen(token) {
  const sentences = (unspoken + token).split(/(?<=[.!?:])\s+/);
  unspoken = sentences.pop();
  if (isLive) sentences.forEach(speak);
}

function speak(sentence) {
  if (sentence.trim() === "") return;
  element("spoken").append(make("p", sentence));
  while (element("spoken").children.length > MAX_SPOKEN) element("spoken").firstChild.remove();
}

// --- the stream ---

// True for an event that has not been shown. A producer that was killed may have sent a token that its successor sends
// again; and after a restart of nginx the numbers start again.
function isNew(event) {
  const number = Number(event.lastEventId.split("~")[1]);
  if (!(number > last)) return false;
  if (number > last + 1) append(" […] "); // nginx no longer has the tokens in between
  last = number;
  return true;
}

function take(token) {
  enter("open");
  append(token);
  listen(token);
}

function finish() {
  source.close();
  source = null;
  if (isLive) speak(unspoken);
  enter(isStopped ? "stopped" : "complete");
}

function watch() {
  source = new EventSource(`chat/answer?answer=${name}`);
  source.addEventListener("question", (event) => isNew(event) && showQuestion(event.data));
  source.addEventListener("message", (event) => isNew(event) && take(event.data));
  source.addEventListener("live", () => { isLive = true; });
  source.addEventListener("stopped", () => { isStopped = true; });
  source.addEventListener("end", finish);
  source.addEventListener("error", () => {
    // The browser comes back by itself, with the id of the last event, unless nginx has refused it.
    enter(source.readyState === EventSource.CLOSED ? "closed" : "connecting");
  });
  source.addEventListener("open", () => enter(last < 1 ? "waiting" : "open"));
}

// Shows an answer from its first token on, or that there is none.
function show(answer, question = "") {
  source?.close();
  name = answer;
  last = -1;
  isLive = isStopped = false;
  unspoken = "";
  written = document.createTextNode("");
  element("text").replaceChildren(written);
  element("spoken").replaceChildren();
  showQuestion(question);
  element("window").href = location.href;
  element("elsewhere").hidden = name === null;
  enter(name === null ? "idle" : "waiting");
  if (name !== null) watch();
}

const nameInAddress = () => new URLSearchParams(location.search).get("answer");

// --- what the reader does ---

// What nginx answers to a POST, unless it refuses: then the page says why.
async function send(path, text) {
  const { result, trouble, status } = await post(path, text);
  element("notice").textContent = status === 409 ? "" : trouble ?? ""; // 409: the answer is over already
  return result;
}

async function ask(question) {
  const result = await send("chat/ask", question);
  if (!result) return;
  history.pushState(null, "", `?answer=${result.id}`);
  element("question").value = "";
  show(result.id, question);
  element("stop").focus();
  if (result.subscribers === 0) {
    element("notice").textContent = "The program that answers is not running. The question waits for it.";
  }
}

element("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  ask(element("question").value);
});
element("question").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  element("ask").requestSubmit();
});
element("stop").addEventListener("click", () => send(`chat/stop?answer=${name}`, "stopped"));
addEventListener("popstate", () => show(nameInAddress()));

show(nameInAddress());
