"use strict";
// While something is in progress, what changes is shown without a reload: parts with an id are exchanged one by one,
// but not the one with the keyboard's focus. Without scripts a page shows the moment in which it was loaded.
const EVERY_MS = 3000;
const LONGEST_MS = 60000;

async function refresh() {
  const answer = await fetch(location.href, { headers: { accept: "text/html" } });
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const live = fresh.querySelector("main[data-live]") !== null;
  for (const part of document.querySelectorAll("main > [id]")) {
    const other = fresh.getElementById(part.id);
    const busy = part.contains(document.activeElement) || part.querySelector("details[open]") !== null;
    if (other !== null && !busy && part.outerHTML !== other.outerHTML) {
      part.replaceWith(document.adoptNode(other));
    }
  }
  return live;
}

async function follow() {
  let pause = EVERY_MS;
  let live = document.querySelector("main[data-live]") !== null;
  while (live) {
    await new Promise((resolve) => setTimeout(resolve, pause));
    if (document.hidden) {
      continue;
    }
    try {
      live = await refresh();
      pause = EVERY_MS;
    } catch {
      pause = Math.min(pause * 2, LONGEST_MS);
    }
  }
}

follow();
