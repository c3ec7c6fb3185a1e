"""Rows of a slice as they go beside a statement."""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from reverse_etl.destinations.clickhouse.session import Stage, file_of
from reverse_etl.destinations.clickhouse.statements import STAGE

if TYPE_CHECKING:
    from reverse_etl.destinations.clickhouse.statements import Statements


def stage_of(statements: Statements, batch: pa.RecordBatch, rows: np.ndarray, names: Container[str] | None) -> Stage:
    """Rows of a batch as they go beside a statement.

    Args:
        statements: Those of the table.
        batch: The columns of the stage, and no more than its own.
        rows: Which of them.
        names: Of the columns that are needed; None for all.
    """
    columns = statements.staged(names)
    chosen = batch.select([column.fits.name for _, column in columns])
    if not rows.all():
        chosen = chosen.filter(pa.array(rows))
    places = pa.array(np.flatnonzero(rows).astype(np.uint32))
    staged = pa.Table.from_arrays([places, *chosen.columns], names=["place", *(f"c{at}" for at, _ in columns)])
    return Stage(STAGE, statements.structure(names), file_of(staged).to_pybytes())
