// Starts an application at work, the dashboard of its file, and Chromium. Used by `dashboard.mjs` and `paint.mjs`.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

// Calls `use` with a browser and the URL of the dashboard. `programs` is the folder of `tracker` and `examples/sample`.
export async function application(programs, tasks, use) {
  const folder = mkdtempSync(join(tmpdir(), "tracker-browser-"));
  const children = [];
  // Starts a program and returns its first line.
  const start = async (program, ...args) => {
    const path = join(resolve(programs), program);
    const child = spawn(path, args, { cwd: folder, stdio: ["ignore", "pipe", "inherit"] });
    children.push(child);
    for await (const line of createInterface({ input: child.stdout })) return line;
    throw new Error(`${program} has ended without a line`);
  };
  let browser;
  try {
    await start("examples/sample", "jobs.redb", String(tasks));
    const { url } = JSON.parse(await start("tracker", "serve", "jobs.redb", "--write", "--json"));
    browser = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    });
    await use({ browser, url });
  } finally {
    await browser?.close();
    for (const child of children) child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  }
}
