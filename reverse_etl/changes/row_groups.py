"""Parquet files of a stream, read a row group at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa


def row_groups(path: Path, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """The row groups of a file, one in memory at a time, which ``ParquetFile.iter_batches`` does not keep to.

    By this thread alone: each further one keeps memory of its own, and they are as fast.
    """
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            yield from file.read_row_group(group, columns, use_threads=False).combine_chunks().to_batches()
