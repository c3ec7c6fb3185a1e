"""Rows of one delivery written to a table: slice after slice, in the order of the rows, by one task.

The next slice is read and made to fit while one is written. ``settling`` enters what became of the rows.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial

import pyarrow as pa

from reverse_etl.changeset.parts import ROW_NUMBER, Parts
from reverse_etl.delivery.appending import Appending
from reverse_etl.delivery.settling import GRACE_S, Progress, Settling
from reverse_etl.delivery.slices import Slice, keys_of, slices_of
from reverse_etl.destinations.base import Accepted, Answer, RequestRefused, TryAgain
from reverse_etl.destinations.powers import Appends, Deletes
from reverse_etl.destinations.tables import TableDestination
from reverse_etl.ledger.ledger import Ledger
from reverse_etl.pacing.retry import Patience


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows that are written together, with their keys (``changeset.row_keys``)."""

    batch: pa.RecordBatch
    keys: list[int]
    gone: bool

    @property
    def numbers(self) -> list[int]:
        numbers: list[int] = self.batch.column(ROW_NUMBER).to_pylist()
        return numbers

    def halves(self) -> list[_Rows]:
        middle = len(self.keys) // 2
        return [
            _Rows(self.batch.slice(0, middle), self.keys[:middle], self.gone),
            _Rows(self.batch.slice(middle), self.keys[middle:], self.gone),
        ]


class TableSender:
    """One delivery in progress.

    Attributes:
        requests: Slices, and halves of them, that were settled.
        halved: False: a slice that is written again in halves was rolled back.
        fullness: How full the settled ones were on average; 1 for none.
    """

    def __init__(
        self, destination: TableDestination, ledger: Ledger, patience: Patience, *, progress: Progress | None = None
    ) -> None:
        self._destination = destination
        self._ledger = ledger
        self._patience = patience
        self._settling = Settling(ledger, destination.name, destination.kind, progress)
        self._appends = destination if isinstance(destination, Appends) and destination.appends else None
        self._appending: Appending | None = None
        self._stopping = False
        self._writing = False
        self._rows = 0
        self.requests = 0
        self.halved = False

    @property
    def fullness(self) -> float:
        """How full the settled slices were on average; 1 for none."""
        return self._rows / (self.requests * self._destination.rows_per_transaction) if self.requests else 1.0

    async def send(self, parts: Parts) -> None:
        """Writes every row without an outcome; a cancellation lets the slice in progress end."""
        work = asyncio.ensure_future(self._transfer(parts))
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            self._stopping = True
            if self._writing:
                await asyncio.wait({work}, timeout=GRACE_S)
            raise
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    async def _transfer(self, parts: Parts) -> None:
        if self._appends is not None:
            self._appending = Appending(self._appends, parts)
            await self._settle_left(self._appending, parts.stream)
        slices = slices_of(self._destination, parts, self._ledger.outcomes)
        upcoming = asyncio.ensure_future(asyncio.to_thread(next, slices, None))
        try:
            while (piece := await asyncio.shield(upcoming)) is not None and not self._stopping:
                upcoming = asyncio.ensure_future(asyncio.to_thread(next, slices, None))
                await self._write(piece)
                await asyncio.to_thread(self._ledger.sync, at_once=self._appends is not None)
        finally:
            # A thread cannot be stopped, and reads the run's folder.
            await asyncio.wait({upcoming})
        self._settling.report()

    async def _settle_left(self, appending: Appending, stream: str) -> None:
        """Settles the slice that an earlier process was writing when it ended.

        If it was not written, or may be written again, it is so alone, as it was: that is what the table knows it by.
        """
        left = appending.left(self._ledger.outcomes)
        if left is None:
            return
        answer = await self._patience.until_settled(partial(appending.resolved, left), on_trouble=self._end_if_stopping)
        keys = keys_of(self._destination, left, stream)
        if answer is not None:
            self._settling.accept(left.column(ROW_NUMBER).to_pylist(), keys.tolist(), answer)
        else:
            await self._write(Slice(await asyncio.to_thread(self._destination.fit, left), keys))
        await asyncio.to_thread(self._ledger.sync, at_once=True)

    async def _write(self, piece: Slice) -> None:
        batch, keys = piece.fitted.batch, piece.keys
        kept = self._settling.keep_back(batch.column(ROW_NUMBER).to_numpy(), keys, piece.fitted.kept_back)
        if kept.any():
            batch, keys = batch.filter(pa.array(~kept)), keys[~kept]
        if batch.num_rows:
            await self._settle(_Rows(batch, keys.tolist(), piece.gone))
        self._settling.report()

    async def _settle(self, rows: _Rows) -> None:
        """Writes rows until each has an outcome; halves of what was refused in turn, so order is kept."""
        answer: Accepted | RequestRefused = await self._patience.until_settled(
            partial(self._attempt, rows), on_trouble=self._end_if_stopping
        )
        self.requests += 1
        self._rows += len(rows.keys)
        if isinstance(answer, Accepted):
            self._settling.accept(rows.numbers, rows.keys, answer)
            return
        self._settling.refuse(rows.numbers, rows.keys, answer)
        if len(rows.keys) > 1:
            for half in rows.halves():
                await self._settle(half)

    async def _attempt(self, rows: _Rows) -> Answer:
        if self._stopping:
            raise asyncio.CancelledError
        self._writing = True
        try:
            if rows.gone and isinstance(self._destination, Deletes):
                return await self._destination.delete(rows.batch)
            if self._appending is not None:
                return await self._appending.attempt(rows.batch)
            return await self._destination.write(rows.batch)
        finally:
            self._writing = False

    def _end_if_stopping(self, _trouble: TryAgain) -> None:
        if self._stopping:
            raise asyncio.CancelledError
