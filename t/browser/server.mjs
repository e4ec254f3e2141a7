// The demo as a child process, and the two ways to publish to it.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { request } from "node:http";
import { createServer } from "node:net";
import { createInterface } from "node:readline";

export async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

// One request on a connection of its own: during a reload a kept one may just be closing.
function exchange(url, method, body = "", headers = {}) {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method, headers, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part) => { text += part; });
      response.on("end", () => resolve({ status: response.statusCode, text })).on("error", reject);
    });
    outgoing.on("error", reject).end(body);
  });
}

export const post = (url, body, headers) => exchange(url, "POST", body, headers);

// Pipes lines through `curl -T -`, as the page tells its reader to do.
export async function ingest(url, lines) {
  const curl = spawn("curl", ["-sS", "-w", "\n%{http_code}", "-T", "-", url], { stdio: ["pipe", "pipe", "inherit"] });
  let output = "";
  curl.stdout.on("data", (part) => { output += part; });
  curl.stdin.on("error", () => {}); // an early answer is seen by its status
  curl.stdin.end(lines.map((line) => `${line}\n`).join(""));
  await once(curl, "close");
  const [body, status] = output.trimEnd().split(/\n(?=[^\n]*$)/);
  return { status: Number(status), json: JSON.parse(body) };
}

const parentOf = (pid) => Number(readFileSync(`/proc/${pid}/stat`, "utf8").replace(/.*\) \S+ /s, "").split(" ")[0]);

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

export class Demo {
  // Starts `./build.sh run` and waits for its address.
  static async start(port, temporary) {
    const demo = new Demo();
    demo.base = `http://127.0.0.1:${port}/`;
    demo.output = [];
    demo.errors = "";
    demo.child = spawn("./build.sh", ["run"], {
      env: { ...process.env, SSE_PORT: String(port), TMPDIR: temporary },
      stdio: ["ignore", "pipe", "pipe"],
    });
    demo.child.stderr.on("data", (part) => { demo.errors += part; });
    demo.ended = once(demo.child, "close");
    const lines = createInterface({ input: demo.child.stdout });
    lines.on("line", (line) => demo.output.push(line));
    const first = await Promise.race([once(lines, "line"), demo.ended.then(() => null)]);
    if (!first) throw new Error(`./build.sh run has ended:\n${demo.errors}`);
    const { workers } = JSON.parse((await exchange(`${demo.base}status`, "GET")).text);
    demo.master = parentOf(workers[0].pid);
    demo.processes = [demo.master, ...workers.map(({ pid }) => pid)];
    return demo;
  }

  url(location) {
    return `${this.base}${location}?channel=log`;
  }

  reload() {
    process.kill(this.master, "SIGHUP");
  }

  // What Ctrl-C does; the exit status.
  async interrupt() {
    this.child.kill("SIGINT");
    const [status] = await this.ended;
    return status;
  }

  alive() {
    return this.processes.filter(isAlive);
  }

  complaints() {
    return this.errors.split("\n").filter((line) => line !== "");
  }
}
