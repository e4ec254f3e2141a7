// Who may publish when a real browser asks: pages of this origin, of another port, of another host, of a listed origin, in a
// sandbox; by a form and by fetch, which may ask without CORS. publishing_pages.t has the servers and looks at what got
// into the zone.
//
// node publish.mjs SERVER PAGE ...: SERVER publishes, each PAGE is where a page is served from. One line of JSON for each attempt.

import { inChromium } from "./chromium.mjs";

const [server, ...origins] = process.argv.slice(2);

// The ways of a page to send a POST. Each resolves when the answer is there; what the page may see of it is another matter.
const fetches = {
  "fetch": {},
  "fetch with cookies": { credentials: "include" },
  "fetch no-cors": { mode: "no-cors" },
  "fetch no-cors, with cookies": { mode: "no-cors", credentials: "include" },
};

// By the time it is resolved or rejected the server has answered.
function byFetch(page, url, options, text) {
  return page.evaluate(([where, how, body]) => fetch(where, { method: "POST", body, ...how }).then(() => {}, () => {}),
                       [url, options, text]);
}

// A form of type text/plain can send any text. It navigates its frame to the response, which is the second document there.
function byForm(page, url, text, sandbox) {
  return page.evaluate(([where, body, inSandbox]) => new Promise((resolve) => {
    const frame = document.createElement("iframe");
    let documents = 0;
    frame.addEventListener("load", () => { if (++documents === 2) resolve(); });
    if (inSandbox) frame.sandbox = "allow-scripts allow-forms";
    frame.srcdoc = `<form method="post" enctype="text/plain" action="${where}"><input name="${body}"></form>
                    <script>onload = () => setTimeout(() => document.forms[0].submit())</script>`;
    document.body.append(frame);
  }), [url, text, sandbox]);
}

await inChromium(async (context) => {
  let number = 0;
  for (const origin of origins) {
    const page = await context.newPage();
    await page.goto(`${origin}/page`);
    for (const target of ["/pub", "/listed"]) {
      const attempt = async (how, act) => {
        const url = `${server}${target}?attempt=${++number}`;
        console.log(JSON.stringify({ number, origin, target, how }));
        await act(url, `attempt ${number}`);
      };
      for (const [how, options] of Object.entries(fetches)) {
        await attempt(how, (url, text) => byFetch(page, url, options, text));
      }
      await attempt("form", (url, text) => byForm(page, url, text, false));
      await attempt("form in a sandbox", (url, text) => byForm(page, url, text, true));
    }
    await page.close();
  }
}, { args: ["--host-resolver-rules=MAP *.test 127.0.0.1"] });
