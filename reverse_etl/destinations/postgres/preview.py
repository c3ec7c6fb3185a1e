"""A row as ``preview`` shows it: JSON, by column."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from reverse_etl.changeset.parts import ROW_NUMBER
from reverse_etl.changeset.text import as_text

if TYPE_CHECKING:
    import pyarrow as pa


def shown(batch: pa.RecordBatch) -> list[bytes]:
    """Each row's columns as text; NULL is null."""
    names = [name for name in batch.schema.names if name != ROW_NUMBER]
    columns = [as_text(batch.column(name), batch.schema.field(name)).to_pylist() for name in names]
    return [orjson.dumps(dict(zip(names, values, strict=True))) for values in zip(*columns, strict=True)]
