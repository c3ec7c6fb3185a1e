"""The slices in which the rows of one stream are written to a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from reverse_etl.changeset.columns import deleted_rows
from reverse_etl.changeset.parts import ROW_NUMBER, Outcomes, Parts
from reverse_etl.changeset.row_keys import Keys, row_keys
from reverse_etl.destinations.powers import Deletes
from reverse_etl.destinations.tables import Fitted, TableDestination


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows that are written together, or deleted because they are gone; and those of them that do not fit.

    Attributes:
        fitted: The rows; those that are gone as they were read.
        keys: One of each (``changeset.row_keys``).
        gone: Whether they say of themselves that they are.
    """

    fitted: Fitted
    keys: Keys
    gone: bool = False


def slices_of(destination: TableDestination, parts: Parts, outcomes: Outcomes) -> Iterator[Slice]:
    """The rows without an outcome, in order, in slices that the destination writes at once.

    Args:
        destination: Prepared.
        parts: The rows.
        outcomes: One a row.
    """
    most = destination.rows_per_transaction
    deletes = isinstance(destination, Deletes) and destination.deletes
    for batch in parts.sendable(outcomes):
        for start in range(0, batch.num_rows, most):
            piece = batch.slice(start, most)
            keys = keys_of(destination, piece, parts.stream)
            there = ~deleted_rows(piece).to_numpy(zero_copy_only=False) if deletes else None
            if there is None or there.all():
                yield Slice(destination.fit(piece), keys)
                continue
            if there.any():
                yield Slice(destination.fit(piece.filter(pa.array(there))), keys[there])
            yield Slice(Fitted(piece.filter(pa.array(~there)), ()), keys[~there], gone=True)


def keys_of(destination: TableDestination, batch: pa.RecordBatch, stream: str) -> Keys:
    """One number a row of a stream's batch."""
    return row_keys(batch.column(ROW_NUMBER), destination.identifiers(batch), stream)
