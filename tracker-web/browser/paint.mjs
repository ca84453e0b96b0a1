// Measures the time to the first contentful paint of each page, five times each, beside an application at work. Arguments: the folder of
// the programs, the number of tasks.

import { application } from "./application.mjs";

const PAGES = {
  kinds: "kinds",
  tasks: "tasks?kind=download",
  "tasks by status": "tasks?kind=download&status=50",
  "tasks by index": "tasks?kind=download&index=host&value=images.example.org",
  "tasks by text": "tasks?kind=download&text=nowhere",
  task: "task?kind=download&id=text:https://images.example.org/0000000.tar.gz",
  "large payload": "task?kind=thumbnail&id=int:2000000",
  errors: "errors",
  batches: "batches",
  batch: "batch?label=catalogue",
  schedules: "schedules",
  workers: "workers",
  health: "health",
};

await application(process.argv[2], Number(process.argv[3] ?? 1_000_000), async ({ browser, url }) => {
  const base = new URL(url).origin;
  const page = await browser.newPage();
  await page.goto(url);
  console.log("| page | first paint, ms: median (maximum) | bytes |\n|---|---|---|");
  for (const [name, path] of Object.entries(PAGES)) {
    const times = [];
    let bytes = 0;
    for (let round = 0; round < 5; round += 1) {
      await page.goto(`${base}/${path}`);
      const paint = () => performance.getEntriesByName("first-contentful-paint")[0]?.startTime;
      await page.waitForFunction(paint);
      times.push(await page.evaluate(paint));
      bytes = await page.evaluate(() => performance.getEntriesByType("navigation")[0].encodedBodySize);
    }
    times.sort((one, other) => one - other);
    console.log(`| ${name} | ${times[2].toFixed(0)} (${times[4].toFixed(0)}) | ${bytes} |`);
  }
});
