"""What a delivery would do to a table, before anything is written: its slices are made and looked at, not written."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from reverse_etl.changeset.parts import ROW_NUMBER
from reverse_etl.delivery.slices import slices_of
from reverse_etl.destinations.table_powers import Effects, Foresees

if TYPE_CHECKING:
    from reverse_etl.changeset.parts import Outcomes, Parts
    from reverse_etl.delivery.slices import Slice
    from reverse_etl.destinations.tables import TableDestination
    from reverse_etl.pacing.retry import Patience


async def foresee(table: TableDestination, parts: Parts, outcomes: Outcomes, *, patience: Patience) -> Effects:
    """What writing the rows that have no outcome would do.

    Args:
        table: Prepared, and a ``Foresees``.
        parts: The rows of a stream, or those that stand for keys to remove.
        outcomes: One a row.
        patience: The run's retry budget.

    Raises:
        DestinationError: The table cannot be looked at.
    """
    found = Effects()
    slices = slices_of(table, parts, outcomes)
    while (piece := await asyncio.to_thread(next, slices, None)) is not None:
        found += await _effects(table, piece, patience)
    return found


async def _effects(table: TableDestination, piece: Slice, patience: Patience) -> Effects:
    if not isinstance(table, Foresees):
        raise TypeError(f"{table.name} cannot tell what it would do")
    batch = piece.fitted.batch
    if piece.gone:
        removed = await patience.until_settled(partial(table.effects_of_delete, batch))
        return removed + Effects(already_gone=max(0, batch.num_rows - removed.deletes))
    kept = [each.rows.to_numpy() for each in piece.fitted.kept_back]
    misfits = np.unique(np.concatenate(kept)) if kept else np.empty(0, np.int64)
    if len(misfits):
        batch = batch.filter(pa.array(~np.isin(batch.column(ROW_NUMBER).to_numpy(), misfits)))
    reasons: Counter[str] = Counter()
    counted = np.empty(0, np.int64)
    for each in piece.fitted.kept_back:
        # A failed row has its first reason alone.
        anew = np.setdiff1d(each.rows.to_numpy(), counted)
        counted = np.union1d(counted, anew)
        reasons[each.why.label] += len(anew)
    found = Effects(refused=len(misfits), refused_by=dict(+reasons))
    return found + (await patience.until_settled(partial(table.effects, batch)) if batch.num_rows else Effects())
