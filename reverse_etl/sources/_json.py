"""Values as JSON text without losing a digit. Which columns become JSON is decided in ``_arrow`` and ``_values``."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.sources.base import NOT_JSON

UNSENDABLE: Final = object()
"""Stands inside a value for something that JSON cannot hold; ``dump`` then gives ``NOT_JSON``."""

_EXACT_INTEGER: Final = 2.0**53
"""A float below this size that is whole is that integer; beyond, its digits only distinguish it from other floats."""
_INT64: Final = range(-(2**63), 2**63)
_BARE_NUMBER: Final = r"\b(NaN|Infinity)\b"


def dump(value: Any) -> str:
    """One value as JSON text: plain Python values, ``orjson.Fragment`` for digits and JSON that is ready."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        return NOT_JSON


def digits(value: float | Decimal) -> str:
    """A number in JSON number syntax with all its digits; ``NaN``, ``Infinity`` or ``-Infinity``.

    A whole float is written as Arrow casts one to text, ``42``, so that it is the same in a column of floats alone.
    """
    if isinstance(value, Decimal):
        return format(value, "f") if not value.is_snan() else "NaN"
    if isinstance(value, int):
        return str(value)
    if math.isfinite(value):
        return str(int(value)) if value.is_integer() and abs(value) < _EXACT_INTEGER else repr(value)
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def plain(value: Any) -> Any:
    """A driver's Python value as one that ``dump`` takes, to any depth. Date-times become ISO 8601 text."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        return value if value in _INT64 else orjson.Fragment(str(value).encode())
    if isinstance(value, float):
        return value if math.isfinite(value) else UNSENDABLE
    if isinstance(value, Decimal):
        return orjson.Fragment(digits(value).encode()) if value.is_finite() else UNSENDABLE
    if isinstance(value, Mapping):
        return named((plain(key), plain(item)) for key, item in value.items())
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, bytes | bytearray | memoryview):
        return UNSENDABLE
    return value.isoformat() if isinstance(value, datetime | date | time) else str(value)


def named(pairs: Iterable[tuple[Any, Any]]) -> Any:
    """An object for ``dump`` of names and values that it takes; ``UNSENDABLE`` where a name is.

    A name that is no text is spelled as the value would be: ``1.50``, ``true``.
    """
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name is UNSENDABLE:
            return UNSENDABLE
        found[name if isinstance(name, str) else dump(name)] = value
    return found


def checked(column: pa.StringArray) -> pa.StringArray:
    """An engine's own JSON text, with ``NOT_JSON`` where it wrote a bare ``NaN`` or ``Infinity``; nulls kept."""
    suspects = pc.match_substring_regex(column, _BARE_NUMBER)
    if not pc.any(suspects).as_py():
        return column
    texts = [
        text if text is None or re.search(_BARE_NUMBER, text) is None or _parses(text) else NOT_JSON
        for text in column.to_pylist()
    ]
    return pa.array(texts, pa.string())


def _parses(text: str) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True
