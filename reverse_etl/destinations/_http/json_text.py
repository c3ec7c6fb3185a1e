"""Columns as JSON text, a column at a time. Which columns a row has, and what surrounds them, a destination knows.

Arrow's kernels write the JSON: about three times as fast as a dict and ``orjson.dumps`` per row. Only values that
need escaping, which few columns have, go through orjson.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset.text import as_text, unix_seconds
from reverse_etl.sources.base import logical_type

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Text: TypeAlias = "pa.StringArray | pa.StringScalar"

_TEXT = pa.string()
_NONE = pa.scalar(None, _TEXT)
_QUOTE = pa.scalar('"', _TEXT)
_NOTHING = pa.scalar("", _TEXT)
_ESCAPED = r'["\\\x00-\x1f]'
_NUMBER = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$"
_EMPTY_JSON = pa.array(["", "null", '""'], _TEXT)
_SECONDS_A_DAY = 86_400


def quoted(text: pa.StringArray) -> pa.StringArray:
    """Each text as a JSON string; null stays null."""
    if _may_need_escapes(text):
        wrong = pc.fill_null(pc.match_substring_regex(text, _ESCAPED), False)
        escaped = [orjson.dumps(value)[1:-1].decode() for value in pc.filter(text, wrong).to_pylist()]
        text = pc.replace_with_mask(text, wrong, pa.array(escaped, _TEXT))
    return pc.binary_join_element_wise(_QUOTE, text, _QUOTE, _NOTHING)


def json_text(column: pa.Array, field: pa.Field) -> pa.StringArray:
    """Each value as JSON text; as long as the column, null where the value is empty.

    Empty are NULL, ``''`` and, in JSON columns, ``null`` and ``""``. Booleans, integers and floats become JSON,
    decimals JSON numbers with all their digits, date-times and dates Unix seconds, JSON itself. What JSON has no
    word for, such as bytes and NaN, becomes text: the item stays valid whatever the checks let through.

    Args:
        column: A column in canonical types.
        field: Its field, whose mark distinguishes decimals and JSON from text.
    """
    kind = column.type
    if pa.types.is_string(kind):
        return _marked_text(column, logical_type(field))
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind):
        return pc.cast(column, _TEXT)
    if pa.types.is_floating(kind):
        return _unless(pc.is_finite(column), pc.cast(column, _TEXT), lambda: quoted(as_text(column, field)))
    if pa.types.is_timestamp(kind):
        return pc.cast(unix_seconds(column), _TEXT)
    if pa.types.is_date32(kind):
        return pc.cast(pc.multiply(pc.cast(pc.cast(column, pa.int32()), pa.int64()), _SECONDS_A_DAY), _TEXT)
    return quoted(_without_empty(as_text(column, field)))


def identifier_text(column: pa.Array, field: pa.Field) -> pa.StringArray:
    """Each value as an identifier: a JSON string whatever the type; null where the value is empty."""
    return quoted(_without_empty(as_text(column, field)))


def members(texts: Mapping[str, pa.StringArray], *, first: str = "") -> list[Text | str]:
    """The pieces of ``"name":value,"name":value``, to be joined; attributes that a row has not are left out of it.

    Args:
        texts: Of the attributes, as ``json_text`` gives them.
        first: What stands before them, with the comma that parts it from what stands before itself; or nothing.
    """
    pieces: list[Text | str] = [first] if first else []
    for name, written in texts.items():
        head = f",{quoted(pa.array([name]))[0].as_py()}:"
        pieces += [pc.fill_null(joined(head, written), "")] if written.null_count else [head, written]
    if pieces and isinstance(pieces[0], str):
        return [pieces[0][1:], *pieces[1:]]
    return [pc.ascii_ltrim(joined(*pieces), characters=",")] if pieces else []


def joined(*pieces: Text | str) -> pa.StringArray:
    """The pieces of each row one after the other; null where one is."""
    return pc.binary_join_element_wise(*(pa.scalar(p) if isinstance(p, str) else p for p in pieces), "")


def as_items(text: pa.StringArray) -> list[bytes]:
    """The texts as bytes: slices of Arrow's buffer, several times as fast as its own conversion."""
    _, offsets, data = text.buffers()
    ends = np.frombuffer(offsets, np.int32)[text.offset : text.offset + len(text) + 1].tolist()
    written = data.to_pybytes() if data is not None else b""
    return [written[start:end] for start, end in pairwise(ends)]


def _marked_text(column: pa.StringArray, mark: str) -> pa.StringArray:
    if mark == "decimal":
        return _unless(pc.match_substring_regex(column, _NUMBER), column, lambda: quoted(_without_empty(column)))
    if mark == "json":
        column = pc.utf8_trim(column, characters=" \t\r\n")
        column = pc.if_else(pc.is_in(column, value_set=_EMPTY_JSON), _NONE, column)
        valid = pa.array([None if value is None else _is_json(value) for value in column.to_pylist()], pa.bool_())
        return pc.if_else(valid, column, quoted(column))
    return quoted(_without_empty(column))


def _unless(usual: pa.BooleanArray, written: pa.StringArray, otherwise: Callable[[], pa.StringArray]) -> pa.StringArray:
    """What is written as usual; null where that is null, and what is made otherwise where it is not usual."""
    return written if pc.all(usual).as_py() is not False else pc.if_else(usual, written, otherwise())


def _without_empty(text: pa.StringArray) -> pa.StringArray:
    empty = pc.equal(text, "")
    return pc.if_else(empty, _NONE, text) if pc.any(empty).as_py() else text


def _is_json(text: str) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def _may_need_escapes(text: pa.StringArray) -> bool:
    """Whether any byte of the column is one that JSON strings escape; one pass over the bytes, no row is looked at."""
    _, offsets, data = text.buffers()
    if data is None or len(text) == 0:
        return False
    ends = np.frombuffer(offsets, np.int32)
    written = np.frombuffer(data, np.uint8)[ends[text.offset] : ends[text.offset + len(text)]]
    return bool(((written < 0x20) | (written == 0x22) | (written == 0x5C)).any())
