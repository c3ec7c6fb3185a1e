"""What can be wrong with the file of a sync to Customer.io alone: lists, event keys, segments, API keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from reverse_etl.config.dialect import UNKNOWN
from reverse_etl.config.draft import Draft, has, near
from reverse_etl.config.gone_problems import look_at_gone
from reverse_etl.config.problems import Path
from reverse_etl.config.row_choice import left_out_by
from reverse_etl.config.sql_text import PLACEHOLDER, UNTIL, reads_changes
from reverse_etl.config.statement import read_statement
from reverse_etl.config.streams import ROWS, Stream
from reverse_etl.destinations.customerio.api_words import API_WORDS
from reverse_etl.destinations.customerio.sections import (
    EventsConfig,
    PeopleConfig,
    RelationshipsConfig,
    event_name_problem,
)
from reverse_etl.destinations.customerio.sync import KINDS

_ROWS: Final[Path] = ("query",)
_LISTS: Final[tuple[Path, ...]] = tuple(
    (key, "suppression_list", "query") for key in ("people", "events", "relationships")
)
_NAME_HINT: Final = {"name": "set events.name"}


def streams_of(values: Mapping[str, Any]) -> list[Stream]:
    """The streams as far as values tell that were not validated: columns that are certainly needed, words to avoid."""
    kinds = {kind: values[kind] for kind in KINDS if isinstance(values.get(kind), Mapping)}
    required: list[str] = []
    if "people" in kinds:
        required += _identifier(PeopleConfig.as_meant(kinds["people"]))
    if "objects" in kinds:
        required.append("object_id")
    if "events" in kinds:
        keys = EventsConfig.as_meant(kinds["events"])
        required += [*_identifier(keys), *(["name"] if keys.get("name") is None else []), "occurred_at"]
    reserved = {word: way_out for kind in kinds for word, way_out in API_WORDS[kind].items()}
    query = values.get("query")
    rows = Stream(
        ROWS,
        str(query or ""),
        required=tuple(required),
        reserved=reserved,
        hints=_NAME_HINT if "events" in kinds else {},
    )
    found = [rows]
    if isinstance(relationships := values.get("relationships"), Mapping):
        meant = RelationshipsConfig.as_meant(relationships)
        second = Stream(
            "relationships",
            str(meant.get("query") or ""),
            at=("relationships", "query"),
            required=(*_identifier(meant), "object_id"),
            reserved=API_WORDS["relationships"],
        )
        found.append(second)
    return found


def look_at(draft: Draft) -> None:
    """Adds what is wrong, and what is worth a look, once the queries were read."""
    _event_names(draft)
    _event_key(draft)
    _lists(draft)
    _mirror(draft)
    _object_types(draft)
    for section in ("people", "objects"):
        look_at_gone(draft, section)
    look_at_gone(draft, "relationships", ("relationships", "query"))
    _returned(draft)
    _log(draft)
    _app_key(draft)


def _identifier(keys: Mapping[str, Any]) -> list[str]:
    identifier = keys.get("identify_by", "id")
    return [identifier] if identifier in ("id", "email") else []


def _events(draft: Draft) -> dict[str, Any] | None:
    events = draft.at(("events",))
    return EventsConfig.as_meant(events) if isinstance(events, dict) else None


def _event_names(draft: Draft) -> None:
    """Names that are written in the query itself."""
    events = _events(draft)
    if events is None or events.get("name") is not None or _ROWS not in draft.columns:
        return
    for line, text in read_statement(str(draft.at(_ROWS)), draft.dialect or UNKNOWN).names:
        if problem := event_name_problem(text):
            draft.problem_in(_ROWS, line, f"the text of column `name` {problem}")


def _event_key(draft: Draft) -> None:
    """The columns of ``event_key`` are there; without any and without an ``event_id``, one is recommended."""
    events, known = _events(draft), draft.columns.get(_ROWS)
    if events is None or not known:
        return
    given = events.get("event_key")
    for name in given if isinstance(given, list) else ():
        if isinstance(name, str) and not has(known, name):
            draft.problem(("events", "event_key"), f"the query has no column `{name}`{near(name, known)}")
    if not given and not has(known, "event_id"):
        text = (
            "returns no column `event_id`: two events of one person with the same name and time count as one; select "
            "what tells them apart `AS event_id`, or name columns in events.event_key"
        )
        draft.warn_in(_ROWS, 1, text)


def _lists(draft: Draft) -> None:
    """The queries of suppression lists."""
    for path in _LISTS:
        statement = draft.statement(path)
        if statement is None:
            continue
        sql = str(draft.at(path))
        if reads_changes(sql):
            placeholder = "{{last_sync_time}}" if PLACEHOLDER.search(sql) else "{{changed: ...}}"
            draft.problem_in(path, 1, f"must return the whole list: leave {placeholder} out")
        elif UNTIL.search(sql):
            draft.problem_in(path, 1, "must return the whole list: leave {{until}} out")
        if draft.dialect is None:
            continue
        if statement.warning:
            draft.warn_in(path, 1, statement.warning)
        if statement.problems:
            continue
        # A clock may well decide until when a person is suppressed.
        for line, what in (place for place in left_out_by(sql, draft.dialect) if place[1] != "the clock"):
            text = f"must return the whole list, and {what} decides which part of it comes: leave it out"
            draft.problem_in(path, line, text)
        known = statement.columns
        if known is not None and not has(known, "id") and not has(known, "email"):
            draft.problem_in(path, 1, "returns neither a column `id` nor `email`: select one, or rename one with AS")


def _mirror(draft: Draft) -> None:
    """Only a query that returns everybody, every time, shows who is gone."""
    query = draft.at(_ROWS)
    if draft.at(("people", "segment", "mirror")) is not True or not isinstance(query, str):
        return
    if draft.at(("changes", "by")) == "log":
        text = "mirror needs every row in each run: leave it out, or `changes: {by: log}`"
        draft.problem(("people", "segment", "mirror"), text)
    if reads_changes(query):
        since = "{{last_sync_time}}" if PLACEHOLDER.search(query) else "the last run"
        draft.problem(
            ("people", "segment", "mirror"),
            f"the query returns only what changed since {since}, and people who did not change would leave "
            "the segment: leave the placeholder out of the query, or mirror out of the segment",
        )
    for line, what in left_out_by(query, draft.dialect or UNKNOWN):
        text = f"segment.mirror removes everyone whom the query leaves out, and {what} decides who that is: "
        text += "leave it out of the query, or mirror out of the segment"
        draft.problem_in(_ROWS, line, text)


def _object_types(draft: Draft) -> None:
    """Relationships that say nothing are to objects of type 1, also beside objects of another type."""
    objects, relationships = draft.at(("objects",)), draft.at(("relationships",))
    if not isinstance(objects, dict) or not isinstance(relationships, dict) or "object_type" in relationships:
        return
    kind = objects.get("object_type", 1)
    queries = [draft.columns.get(path) for path in (_ROWS, ("relationships", "query"))]
    if kind != 1 and not any(known and has(known, "object_type") for known in queries):
        text = f"are to objects of type 1, and these objects are of type {kind}: write `object_type: {kind}` here too"
        draft.warn(("relationships",), text)


def _returned(draft: Draft) -> None:
    """A person who was deleted and is back has their relationships sent again where both are named alike."""
    by, section = draft.at(("changes", "by")), draft.at(("relationships",))
    if by not in ("compare", "log") or draft.at(("people", "gone")) != "delete" or not isinstance(section, Mapping):
        return
    theirs, own = (
        str(model.as_meant(keys).get("identify_by", "id"))
        for model, keys in ((RelationshipsConfig, section), (PeopleConfig, draft.at(("people",))))
    )
    if theirs != own:
        draft.warn(
            ("relationships",),
            f"name people by {theirs}, and `people` by {own}: of a person who was deleted and is back, they are sent "
            f"again only once they change, or with --full; write `identify_by: {own}` to have them sent at once",
        )


def _log(draft: Draft) -> None:
    """The log names people whose events changed, not the events."""
    if draft.at(("changes", "by")) != "log":
        return
    if _events(draft) is not None:
        text = "all events of whoever has a new one would be sent again: compare their time with {{last_sync_time}}"
        draft.problem(("changes", "by"), text)


def _app_key(draft: Draft) -> None:
    """What the sync asks for that the workspace can only do with an App API key."""
    people = draft.at(("people",))
    if not isinstance(people, dict) or draft.entry is None or draft.entry.get("app_api_key") is not None:
        return
    workspace = draft.at(("workspace",)) or draft.at(("destination",))
    segment = people.get("segment")
    if isinstance(segment, dict) and segment.get("mirror") is True:
        text = f"mirror reads who is in the segment and needs app_api_key in workspace {workspace}"
        draft.problem(("people", "segment", "mirror"), text)
    if isinstance(segment, dict) and segment.get("name") is not None and segment.get("id") is None:
        path: Path = ("people", "segment", "name")
        draft.problem(path, f"finding a segment by name needs app_api_key in workspace {workspace}; or give its id")
    changes = draft.at(("changes",))
    if people.get("write") == "update_only" and isinstance(changes, dict) and changes.get("by") in ("compare", "log"):
        # Only reading back shows that such a person is not there, and was not changed.
        text = f"{changes['by']} with update_only needs app_api_key in workspace {workspace}, to see who was not there"
        draft.problem(("changes", "by"), text)
    if people.get("write") == "add_only":
        draft.problem(("people", "write"), f"add_only looks people up and needs app_api_key in workspace {workspace}")
