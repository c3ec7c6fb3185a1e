"""From columns as MySQL sends them to a canonical batch.

The server sends text, so Arrow reads whole columns of it. Only a column that Arrow cannot read (a date that is none,
an integer beyond 64 bits) is looked at value by value.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.sources._arrow import canonical_field, decoded
from reverse_etl.sources._instants import instants, without_dates
from reverse_etl.sources.mysql.types import Kind

_MARKS: Final = {Kind.DECIMAL: "decimal", Kind.JSON: "json"}
_TYPES: Final = {
    Kind.DATE: pa.date32(),
    Kind.WALL_CLOCK: pa.timestamp("us"),
    Kind.INSTANT: pa.timestamp("us"),
}


def batch(
    columns: Sequence[pa.BinaryArray], names: Sequence[str], kinds: Sequence[Kind], *, timezone: str
) -> pa.RecordBatch:
    """A batch in canonical types.

    Args:
        columns: Values as the server sends them in the text protocol, ``time_zone`` being UTC.
        names: Column names.
        kinds: How each column is read.
        timezone: How date-times without a zone are read.
    """
    made = [_column(raw, kind, timezone) for raw, kind in zip(columns, kinds, strict=True)]
    fields = [canonical_field(name, array, mark) for name, (array, mark) in zip(names, made, strict=True)]
    return pa.RecordBatch.from_arrays([array for array, _ in made], schema=pa.schema(fields))


def _column(raw: pa.BinaryArray, kind: Kind, timezone: str) -> tuple[pa.Array, str]:
    """A canonical column and its mark."""
    if kind is Kind.NOTHING:
        return pa.nulls(len(raw)), ""
    if kind is Kind.BINARY:
        return raw, ""
    if kind in (Kind.BIT, Kind.BITS, Kind.COMPUTED_BITS):
        return _bits(raw, kind)
    texts = decoded(raw, _MARKS.get(kind, ""))
    if kind is Kind.INTEGER:
        return _integers(texts)
    if kind is Kind.TINY_BOOLEAN:
        return pc.not_equal(pc.cast(texts, pa.int64()), 0), ""
    if kind is Kind.FLOAT:
        return pc.cast(texts, pa.float64()), ""
    if kind in _TYPES:
        return _instants(texts, kind, "UTC" if kind is Kind.INSTANT else timezone)
    if kind is Kind.PADDED_DECIMAL:
        return _without_padding(texts), "decimal"
    if kind is Kind.TIME:
        shorter = pc.replace_substring_regex(texts, pattern=r"(\.\d*?)0+$", replacement=r"\1")
        return pc.replace_substring_regex(shorter, pattern=r"\.$", replacement=""), ""
    return texts, _MARKS.get(kind, "")


def _bits(raw: pa.BinaryArray, kind: Kind) -> tuple[pa.Array, str]:
    numbers = [None if value is None else _number(value, kind) for value in raw.to_pylist()]
    if kind is Kind.BIT:
        return pc.cast(pa.array(numbers, pa.int8()), pa.bool_()), ""
    return _integers(pa.array([None if number is None else str(number) for number in numbers], pa.string()))


def _number(raw: bytes, kind: Kind) -> int:
    if kind is Kind.BIT:
        return int(raw not in (b"\0", b"0"))
    return int(raw) if kind is Kind.COMPUTED_BITS and raw.isdigit() else int.from_bytes(raw)


def _integers(texts: pa.StringArray) -> tuple[pa.Array, str]:
    try:
        return pc.cast(texts, pa.int64()), ""
    except pa.ArrowInvalid:
        return _without_padding(texts), "decimal"


def _without_padding(texts: pa.StringArray) -> pa.StringArray:
    return pc.replace_substring_regex(texts, pattern=r"^(-?)0+(\d)", replacement=r"\1\2")


def _instants(texts: pa.StringArray, kind: Kind, timezone: str) -> tuple[pa.Array, str]:
    try:
        return instants(pc.cast(texts, _TYPES[kind]), timezone=timezone), ""
    except pa.ArrowInvalid:
        pass
    none = pa.array([text is not None and not _is_date(text) for text in texts.to_pylist()], pa.bool_())
    usual = instants(pc.cast(pc.if_else(none, None, texts), _TYPES[kind]), timezone=timezone)
    return without_dates(usual, none), ""


def _is_date(text: str) -> bool:
    """Whether the calendar has that day; MySQL stores 0000-00-00, 2024-00-00 and, where it is set so, 2024-02-31."""
    try:
        # Python has no year 0, which was a leap year like 2000.
        date.fromisoformat(f"2000{text[4:10]}" if text.startswith("0000") else text[:10])
    except ValueError:
        return False
    return True
