// The page Limits: seven streams, of which a browser opens six over HTTP/1.1, and seven tabs that share one.

import { element, make } from "./page.js";

const TABS = 7;

// --- the protocol of this page, and where it is to be had over the other one ---

const PROTOCOLS = { h2: "HTTP/2", h3: "HTTP/3" };

async function showProtocol() {
  const [{ nextHopProtocol }] = performance.getEntriesByType("navigation");
  const protocol = PROTOCOLS[nextHopProtocol] ?? "HTTP/1.1";
  element("protocol").textContent = `This page was loaded over ${protocol}. `;
  const response = await fetch("http2.json");
  if (protocol !== "HTTP/1.1" || !response.ok) return;
  const { port } = await response.json();
  const href = `https://${location.hostname}:${port}${location.pathname}`;
  element("protocol").append(make("a", "The same over HTTP/2", { href, id: "over-http2" }),
    ", with a certificate that your browser does not know.");
}

showProtocol();

function tile(list, number) {
  const item = make("li", "", { className: "waiting" });
  item.append(make("span", `Tab ${number}`), make("b", "waiting"));
  list.append(item);
  return (state, text) => {
    item.className = state;
    item.lastChild.textContent = text;
  };
}

// --- seven streams ---

let open = []; // those that are not closed

function openAll() {
  element("streams").replaceChildren();
  open = Array.from({ length: TABS }, (_, index) => {
    const show = tile(element("streams"), index + 1);
    const source = new EventSource(`feed/events?tab=${index + 1}`);
    source.onopen = () => show("open", "open");
    source.onmessage = ({ data }) => show("open", `number ${data.split(" ")[0]}`);
    source.onerror = () => show("waiting", source.readyState === EventSource.CLOSED ? "refused" : "reconnecting");
    return { source, show };
  });
  showButtons();
}

function close({ source, show }) {
  source.close();
  show("closed", "closed");
}

function showButtons() {
  element("open").disabled = open.length > 0;
  element("close").disabled = element("close-one").disabled = open.length === 0;
}

element("open").addEventListener("click", openAll);
element("close-one").addEventListener("click", () => {
  close(open.shift());
  showButtons();
});
element("close").addEventListener("click", () => {
  open.forEach(close);
  open = [];
  showButtons();
});

// --- seven tabs that share one ---

let ports = [];

function share() {
  element("shared").replaceChildren();
  ports = Array.from({ length: TABS }, (_, index) => {
    const show = tile(element("shared"), index + 1);
    const { port } = new SharedWorker("limits-worker.js", { name: "feed" });
    port.onmessage = ({ data: { number, tabs, streams } }) => {
      if (number) show("open", `number ${number}`);
      element("sharing").textContent = `${tabs} tabs, streams: ${streams}.`;
    };
    port.postMessage("join");
    return { port, show };
  });
  showSharing();
}

function unshare() {
  for (const { port, show } of ports) {
    port.postMessage("leave");
    show("closed", "closed");
  }
  ports = [];
  element("sharing").textContent = "No tab yet.";
  showSharing();
}

function showSharing() {
  element("share").disabled = ports.length > 0 || !globalThis.SharedWorker;
  element("unshare").disabled = ports.length === 0;
}

element("share").addEventListener("click", share);
element("unshare").addEventListener("click", unshare);
addEventListener("pagehide", unshare);
if (!globalThis.SharedWorker) element("sharing").textContent = "This browser has no SharedWorker.";
showSharing();
