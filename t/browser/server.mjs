// The demo as a child process, and the two ways to publish to it.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";

// Outside the range from which the kernel takes the ports of clients, which stay in use for a minute.
export async function freePort() {
  for (;;) {
    const server = createServer().listen(10_000 + Math.floor(Math.random() * 22_000), "127.0.0.1");
    try {
      await once(server, "listening");
    } catch {
      continue; // it is in use
    }
    const { port } = server.address();
    server.close();
    await once(server, "close");
    return port;
  }
}

// One request on its own connection: during a reload, a kept connection may just be closing.
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
    demo.temporary = temporary;
    demo.base = `http://127.0.0.1:${port}/`;
    demo.output = [];
    demo.errors = "";
    demo.child = spawn("./build.sh", ["run"], {
      env: { ...process.env, SSE_PORT: String(port), SSE_TLS_PORT: String(await freePort()), TMPDIR: temporary },
      stdio: ["ignore", "pipe", "pipe"],
    });
    demo.child.stderr.on("data", (part) => { demo.errors += part; });
    demo.ended = once(demo.child, "close");
    const lines = createInterface({ input: demo.child.stdout });
    lines.on("line", (line) => demo.output.push(line));
    const first = await Promise.race([once(lines, "line"), demo.ended.then(() => null)]);
    if (!first) throw new Error(`./build.sh run has ended:\n${demo.errors}`);
    try {
      await demo.look();
    } catch (error) {
      await demo.interrupt();
      throw new Error(`${error.message}; ./build.sh run said:\n${demo.output.join("\n")}\n${demo.errors}`);
    }
    return demo;
  }

  // Finds out which processes it consists of.
  async look() {
    const { workers } = JSON.parse((await exchange(`${this.base}status`, "GET")).text);
    this.master = parentOf(workers[0].pid);
    this.processes = [this.master, ...workers.filter(({ draining }) => !draining).map(({ pid }) => pid)];
  }

  // Shortens sse_drain and sse_retry: the same happens, but sooner.
  async hurry() {
    const old = this.processes;
    const [prefix] = readdirSync(this.temporary);
    const file = join(this.temporary, prefix, "nginx.conf");
    const text = readFileSync(file, "utf8");
    writeFileSync(file, text.replace("http {\n", "http {\n    sse_drain 300ms;\n    sse_retry 250ms 0%;\n"));
    this.reload();
    while (this.processes.length < old.length || this.processes.slice(1).some((pid) => old.includes(pid))) {
      await new Promise((passed) => setTimeout(passed, 20));
      await this.look().catch(() => {}); // the worker that is asked may just be leaving
    }
  }

  url(location) {
    return `${this.base}${location}?channel=log`;
  }

  reload() {
    process.kill(this.master, "SIGHUP");
  }

  // Does what Ctrl-C does; returns the exit status.
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
