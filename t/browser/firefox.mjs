// Firefox, driven by its own protocol, Marionette: messages of the form LENGTH:[0, number, command, parameters] over TCP. (Playwright
// cannot drive a Firefox that a distribution has built.)

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./server.mjs";

const TIMEOUT = 60_000; // only a failing test waits that long

// It sends nothing to the Internet by itself.
const PREFERENCES = {
  "app.normandy.enabled": false,
  "browser.shell.checkDefaultBrowser": false,
  "datareporting.policy.dataSubmissionEnabled": false,
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
  "network.dns.disableIPv6": true,
};

export class Firefox {
  #waiting = new Map(); // number of a command -> what its answer goes to
  #number = 0;
  #received = Buffer.alloc(0);

  static async start() {
    const firefox = new Firefox();
    const port = await freePort();
    firefox.profile = mkdtempSync(join(tmpdir(), "sse-browser-"));
    const preferences = Object.entries({ ...PREFERENCES, "marionette.port": port });
    writeFileSync(join(firefox.profile, "user.js"),
                  preferences.map(([name, value]) => `user_pref("${name}", ${value});\n`).join(""));
    const { DISPLAY, WAYLAND_DISPLAY, ...env } = process.env;
    firefox.child = spawn("firefox-esr", ["--headless", "--no-remote", "--marionette", "--profile", firefox.profile],
                          { env: { ...env, HOME: firefox.profile }, stdio: "ignore", detached: true });
    firefox.ended = once(firefox.child, "close");
    await firefox.#connect(port);
    await firefox.#order("WebDriver:NewSession", { acceptInsecureCerts: true }); // the certificate of the demo is its own
    return firefox;
  }

  async #connect(port) {
    for (const end = Date.now() + TIMEOUT; ;) {
      this.socket = connect(port, "127.0.0.1");
      try {
        await once(this.socket, "connect");
        break;
      } catch (error) {
        if (Date.now() > end || this.child.exitCode !== null) throw error;
        await new Promise((again) => setTimeout(again, 100));
      }
    }
    this.socket.on("data", (bytes) => this.#take(bytes)).on("error", () => {});
  }

  #take(bytes) {
    this.#received = Buffer.concat([this.#received, bytes]);
    for (let colon; (colon = this.#received.indexOf(":")) > 0;) {
      const end = colon + 1 + Number(this.#received.subarray(0, colon));
      if (this.#received.length < end) return;
      const message = JSON.parse(this.#received.subarray(colon + 1, end));
      this.#received = this.#received.subarray(end);
      if (!Array.isArray(message)) continue; // the greeting
      const [, number, error, result] = message;
      const { resolve, reject } = this.#waiting.get(number);
      this.#waiting.delete(number);
      if (error) reject(new Error(`${error.error}: ${error.message}`));
      else resolve(result);
    }
  }

  #order(command, parameters) {
    return new Promise((resolve, reject) => {
      const text = JSON.stringify([0, ++this.#number, command, parameters]);
      this.#waiting.set(this.#number, { resolve, reject });
      this.socket.write(`${Buffer.byteLength(text)}:${text}`);
    });
  }

  goto(url) {
    return this.#order("WebDriver:Navigate", { url });
  }

  // Calls a function in the page, and returns its result.
  async evaluate(script, ...args) {
    const { value } = await this.#order("WebDriver:ExecuteScript", { script: `return (${script})(...arguments)`, args });
    return value;
  }

  async waitFor(script, ...args) {
    for (const end = Date.now() + TIMEOUT; ;) {
      const value = await this.evaluate(script, ...args);
      if (value) return value;
      if (Date.now() > end) {
        const page = await this.evaluate(() => document.body.innerText);
        throw new Error(`waited in vain for ${script} of ${JSON.stringify(args)}, the page shows:\n${page}`);
      }
      await new Promise((again) => setTimeout(again, 50));
    }
  }

  click(selector) {
    return this.evaluate((wanted) => document.querySelector(wanted).click(), selector);
  }

  async close() {
    this.socket?.destroy();
    const patience = setTimeout(() => process.kill(-this.child.pid, "SIGKILL"), 5000);
    process.kill(-this.child.pid, "SIGTERM"); // with the processes that it has started
    await this.ended;
    clearTimeout(patience);
    rmSync(this.profile, { recursive: true, force: true, maxRetries: 10 });
  }
}
