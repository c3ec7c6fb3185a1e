"""Requests that must not be sent twice: each is noted before it leaves, and asked about first where it is in doubt.

    <run folder>/<stream>/in_doubt.json     the row numbers of each request that is on its way

The note outlives the process, as the journal does. Where the journal has a row's outcome, the note says nothing more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import orjson
import pyarrow as pa

from reverse_etl.changeset.parts import IN_DOUBT_FILE, ROW_NUMBER, Outcomes, Parts
from reverse_etl.destinations.base import Accepted, InDoubt, Refusal, TryAgain
from reverse_etl.destinations.powers import Fate
from reverse_etl.destinations.request_powers import RemembersSent
from reverse_etl.errors import ReverseEtlError
from reverse_etl.files.private import whole_file
from reverse_etl.ledger.journal import ranges
from reverse_etl.report import Outcome, Reason

if TYPE_CHECKING:
    from reverse_etl.destinations.base import Answer
    from reverse_etl.destinations.request_powers import SendsOnce
    from reverse_etl.ledger.ledger import Ledger

_UNKNOWN: Final = (
    "the answer was lost, and the service cannot say what became of the request: it may have been applied."
)
_RETRY: Final = "Look there before a retry, which sends it again."

_Rows = tuple[tuple[int, int], ...]


class Once:
    """The requests of one stream's delivery, each applied at most once.

    Args:
        destination: Where they go.
        parts: The rows.
        ledger: What became of them.
    """

    def __init__(self, destination: SendsOnce, parts: Parts, ledger: Ledger) -> None:
        self._destination = destination
        self._parts = parts
        self._ledger = ledger
        self._path = parts.folder / IN_DOUBT_FILE
        self._noted: dict[_Rows, None] = {}
        self._in_doubt: set[_Rows] = set()
        self._doubted: set[_Rows] = set()
        self._writing = asyncio.Lock()
        doubt = destination.doubt if isinstance(destination, RemembersSent) else _RETRY
        self._unknown = Reason("in_doubt", "", f"{_UNKNOWN} {doubt}")

    def left(self, outcomes: Outcomes) -> Iterator[pa.RecordBatch]:
        """The rows of each request that an earlier process sent and of which it kept no outcome."""
        for each in orjson.loads(self._path.read_bytes()) if self._path.exists() else ():
            numbers = np.concatenate([np.arange(first, last + 1) for first, last in each])
            numbers = numbers[outcomes[numbers - 1] == Outcome.UNDELIVERED]
            rows = [
                batch.filter(pa.array(np.isin(batch.column(ROW_NUMBER).to_numpy(), numbers)))
                for batch in (self._parts.batches() if len(numbers) else ())
            ]
            rows = [batch for batch in rows if batch.num_rows]
            if rows:
                yield pa.Table.from_batches(rows).combine_chunks().to_batches()[0]

    async def attempt(self, numbers: Sequence[int], items: Sequence[bytes]) -> Answer:
        """Sends a request, unless it is in doubt and was applied; rows whose fate stays unknown are refused.

        Raises as ``SendsOnce.send_once``.
        """
        rows = ranges(numbers)
        if rows in self._in_doubt and (found := await self.resolved(items)) is not None:
            return found
        self._in_doubt.discard(rows)
        self._noted[rows] = None
        await self._write()
        try:
            answer = await self._destination.send_once(items)
        except ReverseEtlError:
            self._forget(rows)
            raise
        if isinstance(answer, InDoubt):
            self._in_doubt.add(rows)
            self._doubted.add(rows)
            return await self.resolved(items) or self._not_applied(rows, answer.cause)
        if not isinstance(answer, Accepted):
            self._forget(rows)
        return answer

    async def resolved(self, items: Sequence[bytes]) -> Accepted | TryAgain | None:
        """What became of a request in doubt; ``TryAgain`` where that cannot be asked yet, None where it can be sent."""
        fate = await self._destination.fate(items)
        if isinstance(fate, TryAgain):
            return fate
        if isinstance(fate, Accepted):
            return fate if len(fate.again) < len(items) else None
        if fate is Fate.UNKNOWN:
            return Accepted(tuple(Refusal(place, self._unknown) for place in range(len(items))))
        return Accepted() if fate is Fate.WRITTEN else None

    def settled(self, numbers: Sequence[int]) -> None:
        """The ledger has the outcomes of a request: its note goes with the next one that is written."""
        self._noted.pop(ranges(numbers), None)

    async def close(self) -> None:
        """Leaves the notes that still say something."""
        if self._path.exists():
            await self._write()

    def _not_applied(self, rows: _Rows, cause: str) -> TryAgain:
        self._in_doubt.discard(rows)
        self._forget(rows)
        return TryAgain(cause)

    def _forget(self, rows: _Rows) -> None:
        """Nothing of a request was applied; of one that was in doubt before, the next process asks again."""
        if rows not in self._doubted:
            self._noted.pop(rows, None)

    async def _write(self) -> None:
        async with self._writing:
            await asyncio.to_thread(self._put, orjson.dumps([*self._noted]))

    def _put(self, text: bytes) -> None:
        # What is not noted any more has its outcome in the journal: that has to last first.
        self._ledger.sync(at_once=self._parts.shared is not None)
        with whole_file(self._path) as file:
            file.write(text)
        if self._parts.shared is not None:
            folder = self._parts.folder
            self._parts.shared.put_one(folder.parent, f"{folder.name}/{IN_DOUBT_FILE}")
