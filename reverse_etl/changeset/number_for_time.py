"""Warnings of texts that a query compares with last sync time as it is, a number, where the database lets it.

Other databases refuse such a comparison. What is compared is looked at in the table's first values: a type alone does
not tell (SQLite keeps a text in a column of any type).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Final

from reverse_etl.config.dialect import DAY_IN_TEXT, NUMBER, TEXT, TEXT_WITH_T, Dialect
from reverse_etl.config.number_filters import number_filters
from reverse_etl.errors import SourceError

if TYPE_CHECKING:
    from reverse_etl.config.streams import Stream
    from reverse_etl.sources.base import Session

_PLACEHOLDER: Final = "{{last_sync_time}}"
_SHAPES: Final = (
    (re.compile(r"\d{4}-\d\d-\d\d"), DAY_IN_TEXT),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+]00(:?00)?)?"), TEXT),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+]00(:?00)?)?"), TEXT_WITH_T),
)


def kind_of(values: Sequence[object]) -> str:
    """What a column's values show: ``NUMBER``, or one of the ways to write a time as text, that of all of them.

    Returns:
        Empty where they show nothing, or different things.
    """
    kinds = {_kind(value) for value in values if value is not None}
    return kinds.pop() if len(kinds) == 1 else ""


def number_for_time(streams: Sequence[Stream], session: Session, dialect: Dialect) -> Iterator[tuple[Stream, int, str]]:
    """Each text that is compared with a number: the query, its line from 1, and a sentence with what to write.

    Args:
        streams: Whose queries are looked at.
        session: An open session; no query of it may be running.
        dialect: The session's.
    """
    if not dialect.compares_anything:
        return
    for stream in streams:
        for each in number_filters(stream.query, dialect):
            kind = kind_of(first_values(session, each.values))
            if kind in ("", NUMBER) or not (bound := dialect.bound(kind)):
                continue
            yield (
                stream,
                each.line,
                f"{each.compared} holds text and is compared with a number, which does not tell what changed: write "
                f"{bound.replace(_PLACEHOLDER, each.number)} in place of {each.number}",
            )


def first_values(session: Session, query: str, limit: int | None = None) -> list[object]:
    """The first column of a query's first rows; nothing where the database refuses it."""
    try:
        with closing(session.stream(query, limit=limit)) as batches:
            return [value for batch in batches for value in batch.column(0).to_pylist()]
    except SourceError:
        return []


def _kind(value: object) -> str:
    if isinstance(value, int | float):
        return NUMBER
    if isinstance(value, str):
        return next((kind for shape, kind in _SHAPES if shape.fullmatch(value)), "")
    return ""
