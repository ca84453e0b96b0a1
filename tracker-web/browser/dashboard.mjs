// Tests of the dashboard in Chromium, beside an application at work: reading, filtering, commands, live updates, accessibility and
// hostile text. Arguments: the folder of the programs `tracker` and `examples/sample`, and a folder for screenshots (optional).

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { application } from "./application.mjs";

const screenshots = process.argv[3];
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const tests = [];
const test = (name, run) => tests.push({ name, run });

// The texts of the first column of a list of tasks.
const ids = (page) => page.locator("tbody th").allInnerTexts();

test("the token leaves the URL, and another browser sees nothing", async ({ page, url, browser }) => {
  await page.goto(url);
  assert.match(page.url(), /\/kinds$/);
  const other = await browser.newPage();
  const response = await other.goto(page.url());
  assert.equal(response.status(), 403);
  await other.close();
});

test("a filter by status and a text leads to one task", async ({ page }) => {
  await page.getByRole("link", { name: "download", exact: true }).click();
  await page.getByLabel("Status").selectOption({ label: await page.locator("option", { hasText: "Exhausted" }).innerText() });
  await page.getByRole("button", { name: "Show" }).click();
  const listed = await ids(page);
  assert.equal(listed.length, 13);
  await page.getByLabel("Text in id or error").fill("0000040");
  await page.getByRole("button", { name: "Show" }).click();
  assert.deepEqual(await ids(page), ["https://archive.example.net/0000040.tar.gz"]);
  await page.locator("tbody th a").click();
  await page.getByText("404 not found").first().waitFor();
  assert.match(await page.locator(".why").innerText(), /Exhausted.*It was given up/s);
});

test("a command on one task is performed and shown", async ({ page }) => {
  await page.getByRole("button", { name: "Retry" }).click();
  await page.getByText("Requeued 1 task.").waitFor();
  await page.getByLabel("Priority").fill("9");
  await page.getByRole("button", { name: "Set priority" }).click();
  await page.getByText("Changed the priority of 1 task.").waitFor();
});

test("a command on all that match asks with the count", async ({ page, base }) => {
  await page.goto(`${base}/tasks?kind=download&status=50`);
  await page.getByLabel("All that match").check();
  await page.getByRole("button", { name: "Retry…" }).click();
  await page.getByRole("heading", { name: "Retry 12 tasks?" }).waitFor();
  await page.getByRole("link", { name: "Back, and change nothing" }).click();
  assert.equal((await ids(page)).length, 12);
  await page.getByLabel("All that match").check();
  await page.getByRole("button", { name: "Retry…" }).click();
  await page.getByRole("button", { name: "Retry 12 tasks" }).click();
  await page.getByText("Requeued 12 tasks.").waitFor();
  assert.equal((await ids(page)).length, 0);
});

test("selected tasks are cancelled by keyboard alone", async ({ page, base }) => {
  await page.goto(`${base}/tasks?kind=download&status=10&sort=latest-submit`);
  const boxes = page.locator("tbody input[type=checkbox]");
  for (const at of [0, 1]) {
    await boxes.nth(at).focus();
    await page.keyboard.press("Space");
  }
  await page.getByRole("button", { name: "Cancel…" }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Cancel 2 tasks?" }).waitFor();
  await page.getByRole("button", { name: "Cancel 2 tasks" }).focus();
  await page.keyboard.press("Enter");
  await page.getByText("Cancelled 2 tasks.").waitFor();
});

test("a page follows the application without a reload", async ({ page, base }) => {
  await page.goto(`${base}/workers`);
  await page.evaluate(() => (window.sameDocument = true));
  const text = () => page.locator("#workers").innerText();
  const before = await text();
  await page.waitForFunction((before) => document.querySelector("#workers").innerText !== before, before);
  assert.equal(await page.evaluate(() => window.sameDocument), true);
});

test("an update keeps selected tasks and typed text", async ({ page, base }) => {
  await page.goto(`${base}/tasks?kind=download&status=20`);
  await page.locator("tbody input[type=checkbox]").first().check();
  await page.getByLabel("Text in id or error").fill("half typed");
  await page.waitForResponse((response) => response.url().includes("/tasks?") && response.request().resourceType() === "fetch");
  assert.equal(await page.locator("tbody input[type=checkbox]:checked").count(), 1);
  assert.equal(await page.getByLabel("Text in id or error").inputValue(), "half typed");
});

test("a page is updated while the file does not change, and says if it cannot be", async ({ page, base }) => {
  await page.clock.install();
  await page.goto(`${base}/health`);
  const status = page.locator("#live [role=status]");
  const loads = [];
  page.on("request", (request) => request.url().endsWith("/health") && loads.push(request.url()));
  await page.context().setOffline(true);
  await page.clock.fastForward(20_000);
  await page.getByText(/^This page shows the state of .*: the program does not answer\.$/).waitFor();
  await page.context().setOffline(false);
  await page.clock.fastForward(20_000);
  await page.waitForFunction(() => document.querySelector("#live [role=status]").textContent === "");

  await page.getByRole("button", { name: "Pause updates" }).click();
  assert.match(await status.innerText(), /updates are paused\.$/);
  loads.length = 0;
  await page.clock.fastForward(60_000);
  assert.equal(loads.length, 0);
  const loaded = page.waitForRequest(/\/health$/);
  await page.getByRole("button", { name: "Resume updates" }).click();
  await loaded;
  assert.equal(await status.innerText(), "");
});

test("hostile text stays text", async ({ page, base }) => {
  page.on("dialog", () => assert.fail("a script of the file has run"));
  await page.goto(`${base}/tasks?kind=download&text=alert(1)`);
  await page.locator("tbody th a").first().click();
  assert.match(await page.locator("h1").innerText(), /<script>alert\(1\)<\/script>/);
  await page.getByText("<img src=x onerror=alert(1)>").first().waitFor();
  await page.getByRole("button", { name: "Retry" }).click();
  await page.getByText("Requeued 1 task.").waitFor();
});

test("a task is found by its id", async ({ page }) => {
  await page.getByLabel("Task id").fill("https://images.example.org/0000300.tar.gz");
  await page.getByRole("button", { name: "Find" }).click();
  await page.getByRole("heading", { name: "https://images.example.org/0000300.tar.gz" }).waitFor();
});

test("a large payload is cut and downloadable", async ({ page, base }) => {
  await page.goto(`${base}/task?kind=thumbnail&id=int:2000000`);
  await page.getByText("this is only the beginning").waitFor();
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("link", { name: "Download as JSON" }).click(),
  ]);
  assert.ok(readFileSync(await download.path()).length > 10 << 20);
});

