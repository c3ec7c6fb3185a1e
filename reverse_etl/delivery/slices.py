"""The slices in which the rows of one stream are written to a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from reverse_etl.changeset.columns import deleted_rows
from reverse_etl.changeset.parts import ROW_NUMBER, Outcomes, Parts
from reverse_etl.changeset.row_keys import Keys, row_keys
from reverse_etl.destinations.powers import Deletes
from reverse_etl.destinations.tables import Fitted, TableDestination

_MOST_BYTES: Final = 16 << 20
"""Of batches that are joined; one alone may have more."""


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
    for batch in _joined(parts.sendable(outcomes), most):
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


def _joined(batches: Iterable[pa.RecordBatch], most: int) -> Iterator[pa.RecordBatch]:
    """Joins batches that follow each other, up to ``most`` rows, where their columns have the same types."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        if held and not (
            sum(each.num_rows for each in held) + batch.num_rows <= most
            and sum(each.nbytes for each in held) + batch.nbytes <= _MOST_BYTES
            and batch.schema.equals(held[0].schema, check_metadata=True)
        ):
            # Nothing of it is kept here while it is written.
            joined, held = _one(held), []
            yield joined
            del joined
        if batch.num_rows:
            held.append(batch)
    if held:
        yield _one(held)


def _one(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    return batches[0] if len(batches) == 1 else pa.concat_batches(batches)


def keys_of(destination: TableDestination, batch: pa.RecordBatch, stream: str) -> Keys:
    """One number a row of a stream's batch."""
    return row_keys(batch.column(ROW_NUMBER), destination.identifiers(batch), stream)
