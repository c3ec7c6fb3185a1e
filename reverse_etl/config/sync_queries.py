"""A sync's queries held against what the sync needs of them: as far as their text tells, before a database is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reverse_etl.config.api_words import API_WORDS
from reverse_etl.config.checks import CheckConfig
from reverse_etl.config.dialect import UNKNOWN, Dialect
from reverse_etl.config.document import Document
from reverse_etl.config.problems import Path, Problem, did_you_mean, key_text, problem_at, problem_in_text
from reverse_etl.config.row_choice import advice, left_out_by
from reverse_etl.config.sql_text import PLACEHOLDER, swallowed_from
from reverse_etl.config.statement import Column, read_statement, spelled
from reverse_etl.config.syncs import (
    KINDS,
    EventsConfig,
    PeopleConfig,
    RelationshipsConfig,
    SyncConfig,
    event_name_problem,
)

_ROWS: Path = ("query",)
_RELATIONSHIPS: Path = ("relationships", "query")
_LISTS: tuple[Path, ...] = tuple((key, "suppression_list", "query") for key in ("people", "events", "relationships"))


def query_problems(
    file: str,
    document: Document,
    dialect: Dialect | None,
    checks: Mapping[Path, CheckConfig],
    *,
    problems: list[Problem],
    warnings: list[Problem],
) -> None:
    """Reads the sync's queries and adds what is wrong to ``problems``.

    Args:
        file: The sync's file as people are shown it.
        document: Its values, not validated: what is no query or no known word is passed over.
        dialect: The database's; None when it is not known, then columns are not looked at.
        checks: Whose columns must be there.
        problems: Grows.
        warnings: Grows by what could not be read.
    """
    columns: list[tuple[Column, ...] | None] = []
    events = _at(document.values, ("events",))
    for path in (_ROWS, _RELATIONSHIPS):
        sql = _at(document.values, path)
        if not isinstance(sql, str) or not sql.strip():
            columns.append(())
            continue
        if (swallowed := _swallowed(file, document, path, dialect)) is not None:
            problems.append(swallowed)
            columns.append(None)
            continue
        statement = read_statement(sql, dialect or UNKNOWN)
        wrong = (*statement.problems, *statement.unnamed)
        problems.extend(problem_in_text(file, document, path, line, text) for line, text in wrong)
        if dialect is None:
            columns.append(None)
            continue
        if statement.warning:
            warnings.append(problem_in_text(file, document, path, 1, statement.warning))
        if not statement.problems:
            warnings.extend(problem_in_text(file, document, path, line, text) for line, text in advice(sql, dialect))
        if path == _ROWS and isinstance(events, dict) and EventsConfig.as_meant(events).get("name") is None:
            problems.extend(
                problem_in_text(file, document, path, line, f"the text of column `name` {problem}")
                for line, text in statement.names
                if (problem := event_name_problem(text))
            )
        columns.append(statement.columns)
        if statement.columns is not None and not statement.problems:
            for needed in _needed(SyncConfig.as_meant(document.values), path):
                text = _missing(needed, statement.columns, dialect)
                if text:
                    problems.append(problem_in_text(file, document, path, 1, text))
    known = columns[0]
    kinds = [(kind, _ROWS, known) for kind in KINDS] + [("relationships", _RELATIONSHIPS, columns[1])]
    problems.extend(
        problem_in_text(file, document, path, 1, f"column `{word}` is a word of Customer.io's API: {way_out}")
        for kind, path, returned in kinds
        if isinstance(document.values.get(kind), dict)
        for word, way_out in API_WORDS[kind].items()
        if any(column.name == word for column in returned or ())
    )
    if known and isinstance(events, dict):
        _look_at_event_key(file, document, EventsConfig.as_meant(events), known, problems=problems, warnings=warnings)
    if known:
        problems.extend(
            problem_at(file, document, path, f"the query has no column {name!r}{_near(name, known)}")
            for path, check in checks.items()
            for name in _columns_of(check)
            if not any(_named(column, name) for column in known)
        )


def list_problems(
    file: str, document: Document, dialect: Dialect | None, *, problems: list[Problem], warnings: list[Problem]
) -> None:
    """Reads the query of the sync's suppression list; parameters are those of ``query_problems``."""
    for path in _LISTS:
        sql = _at(document.values, path)
        if not isinstance(sql, str) or not sql.strip():
            continue
        if (swallowed := _swallowed(file, document, path, dialect)) is not None:
            problems.append(swallowed)
            continue
        statement = read_statement(sql, dialect or UNKNOWN)
        problems.extend(problem_in_text(file, document, path, line, text) for line, text in statement.problems)
        if PLACEHOLDER.search(sql):
            text = "must return the whole list: leave {{last_sync_time}} out"
            problems.append(problem_in_text(file, document, path, 1, text))
        if dialect is not None and not statement.problems:
            # A clock may well say until when somebody is suppressed.
            for line, what in (place for place in left_out_by(sql, dialect) if place[1] != "the clock"):
                text = f"must return the whole list, and {what} decides which part of it comes: leave it out"
                problems.append(problem_in_text(file, document, path, line, text))
        if dialect is not None and statement.warning:
            warnings.append(problem_in_text(file, document, path, 1, statement.warning))
        known = None if dialect is None or statement.problems else statement.columns
        if known is not None and not any(_named(column, name) for column in known for name in ("id", "email")):
            text = "returns neither a column `id` nor `email`: select one, or rename one with AS"
            problems.append(problem_in_text(file, document, path, 1, text))


