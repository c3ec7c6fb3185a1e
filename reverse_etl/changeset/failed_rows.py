"""Failed rows in columns: as they are stored, and as the end of a run reads them, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from reverse_etl.report import FAILED_ROW_COLUMNS, FailedRow

if TYPE_CHECKING:
    import numpy as np

_ATTEMPT: Final = pa.field(FAILED_ROW_COLUMNS[-1], pa.int64())

FAILED_ROW_SCHEMA: Final = pa.schema(
    [(name, pa.int64() if name == "row_number" else pa.string()) for name in FAILED_ROW_COLUMNS[:-1]]
)
"""As they are stored in a run's folder: which attempt it was is known when the run ends."""

FAILED_ROWS: Final = FAILED_ROW_SCHEMA.append(_ATTEMPT)
"""All ``FAILED_ROW_COLUMNS``."""

LEFT_BY_RUNS: Final = frozenset(
    {"stopped", "canceled", "unauthorized", "calls_used_up", "unavailable", "destination_refused"}
)
"""Reasons, of stage ``delivery``, of rows without an answer when their run ended: it ended, whatever they are like."""

_AT_ONCE: Final = 16_384


def with_attempts(batch: pa.RecordBatch, attempts: np.ndarray[tuple[int], np.dtype[np.int64]]) -> pa.RecordBatch:
    """Stored failed rows as ``FAILED_ROWS``, each as one of the attempt at its place."""
    return pa.RecordBatch.from_arrays(
        [*batch.columns[: len(FAILED_ROW_SCHEMA)], pa.array(attempts)], schema=FAILED_ROWS
    )


def rows_of(batch: pa.RecordBatch) -> Iterator[FailedRow]:
    """The rows of a batch of either schema, one by one."""
    columns: Iterable[list[Any]] = (column.to_pylist() for column in batch.columns)
    return map(FailedRow.from_columns, zip(*columns, strict=True))


def batches_of(rows: Iterable[FailedRow]) -> Iterator[pa.RecordBatch]:
    """Rows as ``FAILED_ROWS``; no more than a batch of them is held."""
    left = iter(rows)
    while some := [*islice(left, _AT_ONCE)]:
        yield pa.RecordBatch.from_pylist([row.columns() for row in some], schema=FAILED_ROWS)
