// The page Deploy: starts a deployment and shows it to its end. `?run=ID` in the page's address says which one, so a page
// that is reloaded and a second window show the same.

import { element, make, post, showState } from "./page.js";

let source = null;

function show(run) {
  source?.close();
  source = null;
  element("steps").replaceChildren();
  element("output").textContent = "";
  element("bar").value = 0;
  element("start").disabled = run !== null;
  if (run === null) showState("paused", "none");
  else watch(run);
}

function watch(run) {
  source = new EventSource(`deploy/events?run=${run}`);
  showState("connecting");
  source.onopen = () => showState("open");
  source.onerror = () => {
    // The browser comes back by itself, with the id of the last event, unless nginx has refused it.
    if (source.readyState !== EventSource.CLOSED) showState("connecting", "reconnecting");
    else finish("closed", "refused", "nginx does not know this deployment.");
  };
  source.addEventListener("step", ({ data }) => begin(JSON.parse(data)));
  source.addEventListener("progress", ({ data }) => progress(JSON.parse(data)));
  source.addEventListener("result", ({ data }) => progress(JSON.parse(data)));
  // Without close() the browser would come back once more, and be told by a 204 to stay away.
  source.addEventListener("end", () => finish("over", "over", "It is over: nginx has ended the stream, and nobody comes back."));
}

function finish(state, name, notice) {
  source.close();
  current()?.removeAttribute("aria-current");
  showState(state, name);
  element("notice").textContent = notice;
  element("start").disabled = false;
}

const current = () => document.querySelector("#steps [aria-current]");

function begin({ number, name, steps }) {
  current()?.removeAttribute("aria-current");
  const item = make("li", name);
  item.setAttribute("aria-current", "step");
  element("steps").append(item);
  element("notice").textContent = `Step ${number + 1} of ${steps}: ${name}`;
  element("output").append(`== ${name}\n`);
}

function progress({ text, percent }) {
  element("bar").value = percent;
  element("output").append(`${text}\n`);
  element("output").scrollTop = element("output").scrollHeight;
}

async function start() {
  element("start").disabled = true;
  const { result, trouble } = await post("deploy/start", "deploy");
  if (trouble) {
    element("notice").textContent = trouble;
    element("start").disabled = false;
    return;
  }
  history.pushState(null, "", `?run=${result.id}`);
  show(result.id);
  if (result.subscribers === 0) element("notice").textContent = "The program that deploys is not running. It begins when you start it.";
}

const runInAddress = () => new URLSearchParams(location.search).get("run");
element("start").addEventListener("click", start);
addEventListener("popstate", () => show(runInAddress()));
show(runInAddress());
