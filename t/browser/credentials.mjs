// What the two pages of credentials.t do besides the samples of docs/access.md. The first one hands over to the second.

// Whether an EventSource gets a stream.
export function attempt(url) {
  return new Promise((resolve) => {
    const source = new EventSource(url);
    const end = (how) => { source.close(); resolve(how); };
    source.addEventListener("ready", () => end("open"));
    source.onerror = () => end("refused");
  });
}

// Takes what is printed, and leaves the page when that is "the end".
export function collect(result) {
  result.printed = [];
  console.log = (text) => {
    result.printed.push(text);
    if (text !== "the end") return;
    sessionStorage.result = JSON.stringify(result);
    location = `http://alice:tulip@${location.host}/closed/closed.html`; // as if the user had entered that
  };
}

// Publishes what there is. A relative URL would have the password of the page, which fetch refuses.
export function report(more) {
  const result = { ...JSON.parse(sessionStorage.result), ...more };
  return fetch(`${location.origin}/journal`, { method: "POST", body: JSON.stringify(result) });
}
