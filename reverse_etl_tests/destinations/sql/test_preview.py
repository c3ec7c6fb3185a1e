"""Rows of a table as ``preview`` shows them."""

from __future__ import annotations

import datetime as dt
import json

import pyarrow as pa

from reverse_etl.changeset.parts import with_row_numbers
from reverse_etl.destinations._sql.preview import shown
from reverse_etl.sources.base import marked


def test_rows_are_previewed_as_json() -> None:
    """Numbers, texts, times, JSON and NULL as they are compared with the table."""
    schema = pa.schema(
        [("id", pa.int64()), ("at", pa.timestamp("us", "UTC")), marked("price", "decimal"), marked("doc", "json")]
    )
    at = dt.datetime(2024, 7, 1, 12, tzinfo=dt.UTC)
    rows = [
        {"id": 1, "at": at, "price": "12345678901234567890.10", "doc": '{"a": [1]}'},
        {"id": 2, "at": None, "price": None, "doc": None},
    ]
    batch = next(with_row_numbers([pa.RecordBatch.from_pylist(rows, schema=schema)]))
    assert [
        {"id": 1, "at": "2024-07-01T12:00:00Z", "price": "12345678901234567890.10", "doc": {"a": [1]}},
        {"id": 2, "at": None, "price": None, "doc": None},
    ] == [json.loads(row) for row in shown(batch)]
