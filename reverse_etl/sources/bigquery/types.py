"""BigQuery's types as canonical ones, whichever of its two APIs the rows came through.

Both give the same for the same value, so that a row does not change when an account gains or loses the right to use
the Storage Read API. Sources: cloud.google.com/bigquery/docs/reference/standard-sql/data-types and
/reference/storage/rpc (Arrow schema details), read 2026-11.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.sources._arrow import canonical, canonical_field, iso_duration
from reverse_etl.sources._instants import values as instant_values
from reverse_etl.sources._json import UNSENDABLE, dump, plain
from reverse_etl.sources.base import BATCH_BYTES, BATCH_ROWS, logical_type

if TYPE_CHECKING:
    from google.cloud.bigquery import SchemaField

_RECORDS: Final = frozenset({"RECORD", "STRUCT"})
_DECIMALS: Final = frozenset({"NUMERIC", "BIGNUMERIC"})
_INTERVAL: Final = re.compile(r"(-?)(\d+)-(\d+) (-?\d+) (-?)(\d+):(\d+):(\d+)(?:\.(\d+))?")
"""``Y-M D H:M:S.F``, as in the documentation of the INTERVAL type."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def canonical_batch(batch: pa.RecordBatch, schema: Sequence[SchemaField], *, timezone: str) -> pa.RecordBatch:
    """A batch of either API in canonical types (``base``): same rows and order.

    Args:
        batch: One column per field, under any name.
        schema: The result's columns, whose names the batch gets.
        timezone: How DATETIME is read.
    """
    arrays, fields = [], []
    for field, array in zip(schema, batch.columns, strict=True):
        values, mark = _column(field, array, timezone)
        arrays.append(values)
        fields.append(canonical_field(field.name, values, mark))
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def regrouped(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of about the size that ``base`` asks for; none empty."""
    held: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        step = max(1, min(BATCH_ROWS, batch.num_rows * BATCH_BYTES // max(1, batch.nbytes)))
        for start in range(0, batch.num_rows, step):
            part = batch.slice(start, step)
            if held and (rows + part.num_rows > BATCH_ROWS or size + part.nbytes > BATCH_BYTES):
                yield pa.concat_batches(held)
                held, rows, size = [], 0, 0
            held.append(part)
            rows += part.num_rows
            size += part.nbytes
    if held:
        yield pa.concat_batches(held)


def _column(field: SchemaField, array: pa.Array, timezone: str) -> tuple[pa.Array, str]:
    """A canonical column and its mark: ``decimal``, ``json`` or empty."""
    if field.mode == "REPEATED" or field.field_type.upper() in _RECORDS:
        texts = [None if value is None else dump(value) for value in _nested(field, array, timezone)]
        return pa.array(texts, pa.string()), "json"
    return _single(field, array, timezone)


def _single(field: SchemaField, array: pa.Array, timezone: str) -> tuple[pa.Array, str]:
    kind = field.field_type.upper()
    if kind == "RANGE":
        return _ranges(field, array), ""
    if kind == "JSON":
        return array.cast(pa.string()), "json"
    if kind == "INTERVAL" and pa.types.is_string(array.type):
        return pa.array([None if text is None else _duration(text) for text in array.to_pylist()], pa.string()), ""
    batch = canonical(pa.RecordBatch.from_arrays([array], ["value"]), timezone=timezone)
    if kind in _DECIMALS or kind == "TIME":
        # One API fills decimals and times up with zeros, the other does not.
        shorter = pc.replace_substring_regex(batch.column(0), r"(\.\d*?)0+$", r"\1")
        return pc.replace_substring_regex(shorter, r"\.$", ""), "decimal" if kind in _DECIMALS else ""
    mark = logical_type(batch.schema.field(0))
    return batch.column(0), mark if mark in ("decimal", "json") else ""


def _nested(field: SchemaField, array: pa.Array, timezone: str) -> list[Any]:
    """The column as values for ``dump``, leaves converted a column at a time, then put together."""
    if field.mode == "REPEATED" and pa.types.is_list(array.type):
        items = iter(_inner(field, array.flatten(), timezone))
        lengths = pc.list_value_length(array).to_pylist()
        return [[next(items) for _ in range(length or 0)] for length in lengths]
    return _inner(field, array, timezone)


def _inner(field: SchemaField, array: pa.Array, timezone: str) -> list[Any]:
    if field.field_type.upper() in _RECORDS:
        names = [inner.name for inner in field.fields]
        children = zip(field.fields, array.flatten(), strict=True)
        columns = [_nested(inner, child, timezone) for inner, child in children]
        valid = array.is_valid().to_pylist()
        rows = zip(*columns, strict=True)
        return [dict(zip(names, row, strict=True)) if there else None for there, row in zip(valid, rows, strict=True)]
    column, mark = _single(field, array, timezone)
    if mark:
        return [None if text is None else _fragment(text) for text in column.to_pylist()]
    if pa.types.is_temporal(column.type):
        # A DATETIME may fall out of the years 1 to 9999 with its zone.
        return [UNSENDABLE if isinstance(value, str) else plain(value) for value in instant_values(column)]
    return [plain(value) for value in column.to_pylist()]


def _fragment(text: str) -> Any:
    return UNSENDABLE if text == "NaN" else orjson.Fragment(text.encode())


def _duration(text: str) -> str:
    """``1-2 3 4:5:6.5`` as ISO 8601: each of the three parts has a sign of its own."""
    match = _INTERVAL.fullmatch(text)
    if match is None:
        return text
    months = int(match[2]) * 12 + int(match[3])
    seconds = int(match[6]) * 3600 + int(match[7]) * 60 + int(match[8])
    nanoseconds = seconds * 1_000_000_000 + int((match[9] or "0").ljust(9, "0")[:9])
    return iso_duration(-months if match[1] else months, int(match[4]), -nanoseconds if match[5] else nanoseconds)


def _ranges(field: SchemaField, array: pa.Array) -> pa.StringArray:
    """Ranges as BigQuery's own text, ``[2024-01-01, UNBOUNDED)``; instants in UTC."""
    element = field.range_element_type.element_type.upper() if field.range_element_type else ""
    if pa.types.is_struct(array.type):
        bounds = zip(*(child.to_pylist() for child in array.flatten()), strict=True)
        pairs = [pair if there else None for pair, there in zip(bounds, array.is_valid().to_pylist(), strict=True)]
    else:
        pairs = [None if text is None else tuple(text[1:-1].split(", ")) for text in array.to_pylist()]
    texts = [None if pair is None else f"[{', '.join(_bound(value, element) for value in pair)})" for pair in pairs]
    return pa.array(texts, pa.string())


def _bound(value: Any, element: str) -> str:
    if value is None or value in ("UNBOUNDED", "NULL"):
        return "UNBOUNDED"
    if element == "TIMESTAMP" and isinstance(value, str):
        value = _EPOCH + timedelta(microseconds=int(value))
    return value if isinstance(value, str) else str(value.isoformat())
