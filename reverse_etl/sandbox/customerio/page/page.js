// The page's behaviour: six lists read page by page from /_sandbox, and one place for details.
// Everything shown was sent by somebody, so it only ever becomes text, never markup.

import { views } from "/views.js";
import { ago, element, readList, readOne, whole } from "/parts.js";

const PAGE_ROWS = 50;
const COUNTS_EVERY_MS = 1000;
const found = (id) => document.getElementById(id);

const shown = { view: "people", offset: 0, search: "", refused: false, segment: null, open: null };
let total = 0;
let lastCounts = "";
let latest = 0;

function drawTabs(counts) {
  for (const [name, view] of Object.entries(views)) {
    let tab = found(`tab-${name}`);
    if (!tab) {
      tab = element("button", { id: `tab-${name}`, class: "tab", type: "button", role: "tab", "aria-controls": "panel" }, [
        element("span", { class: "name" }, view.title),
        element("span", { class: "number" }, [element("span", { id: `count-${name}` }, "0"), element("span", { class: "note", id: `note-${name}` })]),
      ]);
      tab.addEventListener("click", () => go(name));
      found("tabs").append(tab);
    }
    const selected = name === shown.view;
    tab.setAttribute("aria-selected", String(selected));
    tab.tabIndex = selected ? 0 : -1;
    if (counts) found(`count-${name}`).textContent = whole(counts[name]);
  }
  if (counts) found("note-activities").textContent = counts.refused_activities ? `${whole(counts.refused_activities)} refused` : "";
}

async function refreshCounts() {
  try {
    const counts = await readOne("/_sandbox/counts");
    found("workspace-name").textContent = counts.workspace;
    document.title = `${counts.workspace} · sandbox workspace`;
    found("live").textContent = location.host;
    found("live").className = "live on";
    found("faults").hidden = !counts.faults;
    found("faults").textContent = `${counts.faults} ${counts.faults === 1 ? "fault" : "faults"} on order`;
    found("suppressed").hidden = !counts.suppressed;
    found("suppressed").textContent = `${whole(counts.suppressed)} suppressed`;
    drawTabs(counts);
    const text = JSON.stringify(counts);
    if (text !== lastCounts) {
      lastCounts = text;
      await refreshTable();
    }
  } catch {
    found("live").textContent = "no answer";
    found("live").className = "live off";
    lastCounts = "";
  }
}

async function refreshTable() {
  const view = views[shown.view];
  const asked = { limit: PAGE_ROWS, offset: shown.offset, ...view.asks };
  if (shown.search) asked.search = shown.search;
  if (view.canRefuse && shown.refused) asked.refused = 1;
  if (view.bySegment && shown.segment) asked.segment = shown.segment.id;
  const mine = ++latest;
  const list = await readList(view.path, asked);
  if (mine !== latest) return;
  total = list.total;
  drawTable(view, list.rows);
}

function drawTable(view, rows) {
  const columns = view.columns(rows);
  const head = element("tr", {}, columns.map((column) => element("th", { scope: "col", class: column.class?.includes("number-cell") ? "number-cell" : "" }, column.title)));
  const body = rows.map((row) => {
    const line = element("tr", {}, columns.map((column) => {
      const content = column.show(row);
      const cell = element("td", { class: column.class ?? "" }, content);
      if (typeof content === "string") cell.title = content;
      return cell;
    }));
    if (view.open) {
      const key = view.key(row);
      line.className = "opens";
      line.tabIndex = 0;
      line.dataset.key = key;
      line.setAttribute("aria-current", String(key === shown.open));
      line.addEventListener("click", () => go(shown.view, key));
      line.addEventListener("keydown", (event) => event.key === "Enter" && go(shown.view, key));
    }
    return line;
  });
  const focused = document.activeElement?.dataset?.key;
  found("table").tHead.replaceChildren(head);
  found("table").tBodies[0].replaceChildren(...body);
  if (focused) body.find((line) => line.dataset.key === focused)?.focus();
  found("table").hidden = rows.length === 0;
  found("empty").hidden = rows.length > 0;
  found("empty").textContent = shown.search || shown.refused || shown.segment ? "Nothing matches." : view.empty;
  const last = shown.offset + rows.length;
  found("range").textContent = rows.length ? `${whole(shown.offset + 1)}–${whole(last)} of ${whole(total)}` : "";
  found("previous").disabled = shown.offset === 0;
  found("next").disabled = last >= total;
}

async function drawDetails() {
  const view = views[shown.view];
  const details = found("details");
  if (!shown.open || !view.open) {
    details.hidden = true;
    return;
  }
  const key = shown.open;
  const content = await view.open(key, showSegment).catch(() => null);
  if (key !== shown.open) return;
  if (!content) return go(shown.view);
  found("details-kind").textContent = content.kind;
  found("details-title").textContent = content.title;
  found("details-subtitle").textContent = content.subtitle;
  found("details-body").replaceChildren(...content.parts);
  details.hidden = false;
}

function showSegment(segment) {
  shown.segment = segment;
  if (shown.view === "people" && !shown.open) return arrive();
  go("people");
}

function go(view, key) {
  location.hash = key ? `/${view}/${encodeURIComponent(key)}` : `/${view}`;
}

async function arrive() {
  const [, view = "people", key] = location.hash.split("/");
  const known = Object.hasOwn(views, view) ? view : "people";
  if (known !== shown.view) Object.assign(shown, { view: known, offset: 0, search: "", refused: false, segment: known === "people" ? shown.segment : null });
  shown.open = key ? decodeURIComponent(key) : null;
  const active = views[shown.view];
  drawTabs();
  found("panel").setAttribute("aria-labelledby", `tab-${shown.view}`);
  found("search").value = shown.search;
  found("search").placeholder = `Search ${active.title.toLowerCase()}`;
  found("refused-only").hidden = !active.canRefuse;
  found("refused").checked = shown.refused;
  found("leave-segment").hidden = !(active.bySegment && shown.segment);
  found("leave-segment").textContent = shown.segment ? `In ${shown.segment.name}  ✕` : "";
  await Promise.all([refreshTable(), drawDetails()]).catch(() => {});
}

function restart(change) {
  Object.assign(shown, change, { offset: 0 });
  arrive();
}

found("search").addEventListener("input", (event) => {
  Object.assign(shown, { search: event.target.value, offset: 0 });
  refreshTable().catch(() => {});
});
found("refused").addEventListener("change", (event) => restart({ refused: event.target.checked }));
found("leave-segment").addEventListener("click", () => restart({ segment: null }));
for (const [id, step] of [["previous", -PAGE_ROWS], ["next", PAGE_ROWS]]) {
  found(id).addEventListener("click", () => {
    shown.offset = Math.max(0, shown.offset + step);
    refreshTable().catch(() => {});
  });
}
found("close").addEventListener("click", () => go(shown.view));
document.addEventListener("keydown", (event) => event.key === "Escape" && shown.open && go(shown.view));
found("tabs").addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const names = Object.keys(views);
  const name = names[(names.indexOf(shown.view) + step + names.length) % names.length];
  go(name);
  found(`tab-${name}`).focus();
});
window.addEventListener("hashchange", arrive);

drawTabs();
await arrive();
await refreshCounts();
setInterval(() => !document.hidden && refreshCounts(), COUNTS_EVERY_MS);
setInterval(() => document.querySelectorAll("time").forEach((at) => { at.textContent = ago(Number(at.dataset.at)); }), 5000);
