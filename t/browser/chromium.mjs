// A Chromium for one test, with its own profile, and without downloads of its own.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const TIMEOUT = 60_000; // only a failing test waits that long
const ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
                   "--disable-component-update", "--disable-sync"];

// Calls use(context), and ends the browser. `args` are further arguments of Chromium, the other options those of playwright.
export async function inChromium(use, { args = [], ...options } = {}) {
  const profile = mkdtempSync(join(tmpdir(), "sse-browser-"));
  try {
    const context = await chromium.launchPersistentContext(profile, {
      executablePath: "/usr/bin/chromium",
      headless: true,
      args: [...ARGUMENTS, ...args],
      ...options,
    });
    context.setDefaultTimeout(TIMEOUT);
    try {
      return await use(context);
    } finally {
      await context.close();
    }
  } finally {
    rmSync(profile, { recursive: true, force: true });
  }
}
