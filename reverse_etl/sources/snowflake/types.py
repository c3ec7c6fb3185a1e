"""From the connector's Arrow tables to canonical batches of bounded size."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from snowflake.connector.constants import FIELD_ID_TO_NAME

from reverse_etl.sources._arrow import canonical, iso_duration
from reverse_etl.sources._instants import LAST_S
from reverse_etl.sources.base import BATCH_BYTES, BATCH_ROWS, NOT_JSON, marked

if TYPE_CHECKING:
    from snowflake.connector.cursor import ResultMetadata

_JSON: Final = frozenset({"VARIANT", "OBJECT", "ARRAY", "MAP", "GEOGRAPHY", "GEOMETRY", "FILE"})

_NUMBER: Final = 0

_SUSPECT: Final = r"\b(?:undefined|NaN|Infinity|inf)\b"
"""Words that Snowflake writes in place of values that JSON does not have."""

_TEXT_OR_UNDEFINED: Final = re.compile(r'"(?:[^"\\]|\\.)*"|\bundefined\b')


_TENTHS: Final = "(7)"
"""Ends the name of a type of date-times in tenths of microseconds."""

_INVERSE_OF_25: Final = np.uint64(pow(25, -1, 2**64))


def kinds(columns: Iterable[ResultMetadata]) -> list[str]:
    """Snowflake's names of a result's column types, from the connector's description of it.

    A type that the connector does not know is empty: it describes it as a number without a scale.
    """
    return [_kind(column) for column in columns]


def counts_tenths(columns: Iterable[str]) -> bool:
    """Whether a column holds date-times in tenths of microseconds."""
    return any(kind.endswith(_TENTHS) for kind in columns)


def _kind(column: ResultMetadata) -> str:
    if column.type_code == _NUMBER and column.scale is None:
        return ""
    name = FIELD_ID_TO_NAME[column.type_code]
    return f"{name}{_TENTHS}" if name.startswith("TIMESTAMP") and column.scale == 7 else name


def batches(table: pa.Table, columns: Sequence[str], *, timezone: str) -> Iterator[pa.RecordBatch]:
    """A part of a result in canonical types (``base``), in pieces of bounded size; at least one, maybe empty.

    Args:
        table: As the connector gives it.
        columns: Snowflake's names of the column types (``kinds``).
        timezone: How TIMESTAMP_NTZ is read.
    """
    rows = max(1, min(BATCH_ROWS, table.num_rows * BATCH_BYTES // max(1, table.nbytes)))
    for start in range(0, max(1, table.num_rows), rows):
        pieces = table.slice(start, rows).combine_chunks().to_batches()
        piece = pieces[0] if pieces else pa.RecordBatch.from_pylist([], schema=table.schema)
        yield canonical(_as_meant(piece, columns), timezone=timezone)


def regrouped(parts: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Canonical batches put together where they are small and of one schema; order and rows are kept."""
    held: list[pa.RecordBatch] = []
    for part in parts:
        together = [*held, part]
        fits = sum(batch.num_rows for batch in together) <= BATCH_ROWS
        fits = fits and sum(batch.nbytes for batch in together) <= BATCH_BYTES
        if held and not (fits and part.schema.equals(held[0].schema, check_metadata=True)):
            yield pa.concat_batches(held)
            together = [part]
        held = together
    if held:
        yield pa.concat_batches(held)


def _as_meant(batch: pa.RecordBatch, columns: Sequence[str]) -> pa.RecordBatch:
    """The batch with what Snowflake means by its types, which Arrow's do not show."""
    arrays, fields = [], []
    for field, values, kind in zip(batch.schema, batch.columns, columns, strict=True):
        mark = ""
        if kind in _JSON and pa.types.is_string(values.type):
            values, mark = _json(values), "json"
        elif kind.endswith(_TENTHS) and pa.types.is_timestamp(values.type) and values.type.unit == "ns":
            values = _unwrapped(values)
        elif pa.types.is_decimal(values.type) and values.type.scale == 0:
            values = _whole(values)
        elif kind == "INTERVAL_YEAR_MONTH":
            months = values.to_pylist()
            values = pa.array([None if n is None else iso_duration(n, 0, 0) for n in months], pa.string())
        arrays.append(values)
        fields.append(marked(field.name, mark) if mark else pa.field(field.name, values.type))
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def _unwrapped(values: pa.TimestampArray) -> pa.TimestampArray:
    """Date-times that Snowflake counts in tenths of microseconds, as microseconds.

    The connector multiplies these counts by 100 in 64 bits, and loses the carry before 1678 and after 2262
    (``convertTimestampColumn_nanoarrow`` of 4.8.1). Of a count its last 62 bits are left, by which all in the years
    0001 to 9999 differ.
    """
    wrapped = np.asarray(values.cast(pa.int64()).fill_null(0)).astype(np.uint64)
    counts = (((wrapped >> np.uint64(2)) * _INVERSE_OF_25) % np.uint64(2**62)).astype(np.int64)
    counts = np.where(counts > (LAST_S + 1) * 10**7, counts - 2**62, counts)
    us = pa.array(counts // 10, pa.int64(), mask=np.asarray(values.is_null()))
    return us.cast(pa.timestamp("us", values.type.tz))


def _whole(values: pa.Array) -> pa.Array:
    """Whole numbers as integers where they all fit."""
    try:
        return pc.cast(values, pa.int64())
    except pa.ArrowInvalid:
        return values


def _json(column: pa.StringArray) -> pa.StringArray:
    """Snowflake's JSON as JSON: ``undefined``, which is NULL in an array, as null; no line ends; nulls kept."""
    if pc.any(pc.match_substring(column, "\n")).as_py():
        # Inside of texts a line end is written \n, so that these are indentation.
        column = pc.replace_substring_regex(column, pattern=r"\n *", replacement="")
    if not pc.any(pc.match_substring_regex(column, _SUSPECT)).as_py():
        return column
    return pa.array([None if text is None else _repaired(text) for text in column.to_pylist()], pa.string())


def _repaired(text: str) -> str:
    if re.search(_SUSPECT, text) is None or _parses(text):
        return text
    text = _TEXT_OR_UNDEFINED.sub(lambda found: "null" if found[0] == "undefined" else found[0], text)
    return text if _parses(text) else NOT_JSON


def _parses(text: str) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True
