"""Texts with columns in them: each ``{{column}}`` becomes the row's value, which is escaped and so never markup.

Mentions, links and formats come from the template. Source: docs.slack.dev, Formatting message text, read 2026-11.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset.text import as_text
from reverse_etl.destinations._http.json_text import joined, quoted

if TYPE_CHECKING:
    from reverse_etl.destinations._http.json_text import Text

_PLACE: Final = re.compile(r"\{\{\s*(.*?)\s*\}\}", re.DOTALL)
_ADDRESSES: Final = frozenset({"url", "image_url"})
"""Texts of a block in which nothing is markup, so that an escaped ``&`` would be another address."""

Where = tuple[str | int, ...]


def columns_of(text: str) -> tuple[str, ...]:
    """The columns that a text names, in order, each once."""
    return tuple(dict.fromkeys(_PLACE.findall(text)))


def problem_of(text: str) -> str:
    """What is wrong with a text as a template; empty for nothing."""
    if "" in columns_of(text):
        return "`{{}}` names no column"
    rest = _PLACE.sub("", text)
    if "{{" in rest:
        return "`{{` is not closed: a column is written {{name}}"
    return "`}}` closes nothing: a column is written {{name}}" if "}}" in rest else ""


def filled(text: str, batch: pa.RecordBatch, *, escaped: bool = True) -> pa.StringArray:
    """The text of each row; NULL is written as nothing. As long as the batch.

    Raises:
        KeyError: The batch lacks a column.
    """
    if not columns_of(text):
        return pa.array([text] * batch.num_rows, pa.string())
    literals_and_names = _PLACE.split(text)
    pieces: list[Text | str] = []
    for place, piece in enumerate(literals_and_names):
        if place % 2:
            value = value_text(batch, piece)
            pieces.append(escape(value) if escaped else value)
        elif piece:
            pieces.append(piece)
    return joined(*pieces)


def value_text(batch: pa.RecordBatch, name: str) -> pa.StringArray:
    """The values of a column as people read them; a date-time as ``2026-01-05 01:30 UTC``, NULL as nothing."""
    column, field = batch.column(name), batch.schema.field(name)
    if pa.types.is_timestamp(column.type):
        zoned = column if column.type.tz else pc.assume_timezone(column, "UTC")
        written = pc.strftime(pc.cast(zoned, pa.timestamp("s", "UTC"), safe=False), format="%Y-%m-%d %H:%M UTC")
    else:
        written = as_text(column, field)
    return pc.fill_null(pc.cast(written, pa.string()), "")


def escape(texts: pa.StringArray) -> pa.StringArray:
    """Texts in which Slack finds no mention, link or channel."""
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        texts = pc.replace_substring(texts, character, entity)
    return texts


def leaves(value: Any, where: Where = ()) -> Iterator[tuple[Where, str]]:
    """Every text in a structure, with the keys that lead to it."""
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, dict):
        for key, held in value.items():
            yield from leaves(held, (*where, key))
    elif isinstance(value, (list, tuple)):
        for place, held in enumerate(value):
            yield from leaves(held, (*where, place))


def filled_json(value: Any, batch: pa.RecordBatch, key: str = "") -> Iterator[Text | str]:
    """The pieces of a structure as JSON, each text in it filled; to be joined."""
    if isinstance(value, str):
        yield quoted(filled(value, batch, escaped=key not in _ADDRESSES))
    elif isinstance(value, dict):
        before = "{"
        for name, held in value.items():
            yield f"{before}{quoted(pa.array([str(name)]))[0].as_py()}:"
            yield from filled_json(held, batch, str(name))
            before = ","
        yield "}" if value else "{}"
    elif isinstance(value, (list, tuple)):
        before = "["
        for held in value:
            yield before
            yield from filled_json(held, batch, key)
            before = ","
        yield "]" if value else "[]"
    else:
        yield "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
