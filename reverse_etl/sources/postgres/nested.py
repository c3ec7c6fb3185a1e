"""Arrays and rows: what ``to_json`` makes of them, with each value inside as it would be in a column of its own.

Blanks that fill the width of char(n) are no part of a value. A number that JSON cannot hold and a time outside the
years 1 to 9999 (``to_json`` writes both as text) make the value ``NOT_JSON``. Rows without a named type (``ROW(...)``)
do not show what is inside them.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.sources._json import UNSENDABLE, dump
from reverse_etl.sources.postgres.types import Kind, Types

_PADDING: Final = r' \\?"'
_NOT_A_NUMBER: Final = r'"(NaN|-?Infinity)"'
_NOT_NUMBERS: Final = frozenset({"NaN", "Infinity", "-Infinity"})
_NO_TIME: Final = r'"-?infinity"|"\d{5,}-\d\d-\d\d[T"]| BC"'
"""``"20000-01-01"``, ``"0044-03-15T12:00:00 BC"``."""
_TIMES: Final = frozenset({Kind.DATE, Kind.WALL_CLOCK, Kind.INSTANT})
_NUMBERS: Final = frozenset({Kind.FLOAT, Kind.DECIMAL})
_PADDED: Final = frozenset({Kind.PADDED_TEXT, Kind.PADDED_RANGE})
_BOUND: Final = r' +"([,\])])'
"""The end of a range's bound that is quoted, as one with blanks is."""


def without_padding(ranges: pa.StringArray) -> pa.StringArray:
    """Ranges of char(n), their bounds without the blanks at their ends."""
    return pc.replace_substring_regex(ranges, pattern=_BOUND, replacement=r'"\1')


def mended(column: pa.StringArray, oid: int, types: Types) -> pa.StringArray:
    """A column of JSON as ``to_json`` wrote it; only values that may hold something odd are looked into.

    Args:
        column: The JSON; nulls kept.
        oid: The type of the column's values.
        types: What that is made of.
    """
    inside = types.kinds_in(oid)
    patterns = ((_PADDED, _PADDING), (_NUMBERS, _NOT_A_NUMBER), (_TIMES, _NO_TIME))
    odd = [pattern for kinds, pattern in patterns if inside & kinds]
    if not odd:
        return column
    suspects = pc.fill_null(pc.match_substring_regex(column, "|".join(odd)), False)
    if not pc.any(suspects).as_py():
        return column
    texts = [dump(_value(_parsed(text), oid, types)) for text in pc.filter(column, suspects).to_pylist()]
    return pc.replace_with_mask(column, suspects, pa.array(texts, pa.string()))


def _parsed(text: str) -> Any:
    """JSON with its numbers as they are written."""
    return json.loads(text, parse_float=_digits, parse_int=_digits)


def _digits(text: str) -> orjson.Fragment:
    return orjson.Fragment(text.encode())


def _value(value: Any, oid: int, types: Types) -> Any:
    oid = types.base(oid)
    if isinstance(value, list) and oid in types.elements:
        # Arrays of several dimensions are arrays in arrays, and of one type.
        element = types.elements[oid]
        is_array = types.base(element) in types.elements
        return [_value(item, oid if isinstance(item, list) and not is_array else element, types) for item in value]
    if isinstance(value, dict) and oid in types.rows:
        fields = types.rows[oid]
        return {name: _value(item, fields[name], types) if name in fields else item for name, item in value.items()}
    if not isinstance(value, str):
        return value
    kind = types.kind(oid)
    if kind is Kind.PADDED_TEXT:
        return value.rstrip(" ")
    if kind is Kind.PADDED_RANGE:
        return re.sub(_BOUND, r'"\1', value)
    if kind in _TIMES:
        return UNSENDABLE if re.search(_NO_TIME, f'"{value}"') else value
    return UNSENDABLE if kind in _NUMBERS and value in _NOT_NUMBERS else value
