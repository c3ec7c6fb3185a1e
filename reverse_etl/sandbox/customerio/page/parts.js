// Reading from the server, and the small pieces every list and detail is made of.

const numbers = new Intl.NumberFormat("en-US");

export const whole = (number) => numbers.format(number ?? 0);

export async function readOne(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return exact(await answer.text());
}

// A number whose digits the browser cannot hold is shown as it was sent.
const exact = (json) => JSON.parse(json, (_, value, context) =>
  (typeof value === "number" && context?.source?.length > 15 && String(value) !== context.source ? context.source : value));

export async function readList(path, asked) {
  const answer = await fetch(`${path}?${new URLSearchParams(asked)}`);
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return { rows: exact(await answer.text()), total: Number(answer.headers.get("x-total-count")) };
}

export function element(name, attributes = {}, content = []) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== "") made.setAttribute(key, value);
  made.append(...[content].flat());
  return made;
}

export const text = (value) => (value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value));

export const pill = (content, tone = "") => element("span", { class: `pill ${tone && `pill-${tone}`}` }, content);

export function ago(unixSeconds) {
  const passed = Date.now() / 1000 - unixSeconds;
  if (passed < -60 || passed > 86400) return new Date(unixSeconds * 1000).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
  if (passed < 5) return "just now";
  if (passed < 60) return `${Math.floor(passed / 5) * 5} s ago`;
  return passed < 3600 ? `${Math.floor(passed / 60)} min ago` : `${Math.floor(passed / 3600)} h ago`;
}

export const time = (unixSeconds) =>
  element("time", { "data-at": unixSeconds, datetime: isoTime(unixSeconds), title: isoTime(unixSeconds) }, ago(unixSeconds));

function isoTime(unixSeconds) {
  const at = new Date(unixSeconds * 1000);
  return Number.isNaN(at.getTime()) ? "" : at.toISOString();
}

export function facts(entries) {
  return element("dl", { class: "facts" }, entries.flatMap(([name, value]) => [
    element("dt", {}, name),
    element("dd", {}, value instanceof Node ? value : [text(value), ...date(name, value)]),
  ]));
}

// Unix seconds are for machines: where a name says that a number is a time, people see the day beside it.
function date(name, value) {
  if (!/(_at|_on|_time|_date|timestamp)$/.test(name) || !Number.isInteger(value) || value < 1e8 || value > 1e10) return [];
  return [element("span", { class: "faint" }, new Date(value * 1000).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" }))];
}

export function section(title, count, content) {
  const heading = element("h3", {}, [title, ...(count === null ? [] : [element("span", { class: "count" }, whole(count))])]);
  return [heading, count === 0 ? element("p", { class: "none" }, "None") : content];
}

export const attributes = (held) => {
  const entries = Object.entries(held).sort(([one], [other]) => one.localeCompare(other));
  return section("Attributes", entries.length, facts(entries));
};

export const summary = (held) => Object.entries(held).map(([name, value]) => `${name}: ${text(value)}`).join("  ·  ");

export const cards = (rows) =>
  element("ul", { class: "cards" }, rows.map(({ title, aside, more }) =>
    element("li", {}, [
      element("div", { class: "row" }, [element("span", { class: "strong" }, title), element("span", { class: "faint" }, aside ?? "")]),
      ...(more ? [element("div", { class: "more" }, more)] : []),
    ])));

// The attributes that most rows of a page have, as columns of their own.
export function attributeColumns(rows, most) {
  const counts = new Map();
  for (const row of rows) for (const name of Object.keys(row.attributes)) counts.set(name, (counts.get(name) ?? 0) + 1);
  const names = [...counts].sort((one, other) => other[1] - one[1]).slice(0, most).map(([name]) => name);
  const columns = names.map((name) => ({ title: name, show: (row) => text(row.attributes[name]) }));
  const others = (row) => Object.keys(row.attributes).filter((name) => !names.includes(name)).length;
  if (rows.some(others)) columns.push({ title: "", class: "faint number-cell", show: (row) => (others(row) ? `+${others(row)}` : "") });
  return columns;
}
