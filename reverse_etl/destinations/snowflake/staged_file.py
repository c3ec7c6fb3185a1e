"""A slice as a Parquet file, which is how rows get into Snowflake."""

from __future__ import annotations

import io
from typing import Final

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from reverse_etl.changeset.parts import ROW_NUMBER
from reverse_etl.destinations.snowflake.statements import PLACE

_COMPRESSION: Final = "snappy"
"""Snowflake reads others too; this one costs the least processor time."""


def staged_file(batch: pa.RecordBatch) -> io.BytesIO:
    """The rows in the order of the stage, each with its place in the slice; columns go by place, not by name."""
    arrays = [batch.column(name) for name in batch.schema.names if name != ROW_NUMBER]
    places = pa.array(np.arange(batch.num_rows, dtype=np.int32))
    names = [*(f"c{at}" for at in range(len(arrays))), PLACE]
    table = pa.Table.from_arrays([*arrays, places], names=names)
    content = io.BytesIO()
    parquet.write_table(table, content, compression=_COMPRESSION, use_dictionary=False, write_statistics=False)
    content.seek(0)
    return content