test("a schedule runs now and shows its task", async ({ page, base }) => {
  await page.goto(`${base}/schedules`);
  const card = page.locator("section", { hasText: "cron 0 3 * * * (Europe/Berlin)" });
  await card.getByRole("button", { name: "Run now" }).click();
  await page.getByText("Submitted an occurrence of 1 schedule.").waitFor();
  await card.locator("li a").first().click();
  await page.getByText("Scheduled for").waitFor();
  await page.getByRole("heading", { name: /^nightly@/ }).waitFor();
});

test("a batch leads to its tasks and back", async ({ page, base }) => {
  await page.goto(`${base}/batches`);
  await page.getByRole("link", { name: "catalogue" }).click();
  await page.locator("tbody th a").first().click();
  await page.getByRole("link", { name: "catalogue" }).click();
  await page.getByRole("heading", { name: "catalogue" }).waitFor();
});

test("everything works without JavaScript", async ({ browser, url, base }) => {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(url);
  await page.goto(`${base}/tasks?kind=film`);
  await page.getByRole("button", { name: "Resume the kind" }).click();
  await page.getByRole("button", { name: "Resume 1 kind" }).click();
  await page.getByText("Resumed 1 kind.").waitFor();
  await context.close();
});

const PAGES = {
  kinds: "kinds",
  tasks: "tasks?kind=download",
  task: "task?kind=download&id=text:https://archive.example.net/0000007.tar.gz".replace("0000007", "0000067"),
  errors: "errors",
  batches: "batches",
  batch: "batch?label=catalogue",
  schedules: "schedules",
  workers: "workers",
  health: "health",
  missing: "nothing",
};

test("axe finds nothing in light, dark and on a phone", async ({ page, base }) => {
  for (const [form, scheme, size] of [
    ["light", "light", { width: 1200, height: 800 }],
    ["dark", "dark", { width: 1200, height: 800 }],
    ["phone", "light", { width: 375, height: 700 }],
  ]) {
    await page.setViewportSize(size);
    await page.emulateMedia({ colorScheme: scheme });
    for (const [name, path] of Object.entries(PAGES)) {
      await page.goto(`${base}/${path}`);
      // The policy of the page allows no foreign script; the one of the test goes in through the debugger.
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => window.axe.run());
      const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join("\n  ")}`);
      assert.deepEqual(found, [], `${name}, ${form}`);
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(width <= size.width, `${name}, ${form}: the page is ${width} px wide`);
      if (screenshots) await page.screenshot({ path: join(screenshots, `${name}-${form}.png`), fullPage: true });
    }
  }
});

test("a page loads nothing from other hosts and reports no error", async ({ page, base }) => {
  // The page of the test before does not exist, and its updates are errors.
  await page.goto("about:blank");
  const hosts = new Set();
  const errors = [];
  page.on("request", (request) => hosts.add(new URL(request.url()).host));
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(String(error)));
  for (const path of Object.values(PAGES).slice(0, -1)) await page.goto(`${base}/${path}`);
  assert.deepEqual([...hosts], [new URL(base).host]);
  assert.deepEqual(errors, []);
});

await application(process.argv[2], 1000, async ({ browser, url }) => {
  const base = new URL(url).origin;
  const page = await browser.newPage();
  page.setDefaultTimeout(20_000);
  for (const { name, run } of tests) {
    try {
      await run({ browser, page, url, base });
      console.log(`ok: ${name}`);
    } catch (error) {
      process.exitCode = 1;
      console.log(`FAILED: ${name}\n${error.stack}`);
      if (screenshots) await page.screenshot({ path: join(screenshots, `failed-${tests.findIndex((test) => test.name === name)}.png`) });
    }
  }
});
