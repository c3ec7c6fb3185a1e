"""From rows of BigQuery's REST API to Arrow, a column at a time. What becomes of its types is ``types``.

REST gives every value as text in a cell, ``{"v": ...}``; a repeated one as a list of cells, a record as
``{"f": [cell, ...]}``.
Source: cloud.google.com/bigquery/docs/reference/rest/v2/jobs/getQueryResults, read 2026-11.
"""

from __future__ import annotations

import base64
import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from google.cloud.bigquery import SchemaField

CELLS: Final = 50_000
"""About how many cells one page may have: as Python values they are 15 MB, and the library holds two pages."""

_TYPES: Final = {
    "INTEGER": pa.int64(),
    "INT64": pa.int64(),
    "FLOAT": pa.float64(),
    "FLOAT64": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "BOOL": pa.bool_(),
    "DATE": pa.date32(),
    "DATETIME": pa.timestamp("us"),
}
"""What the text of a cell is read as; any other stays text."""


def page_batch(rows: Sequence[dict[str, Any]], schema: Sequence[SchemaField]) -> pa.RecordBatch:
    """The rows of one page as Arrow.

    Args:
        rows: As in the answer: ``{"f": [{"v": ...}, ...]}``, timestamps in microseconds.
        schema: The result's columns.

    Returns:
        Numerics, intervals, times, ranges and JSON as the text that BigQuery wrote; repeated ones as lists, records
        as structs; a repeated one without a value is an empty list, as everywhere in BigQuery.
    """
    cells = zip(*(row["f"] for row in rows), strict=True) if rows else itertools.repeat((), len(schema))
    arrays = [_array(field, [cell["v"] for cell in column]) for field, column in zip(schema, cells, strict=False)]
    return pa.RecordBatch.from_arrays(arrays, names=[field.name for field in schema])


def _array(field: SchemaField, values: list[Any]) -> pa.Array:
    if field.mode == "REPEATED":
        lists = [value or () for value in values]
        offsets = pa.array(itertools.accumulate(map(len, lists), initial=0), pa.int32())
        return pa.ListArray.from_arrays(offsets, _single(field, [item["v"] for items in lists for item in items]))
    return _single(field, values)


def _single(field: SchemaField, values: list[Any]) -> pa.Array:
    kind = field.field_type.upper()
    if kind in ("RECORD", "STRUCT"):
        records = [None if value is None else value["f"] for value in values]
        columns = [
            _array(inner, [None if record is None else record[number]["v"] for record in records])
            for number, inner in enumerate(field.fields)
        ]
        fields = [pa.field(inner.name, column.type) for inner, column in zip(field.fields, columns, strict=True)]
        mask = pa.array([record is None for record in records], pa.bool_())
        return pa.StructArray.from_arrays(columns, fields=fields, mask=mask)
    if kind == "BYTES":
        return pa.array([None if value is None else base64.b64decode(value) for value in values], pa.binary())
    texts = pa.array(values, pa.string())
    if kind == "TIMESTAMP":
        return pc.cast(texts, pa.int64()).cast(pa.timestamp("us", "UTC"))
    return pc.cast(texts, _TYPES[kind]) if kind in _TYPES else texts
