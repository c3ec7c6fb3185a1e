"""Rows of a slice as they go beside a statement."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.destinations.clickhouse.session import Stage, file_of
from reverse_etl.destinations.clickhouse.statements import STAGE

if TYPE_CHECKING:
    from reverse_etl.destinations.clickhouse.statements import Statements


def stage_of(statements: Statements, batch: pa.RecordBatch, rows: np.ndarray, *, keys: bool) -> Stage:
    """Rows of a batch as they go beside a statement.

    Args:
        statements: Those of the table.
        batch: The columns of the stage, and no more than its own.
        rows: Which of them.
        keys: Whether the columns of the key alone.
    """
    columns = statements.staged(keys=keys)
    chosen = batch.select([column.fits.name for _, column in columns])
    if not rows.all():
        chosen = chosen.filter(pa.array(rows))
    places = pa.array(np.flatnonzero(rows).astype(np.uint32))
    staged = pa.Table.from_arrays([places, *chosen.columns], names=["place", *(f"c{at}" for at, _ in columns)])
    return Stage(STAGE, statements.structure(keys=keys), file_of(staged).to_pybytes())


def distinct(values: pa.Array) -> bool:
    """Whether no two values are equal; those that ascend are seen to be so at once."""
    if pa.types.is_integer(values.type) and len(values) > 1:
        numbers = values.to_numpy(zero_copy_only=False)
        if bool((numbers[1:] > numbers[:-1]).all()):
            return True
    return bool(pc.count_distinct(values).as_py() == len(values))