def _look_at_event_key(
    file: str,
    document: Document,
    events: dict[str, Any],
    known: tuple[Column, ...],
    *,
    problems: list[Problem],
    warnings: list[Problem],
) -> None:
    """The columns of ``event_key`` are there; without any and without an ``event_id``, one is recommended."""
    given = events.get("event_key")
    for name in given if isinstance(given, list) else ():
        if isinstance(name, str) and not any(_named(column, name) for column in known):
            text = f"the query has no column {name!r}{_near(name, known)}"
            problems.append(problem_at(file, document, ("events", "event_key"), text))
    if not given and not any(_named(column, "event_id") for column in known):
        text = (
            "returns no column `event_id`: two events of one person with the same name and time count as one; select "
            "what tells them apart `AS event_id`, or name columns in events.event_key"
        )
        warnings.append(problem_in_text(file, document, _ROWS, 1, text))


def _at(values: Any, path: Path) -> Any:
    for part in path:
        values = values.get(part) if isinstance(values, dict) else None
    return values


def _swallowed(file: str, document: Document, path: Path, dialect: Dialect | None) -> Problem | None:
    """A comment that runs on over the rest of the query, because YAML joined its lines."""
    place, sql = document.place.at(*path), str(_at(document.values, path))
    if place is None or place.joined is None:
        return None
    line = swallowed_from(sql, place.joined, dialect or UNKNOWN)
    if line is None:
        return None
    joined = {">": "after `>`", "": "of plain text"}.get(place.style, "between quotes")
    text = f"a comment hides the rest of the query: YAML joins lines {joined} into one; write `{path[-1]}: |`"
    return Problem(file, place.text_line + line - 1, key_text(path), text)


def _needed(values: dict[str, Any], path: Path) -> Iterator[str]:
    """Columns without which no row can be sent."""
    if path == _RELATIONSHIPS:
        yield from _identifier(RelationshipsConfig.as_meant(values["relationships"]))
        yield "object_id"
        return
    people, objects, events = (values.get(kind) for kind in KINDS)
    if isinstance(people, dict):
        yield from _identifier(PeopleConfig.as_meant(people))
    if isinstance(objects, dict):
        yield "object_id"
    if isinstance(events, dict):
        keys = EventsConfig.as_meant(events)
        yield from _identifier(keys)
        if keys.get("name") is None:
            yield "name"
        yield "occurred_at"


def _identifier(keys: dict[str, Any]) -> Iterator[str]:
    identifier = keys.get("identify_by", "id")
    if identifier in ("id", "email"):
        yield identifier


def _missing(needed: str, columns: tuple[Column, ...], dialect: Dialect) -> str:
    """A sentence when the column is certainly not there."""
    if any(_named(column, needed) for column in columns):
        return ""
    wanted = _quoted(needed, dialect)
    for column in columns:
        if column.name.lower() == needed:
            fix = f"{_quoted(column.name, dialect)} AS {wanted}"
            return f"returns `{column.name}`, but names are case-sensitive: write `{fix}`"
    near = did_you_mean(needed, [column.name for column in columns if len(column.name) > 3])
    if near:
        found = near.split("`")[1]
        return f"returns no column `{needed}`; did you mean `{_quoted(found, dialect)} AS {wanted}`?"
    also = "; or set events.name" if needed == "name" else ""
    return f"returns no column `{needed}`: select it, or rename one with `AS {wanted}`{also}"


def _named(column: Column, name: str) -> bool:
    return column.name == name or (not column.exact and column.name.lower() == name.lower())


def _quoted(name: str, dialect: Dialect) -> str:
    from sqlglot import exp

    plain = exp.to_identifier(name, quoted=False)
    changed = spelled(plain, dialect) != name or not name.isidentifier()
    return exp.to_identifier(name, quoted=changed).sql(dialect=dialect.name)


def _columns_of(check: CheckConfig) -> list[str]:
    one, several = getattr(check, "column", None), getattr(check, "columns", None)
    return [name for name in [one, *(several or ())] if isinstance(name, str)]


def _near(name: str, columns: tuple[Column, ...]) -> str:
    return did_you_mean(name, [column.name for column in columns], otherwise="it returns")
