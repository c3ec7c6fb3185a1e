"""From a block of COPY's CSV to a canonical batch.

Arrow reads the block in one go. Where a value does not fit the type that its column is read as (an infinite or
very distant date, text that is not UTF-8), the block is read again with those columns as they came, and what is
unusual is looked at value by value.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from reverse_etl.sources._arrow import canonical_field, decoded
from reverse_etl.sources._instants import beyond_years, instants
from reverse_etl.sources.postgres.nested import mended, without_padding
from reverse_etl.sources.postgres.types import Kind, Types

_US: Final = pa.timestamp("us")
_US_UTC: Final = pa.timestamp("us", "UTC")

_TYPES: Final = {
    Kind.BOOLEAN: pa.bool_(),
    Kind.INTEGER: pa.int64(),
    Kind.FLOAT: pa.float64(),
    Kind.DATE: pa.date32(),
    Kind.WALL_CLOCK: _US,
    Kind.INSTANT: _US_UTC,
}
"""What Arrow reads by itself; every other kind is read as text."""

_AS_THEY_CAME: Final = {
    **_TYPES,
    **dict.fromkeys((Kind.DATE, Kind.WALL_CLOCK, Kind.INSTANT), pa.string()),
    **dict.fromkeys((Kind.TEXT, Kind.PADDED_TEXT, Kind.PADDED_RANGE, Kind.JSON, Kind.NESTED), pa.binary()),
}

_MARKS: Final = {Kind.DECIMAL: "decimal", **dict.fromkeys((Kind.JSON, Kind.NESTED), "json")}
_USUAL: Final = r"^\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d(\.\d{1,6})?(\+00)?)?$"
_UNUSUAL: Final = re.compile(r"-?infinity|\d+-\d\d-\d\d(?: \d\d:\d\d:\d\d(?:\.\d+)?)?(?:\+00)?(?: BC)?")
"""What is outside the years 1 to 9999: ``20000-01-01``, ``0044-03-15 BC``, ``infinity``."""


def batch(block: bytes, names: Sequence[str], *, oids: Sequence[int], types: Types, timezone: str) -> pa.RecordBatch:
    """The rows of a block in canonical types; the block may be empty.

    Args:
        block: Whole rows of CSV as ``COPY ... (FORMAT csv)`` writes them, with ``TimeZone`` UTC and ``DateStyle`` ISO.
        names: Column names.
        oids: The type of each column.
        types: What those are made of.
        timezone: How date-times without a zone are read.
    """
    kinds = list(map(types.kind, oids))
    try:
        columns = _read(block, [_TYPES.get(kind, pa.string()) for kind in kinds])
    except pa.ArrowInvalid:
        columns = _read(block, [_AS_THEY_CAME.get(kind, pa.string()) for kind in kinds])
    made = [canonical(column, kind, timezone=timezone) for column, kind in zip(columns, kinds, strict=True)]
    for position, (kind, oid) in enumerate(zip(kinds, oids, strict=True)):
        if kind is Kind.NESTED:
            column, mark = made[position]
            made[position] = (mended(column, oid, types), mark)
    fields = [canonical_field(name, values, mark) for name, (values, mark) in zip(names, made, strict=True)]
    return pa.RecordBatch.from_arrays([values for values, _ in made], schema=pa.schema(fields))


def _read(block: bytes, types: Sequence[pa.DataType]) -> list[pa.Array]:
    if not block:
        return [pa.array([], kind) for kind in types]
    positions = [str(number) for number in range(len(types))]
    table = csv.read_csv(
        pa.BufferReader(block),
        # One CSV block, so that neither the width of a row nor a line end in a value matters.
        read_options=csv.ReadOptions(use_threads=False, block_size=len(block) + 1, column_names=positions),
        parse_options=csv.ParseOptions(ignore_empty_lines=False),
        convert_options=csv.ConvertOptions(
            column_types=dict(zip(positions, types, strict=True)),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            true_values=["t"],
            false_values=["f"],
        ),
    )
    return [column.combine_chunks() for column in table.columns]


def canonical(column: pa.Array, kind: Kind, *, timezone: str) -> tuple[pa.Array, str]:
    """A column as it came, as a canonical one and its mark.

    Args:
        column: As Arrow reads the kind, or the server's own text; bytes where that may not be UTF-8.
        kind: How the text is read.
        timezone: How date-times without a zone are read.
    """
    if kind in (Kind.DATE, Kind.WALL_CLOCK, Kind.INSTANT):
        if pa.types.is_string(column.type):
            return _instants_as_text(column, kind, timezone), ""
        return instants(column, timezone=timezone), ""
    if kind is Kind.BINARY:
        raw = [None if text is None else bytes.fromhex(text[2:]) for text in column.to_pylist()]
        return pa.array(raw, pa.binary()), ""
    mark = _MARKS.get(kind, "")
    if pa.types.is_binary(column.type):
        column = decoded(column, mark)
    if kind is Kind.PADDED_RANGE:
        column = without_padding(column)
    if kind is Kind.PADDED_TEXT:
        column = pc.ascii_rtrim(column, characters=" ")
    return column, mark


def _instants_as_text(texts: pa.StringArray, kind: Kind, timezone: str) -> pa.Array:
    usual = pc.fill_null(pc.match_substring_regex(texts, _USUAL), True)
    unusual = pc.filter(texts, pc.invert(usual)).to_pylist()
    if not all(map(_UNUSUAL.fullmatch, unusual)):
        raise ValueError("not a date as PostgreSQL writes it with DateStyle ISO")
    inner = instants(pc.cast(pc.if_else(usual, texts, None), _TYPES[kind]), timezone=timezone)
    return beyond_years(inner, pc.invert(usual))
