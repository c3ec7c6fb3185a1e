"""Results as Snowflake's service sends them: Arrow of Snowflake's own shapes, in chunks that are fetched one by one.

fakesnow gives a whole result inline and its numbers as they are. The service sends numbers as integers of the
smallest width that holds the chunk, with the scale beside them, and a first few rows inline.
"""

from __future__ import annotations

import base64
import gzip
import io
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

INLINE_ROWS: Final = 600
CHUNK_ROWS: Final = 20_000
BATCH_ROWS: Final = 7_000
"""Rows of one Arrow batch; a chunk holds several."""


@dataclass(slots=True)
class Chunks:
    """Results that are waiting to be fetched.

    Attributes:
        fetched: The ids of the chunks that were fetched, in order, repeats included.
        refusals: So many requests are still answered with 503.
        short: So many answers still lack their last row.
    """

    fetched: list[str] = field(default_factory=list)
    refusals: int = 0
    short: int = 0
    _tables: dict[str, pa.Table] = field(default_factory=dict)

    def split(self, data: dict[str, Any], address: str, token: str) -> None:
        """Leaves the first rows in an answer's ``data`` and keeps the others."""
        if not data.get("rowsetBase64"):
            return
        table = _table(data["rowsetBase64"])
        inline = INLINE_ROWS if table.num_rows > CHUNK_ROWS or table.nbytes > 2**22 else table.num_rows
        data["rowsetBase64"] = base64.b64encode(stream(table.slice(0, inline))).decode()
        data["chunks"] = []
        rows = max(1, min(CHUNK_ROWS, table.num_rows * 2**23 // max(1, table.nbytes)))
        for start in range(inline, table.num_rows, rows):
            part = table.slice(start, rows)
            chunk = f"{token[:12]}-{data['queryId']}-{start}"
            self._tables[chunk] = part
            data["chunks"].append(
                {
                    "url": f"{address}/chunks/{chunk}",
                    "rowCount": part.num_rows,
                    "uncompressedSize": part.nbytes,
                    "compressedSize": part.nbytes,
                }
            )
        data["chunkHeaders"] = {"x-test-chunk": "1"}

    def repeat(self, data: dict[str, Any], copies: int, address: str, token: str) -> None:
        """Makes the rows in an answer's ``data`` come so many times more, each time as a part of their own."""
        table = _table(data["rowsetBase64"])
        chunk = f"{token[:12]}-{data['queryId']}"
        self._tables[chunk] = table
        sizes = {"rowCount": table.num_rows, "uncompressedSize": table.nbytes, "compressedSize": table.nbytes}
        data["chunks"] = [{"url": f"{address}/chunks/{chunk}"} | sizes] * copies
        data["chunkHeaders"] = {"x-test-chunk": "1"}
        data["total"] = table.num_rows * (copies + 1)

    def forget(self, token: str) -> None:
        """Drops the results of a session."""
        for chunk in [chunk for chunk in self._tables if chunk.startswith(token[:12])]:
            del self._tables[chunk]

    def read(self, chunk: str) -> bytes:
        """One chunk, compressed. Raises KeyError when there is none."""
        self.fetched.append(chunk)
        table = self._tables[chunk]
        if self.short:
            self.short -= 1
            table = table.slice(0, table.num_rows - 1)
        return gzip.compress(stream(table), 1)


def _table(encoded: str) -> pa.Table:
    with pa.ipc.open_stream(base64.b64decode(encoded)) as reader:
        return reader.read_all()


def stream(table: pa.Table) -> bytes:
    """A table as an Arrow stream of Snowflake's shapes."""
    columns, fields = [], []
    for kind, column in zip(table.schema, table.columns, strict=True):
        if (kind.metadata or {}).get(b"logicalType") == b"FIXED":
            column = _narrow(column)
        elif pa.types.is_struct(column.type):
            column = pa.chunked_array([_with_nulls(part) for part in column.chunks], column.type)
        columns.append(column)
        fields.append(kind.with_type(column.type))
    out = io.BytesIO()
    shaped = pa.Table.from_arrays(columns, schema=pa.schema(fields))
    with pa.ipc.new_stream(out, shaped.schema) as writer:
        writer.write_table(shaped, max_chunksize=BATCH_ROWS)
    return out.getvalue()


def _narrow(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Numbers as scaled integers of the smallest width; wider ones as decimals."""
    if pa.types.is_decimal(column.type):
        try:
            column = pa.chunked_array([pc.cast(_unscaled(part), pa.int64()) for part in column.chunks], pa.int64())
        except pa.ArrowInvalid:
            return column
    for kind in (pa.int8(), pa.int16(), pa.int32()):
        try:
            return pc.cast(column, kind)
        except pa.ArrowInvalid:
            continue
    return column


def _unscaled(part: pa.Array) -> pa.Array:
    """Decimals without their point: 1.25 of scale 2 is 125. The bytes are the same."""
    return pa.Array.from_buffers(pa.decimal128(38, 0), len(part), part.buffers(), offset=part.offset)


def _with_nulls(part: pa.StructArray) -> pa.StructArray:
    """Timestamps that are null as a whole; fakesnow gives them null parts."""
    parts = part.flatten()
    return pa.StructArray.from_arrays(parts, fields=list(part.type), mask=pc.is_null(parts[0]))
