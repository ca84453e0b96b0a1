// Keeps a page up to date: after each change of the file, and at intervals because times pass, it loads the page again and replaces the
// parts marked data-live. A line at the end of the page says if this fails, and has a button that pauses it.
"use strict";

// Milliseconds between two updates of a file that does not change.
const INTERVAL = 20_000;

const line = document.getElementById("live");
const status = line.querySelector("[role=status]");
const button = line.querySelector("button");
line.hidden = false;

// A part is left alone while it is used: a marked task or a field with the focus would be lost.
function isUsed(part) {
  const focused = document.activeElement;
  return (
    part.querySelector("input:checked, details[open]") !== null ||
    (part.contains(focused) && focused.matches("input, select, textarea, summary"))
  );
}

// Updates the page. Returns the reason if that is not possible, otherwise null.
async function update() {
  const response = await fetch(location.href, { redirect: "manual" });
  if (response.status === 403) return "its URL is not valid any more: open the one that the program has printed";
  if (!response.ok) return "it has moved: load it again";
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const part of document.querySelectorAll("[data-live]")) {
    const other = fresh.getElementById(part.id);
    if (other === null || isUsed(part) || part.innerHTML === other.innerHTML) continue;
    const link = part.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    part.replaceChildren(...other.childNodes);
    // The focus stays on the same link.
    if (link !== null) part.querySelector(`a[href="${CSS.escape(link)}"]`)?.focus();
  }
  return null;
}

let updated = new Date();
let running = false;
let waiting = false;
let paused = false;

function show(problem) {
  const since = updated.toLocaleTimeString();
  status.textContent = problem === null ? "" : `This page shows the state of ${since}: ${problem}.`;
}

async function changed() {
  if (document.hidden || running || paused) {
    waiting = true;
    return;
  }
  running = true;
  waiting = false;
  const started = new Date();
  const problem = await update().catch(() => "the program does not answer");
  if (problem === null) updated = started;
  running = false;
  if (!paused) show(problem);
  if (waiting) changed();
}

button.addEventListener("click", () => {
  paused = !paused;
  button.textContent = paused ? "Resume updates" : "Pause updates";
  show(paused ? "updates are paused" : null);
  if (!paused) changed();
});

const events = new EventSource("events");
events.addEventListener("change", changed);
// The browser connects again by itself. Until then, each attempt updates the page.
events.addEventListener("error", changed);
setInterval(changed, INTERVAL);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && waiting) changed();
});
