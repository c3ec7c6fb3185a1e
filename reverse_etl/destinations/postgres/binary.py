"""Rows in the binary format of COPY, a column at a time: no value becomes an object of Python's.

The server checks lengths and no types, so the stage's columns have exactly the types that are encoded here
(``stage_type``). A row is the number of its fields, and for each the number of its bytes (-1 for NULL) and those.
Source: postgresql.org/docs/18/sql-copy.html, "Binary Format"; src/backend/utils/adt/timestamp.c for days and instants.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

HEADER: Final = b"PGCOPY\n\xff\r\n\x00" + struct.pack(">ii", 0, 0)
"""Before the first row: the signature, no flags, no extension."""
TRAILER: Final = struct.pack(">h", -1)
"""Behind the last one."""

_ROWS: Final = 4_096
"""At a time: what one step makes is in the processor's cache for the next one."""
_FIRST_DAY: Final = 10_957
_FIRST_INSTANT: Final = 946_684_800_000_000
"""The beginning of 2000, from which the server counts, in days and microseconds since 1970."""
_BYTES: Final = pa.large_binary()
_NULL: Final = pa.scalar(struct.pack(">i", -1), _BYTES)

_Block = np.ndarray[tuple[int, int], np.dtype[np.uint8]]


def stage_type(kind: pa.DataType) -> str:
    """The type of the stage's column for values of an Arrow type."""
    types = pa.types
    if types.is_boolean(kind):
        return "boolean"
    if types.is_int32(kind):
        return "integer"
    if types.is_integer(kind):
        return "bigint"
    if types.is_floating(kind):
        return "double precision"
    if types.is_date(kind):
        return "date"
    if types.is_timestamp(kind):
        return "timestamp with time zone" if kind.tz else "timestamp"
    return "text"


def encoded(batch: pa.RecordBatch) -> Iterator[memoryview]:
    """The rows, a few thousand at a time, of the types of ``tables.Fitted`` or int32."""
    for start in range(0, batch.num_rows, _ROWS):
        yield _rows(batch.slice(start, _ROWS))


def _rows(batch: pa.RecordBatch) -> memoryview:
    """Columns of one width without NULL are put beside each other first: a piece costs as much, whatever its width."""
    fields = np.full((batch.num_rows, 1), batch.num_columns, ">i2")
    pieces: list[pa.Array] = []
    beside: list[_Block] = [fields.view(np.uint8)]
    for column in batch.columns:
        if pa.types.is_string(column.type):
            lengths = pc.fill_null(pc.binary_length(column), -1)
            beside.append(_big_endian(lengths, "i4"))
            pieces += [_joined(beside), pc.fill_null(column.cast(_BYTES), b"")]
            beside = []
        elif column.null_count:
            pieces += [_joined(beside)] if beside else []
            pieces.append(pc.if_else(pc.is_valid(column), _joined(_fixed(column)), _NULL))
            beside = []
        else:
            beside += _fixed(column)
    pieces += [_joined(beside)] if beside else []
    rows = pc.binary_join_element_wise(*pieces, pa.scalar(b"", _BYTES))
    _, offsets, data = rows.buffers()
    first, *_, last = np.frombuffer(offsets, np.int64)[rows.offset : rows.offset + len(rows) + 1]
    return memoryview(data)[first:last]


def _fixed(column: pa.Array) -> list[_Block]:
    """The number of bytes of each value, and those; anything for NULL."""
    types, kind = pa.types, column.type
    numbers, form = column, "i8"
    if types.is_boolean(kind):
        numbers, form = column.cast(pa.int8()), "i1"
    elif types.is_int32(kind):
        form = "i4"
    elif types.is_floating(kind):
        form = "f8"
    elif types.is_date(kind):
        numbers, form = pc.subtract(column.cast(pa.int32()), _FIRST_DAY), "i4"
    elif types.is_timestamp(kind):
        numbers = pc.subtract(column.cast(pa.timestamp("us", kind.tz)).cast(pa.int64()), _FIRST_INSTANT)
    values = _big_endian(pc.fill_null(numbers, 0), form)
    return [_big_endian(np.full(len(column), values.shape[1]), "i4"), values]


def _big_endian(numbers: pa.Array | np.ndarray[tuple[int], np.dtype[np.int64]], form: str) -> _Block:
    return np.asarray(numbers).astype(f">{form}").view(np.uint8).reshape(len(numbers), -1)


def _joined(blocks: list[_Block]) -> pa.Array:
    """Bytes beside each other, as one value of each row."""
    together = np.ascontiguousarray(np.concatenate(blocks, axis=1))
    rows, width = together.shape
    ends = np.arange(0, (rows + 1) * width, width, dtype=np.int64)
    return pa.LargeBinaryArray.from_buffers(_BYTES, rows, [None, pa.py_buffer(ends), pa.py_buffer(together)])
