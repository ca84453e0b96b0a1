// Keeps a page up to date: after each change of the file it loads the page again and replaces the parts marked data-live.
"use strict";

// A part is left alone while it is used: a marked task or a field with the focus would be lost.
function isUsed(part) {
  const focused = document.activeElement;
  return (
    part.querySelector("input:checked, details[open]") !== null ||
    (part.contains(focused) && focused.matches("input, select, textarea, summary"))
  );
}

async function update() {
  const response = await fetch(location.href, { redirect: "manual" });
  if (!response.ok) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const part of document.querySelectorAll("[data-live]")) {
    const other = fresh.getElementById(part.id);
    if (other === null || isUsed(part) || part.innerHTML === other.innerHTML) continue;
    const link = part.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    part.replaceChildren(...other.childNodes);
    // The focus stays on the same link.
    if (link !== null) part.querySelector(`a[href="${CSS.escape(link)}"]`)?.focus();
  }
}

let running = false;
let waiting = false;
async function changed() {
  if (document.hidden || running) {
    waiting = true;
    return;
  }
  running = true;
  waiting = false;
  try {
    await update();
  } catch {
    // The next change tries again.
  }
  running = false;
  if (waiting) changed();
}

const events = new EventSource("events");
events.addEventListener("change", changed);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && waiting) changed();
});
