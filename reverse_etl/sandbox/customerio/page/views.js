// The six lists: where each is read, its columns, and what opening a row shows.

import { attributeColumns, attributes, cards, element, facts, pill, readList, readOne, section, summary, text, time, whole } from "/parts.js";

const personName = (person) => person.id ?? person.email ?? person.cio_id ?? "";
const statusTone = (status) => (status === null || status >= 500 ? "bad" : status >= 400 || status === 207 ? "warn" : "good");
const isRefusal = (activity) => /failed|skipped/.test(activity.type);
const orDash = (value) => value ?? element("span", { class: "faint" }, "–");

async function openPerson(cioId, showSegment) {
  const person = await readOne(`/_sandbox/people/${encodeURIComponent(cioId)}`);
  const chips = person.segments.map((segment) => {
    const chip = element("button", { class: "filter", type: "button" }, segment.name);
    chip.addEventListener("click", () => showSegment(segment));
    return chip;
  });
  const relationships = person.relationships.map((held) => ({
    title: held.object_id, aside: held.object_type, more: summary(held.attributes),
  }));
  const events = person.events.map((event) => ({ title: event.name, aside: time(event.timestamp), more: summary(event.attributes) }));
  return {
    kind: "Person",
    title: personName(person),
    subtitle: person.id && person.email ? person.email : "",
    parts: [
      ...section("Identifiers", null, facts([["id", person.id], ["email", person.email], ["cio_id", person.cio_id]])),
      ...attributes(person.attributes),
      ...section("Relationships", relationships.length, cards(relationships)),
      ...section("Segments", chips.length, element("div", { class: "chips" }, chips)),
      ...section("Events", events.length, cards(events)),
    ],
  };
}

async function openObject(cioId) {
  const held = await readOne(`/_sandbox/objects/${encodeURIComponent(cioId)}`);
  const related = held.relationships.map(({ person, attributes: about }) => ({
    title: personName(person), aside: person.id ? person.email : "", more: summary(about),
  }));
  return {
    kind: held.object_type,
    title: text(held.attributes.name ?? held.object_id),
    subtitle: held.attributes.name ? held.object_id : "",
    parts: [...attributes(held.attributes), ...section("People", held.people, cards(related))],
  };
}

async function openSegment(id, showSegment) {
  const { rows } = await readList("/_sandbox/segments", { members: 0 });
  const segment = rows.find((each) => String(each.id) === id);
  const button = element("button", { class: "filter", type: "button" }, `Show its people (${whole(segment.count)})`);
  button.addEventListener("click", () => showSegment(segment));
  return {
    kind: "Segment",
    title: segment.name,
    subtitle: "",
    parts: [...section("Facts", null, facts([["id", segment.id], ["type", segment.type], ["people", whole(segment.count)]])), element("h3"), button],
  };
}

async function openRequest(number) {
  const { rows: [request] } = await readList("/_sandbox/requests", { offset: number - 1, limit: 1 });
  const body = request.body === null ? "" : typeof request.body === "string" ? request.body : JSON.stringify(request.body, null, 2);
  return {
    kind: "Request",
    title: `${request.method} ${request.path}`,
    subtitle: request.query,
    parts: [
      ...section("Facts", null, facts([
        ["status", request.status ?? "no answer"], ["items", whole(request.items)], ["bytes", whole(request.bytes)],
        ["duration", `${(request.duration_s * 1000).toFixed(1)} ms`], ["fault", request.fault || "none"], ["at", time(request.at)],
      ])),
      ...section("Body", null, body
        ? element("pre", {}, body.length > 200_000 ? `${body.slice(0, 200_000)}\n…` : body)
        : element("p", { class: "none" }, request.bytes ? "Bodies are kept when the sandbox is started with --keep-bodies." : "None")),
    ],
  };
}

export const views = {
  people: {
    title: "People", path: "/_sandbox/people", bySegment: true, key: (row) => row.cio_id, open: openPerson,
    empty: "Nobody yet. People appear here as soon as a sync sends them.",
    columns: (rows) => [
      { title: "id", class: "strong", show: (row) => orDash(row.id) },
      { title: "email", show: (row) => orDash(row.email) },
      ...attributeColumns(rows, 5),
      { title: "cio_id", class: "mono faint", show: (row) => row.cio_id },
    ],
  },
  objects: {
    title: "Objects", path: "/_sandbox/objects", key: (row) => row.cio_object_id, open: openObject,
    empty: "No objects yet.",
    columns: (rows) => [
      { title: "type", show: (row) => pill(row.object_type, "accent") },
      { title: "object_id", class: "strong", show: (row) => row.object_id },
      ...attributeColumns(rows, 5),
      { title: "people", class: "number-cell", show: (row) => whole(row.people) },
    ],
  },
  segments: {
    title: "Segments", path: "/_sandbox/segments", asks: { members: 0 }, key: (row) => String(row.id), open: openSegment,
    empty: "No segments yet.",
    columns: () => [
      { title: "id", class: "mono faint", show: (row) => String(row.id) },
      { title: "name", class: "strong", show: (row) => row.name },
      { title: "type", show: (row) => pill(row.type) },
      { title: "people", class: "number-cell", show: (row) => whole(row.count) },
    ],
  },
  events: {
    title: "Events", path: "/_sandbox/events", asks: { newest: 1 },
    empty: "No events yet.",
    columns: (rows) => [
      { title: "name", class: "strong", show: (row) => row.name },
      { title: "time", show: (row) => time(row.timestamp) },
      { title: "person", show: (row) => personName(row.person) },
      ...attributeColumns(rows, 4),
      { title: "id", class: "mono faint", show: (row) => orDash(row.id) },
    ],
  },
  activities: {
    title: "Activity", path: "/_sandbox/activities", asks: { newest: 1 }, canRefuse: true,
    empty: "Nothing has happened yet.",
    columns: () => [
      { title: "time", show: (row) => time(row.timestamp) },
      { title: "activity", show: (row) => pill(row.type, isRefusal(row) ? "bad" : "") },
      { title: "person or object", class: "strong", show: (row) => text(row.customer_id ?? row.customer_identifiers.object_id ?? row.data.object_id ?? row.customer_identifiers.email) },
      { title: "what", show: (row) => (isRefusal(row) ? [row.data.reason, row.data.field].filter(Boolean).join(" · ") : row.name || summary(row.data)) },
    ],
  },
  requests: {
    title: "Requests", path: "/_sandbox/requests", asks: { newest: 1, bodies: 0 }, key: (row) => String(row.number), open: openRequest,
    empty: "No requests yet.",
    columns: () => [
      { title: "time", show: (row) => time(row.at) },
      { title: "method", class: "mono", show: (row) => row.method },
      { title: "path", class: "mono", show: (row) => row.path },
      { title: "status", show: (row) => pill(row.status === null ? "no answer" : String(row.status), statusTone(row.status)) },
      { title: "items", class: "number-cell", show: (row) => whole(row.items) },
      { title: "bytes", class: "number-cell", show: (row) => whole(row.bytes) },
      { title: "ms", class: "number-cell", show: (row) => (row.duration_s * 1000).toFixed(1) },
      { title: "fault", class: "faint", show: (row) => row.fault },
    ],
  },
};
