// The stream that all tabs share, for the Limits page. It is open as long as a tab listens. (A tab that crashes does not
// say that it leaves, but the worker ends with the last tab, and so does the stream.)

const tabs = new Set();
let source = null;
let number = null;

function tell(port) {
  port.postMessage({ number, tabs: tabs.size, streams: source ? 1 : 0 });
}

function begin() {
  source = new EventSource("feed/events");
  source.onmessage = ({ data }) => {
    number = data.split(" ")[0];
    tabs.forEach(tell);
  };
}

function end() {
  source.close();
  source = number = null;
}

onconnect = ({ ports: [port] }) => {
  port.onmessage = ({ data }) => {
    if (data === "join") tabs.add(port);
    else tabs.delete(port);
    if (tabs.size > 0 && !source) begin();
    if (tabs.size === 0 && source) end();
    tabs.forEach(tell);
  };
};
