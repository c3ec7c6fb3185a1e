"""What kind of values a column holds, as far as ``where`` and ``columns`` tell them apart."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Final, Literal

import pyarrow as pa

from reverse_etl.errors import ConfigError
from reverse_etl.sources.base import logical_type

ColumnKind = Literal["text", "integer", "float", "decimal", "boolean", "timestamp", "date", "json", "binary", "nothing"]

WORDS: Final = {
    "text": "text",
    "integer": "numbers",
    "float": "numbers",
    "decimal": "numbers",
    "boolean": "booleans",
    "timestamp": "date-times",
    "date": "dates",
    "json": "JSON",
    "binary": "bytes",
    "nothing": "no value",
}


def kind_of(field: pa.Field) -> ColumnKind:
    """The kind of a column in canonical types."""
    mark, kind = logical_type(field), field.type
    if mark == "decimal":
        return "decimal"
    if mark == "json":
        return "json"
    is_ = pa.types
    found: ColumnKind = "text"
    if is_.is_null(kind):
        found = "nothing"
    elif is_.is_boolean(kind):
        found = "boolean"
    elif is_.is_integer(kind):
        found = "integer"
    elif is_.is_floating(kind):
        found = "float"
    elif is_.is_timestamp(kind):
        found = "timestamp"
    elif is_.is_date(kind):
        found = "date"
    elif is_.is_binary(kind):
        found = "binary"
    return found


def missing_column(place: str, name: str, names: Sequence[str], *, of: str) -> ConfigError:
    """That a column is not there.

    Args:
        place: The key that names it.
        name: The column.
        names: Those that are there.
        of: What returns them: ``the query``.
    """
    near = difflib.get_close_matches(name, names, n=1)
    other_case = [each for each in names if each.casefold() == name.casefold()]
    meant = (other_case or near or [""])[0]
    hint = f"Did you mean `{meant}`?" if meant else f"It returns: {', '.join(names)}."
    return ConfigError(f"{place}: {of} returns no column `{name}`.", hint=hint)
