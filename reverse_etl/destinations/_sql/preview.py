"""A row as ``preview`` shows it: JSON, by column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from reverse_etl.changeset.parts import ROW_NUMBER
from reverse_etl.sources._instants import values
from reverse_etl.sources.base import NOT_JSON, logical_type

if TYPE_CHECKING:
    import pyarrow as pa


def shown(batch: pa.RecordBatch) -> list[bytes]:
    """Each row's values by column: date-times in UTC, decimals as text with every digit, JSON as it is."""
    names = [name for name in batch.schema.names if name != ROW_NUMBER]
    columns = [_values(batch, name) for name in names]
    options = orjson.OPT_UTC_Z
    return [
        orjson.dumps(dict(zip(names, row, strict=True)), option=options, default=str)
        for row in zip(*columns, strict=True)
    ]


def _values(batch: pa.RecordBatch, name: str) -> list[Any]:
    found = values(batch.column(name))
    if logical_type(batch.schema.field(name)) != "json":
        return found
    return [text if text is None or text == NOT_JSON else orjson.Fragment(text) for text in found]
