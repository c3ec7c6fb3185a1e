"""Slices that must not be written twice: what is in doubt is noted before it can be visible, and asked about first.

    <run folder>/<stream>/in_doubt.json     the last slice that was about to be committed; see ``_Noted``

The note outlives the process, as the journal does. Where the journal has the slice's outcomes, it says nothing more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
import orjson
import pyarrow as pa

from reverse_etl.changeset.parts import IN_DOUBT_FILE, ROW_NUMBER, Outcomes, Parts
from reverse_etl.destinations.base import Accepted, Answer, Refusal, TryAgain
from reverse_etl.destinations.left_out import LeftOut
from reverse_etl.destinations.powers import Appends, Fate
from reverse_etl.files.private import whole_file
from reverse_etl.ledger.journal import ranges
from reverse_etl.report import Outcome, Reason

if TYPE_CHECKING:
    from pathlib import Path

_UNKNOWN: Final = Reason(
    "in_doubt",
    "",
    "the answer to COMMIT was lost, and the server cannot say what became of it: the row may be in the table. Look "
    "there before a retry, which adds it again.",
)


@dataclass(frozen=True, slots=True)
class _Noted:
    """A slice that was about to be committed; rows by their numbers.

    Attributes:
        mark: By what the destination knows it.
        rows: First and last of each run of rows.
        refusals: Why rows are refused, if the slice was written: number, reason, field, message.
        excluded: Which are left out then, and why, likewise.
    """

    mark: str
    rows: Sequence[Sequence[int]]
    refusals: Sequence[tuple[int, str, str, str]]
    excluded: Sequence[tuple[int, str, str, str]]

    def answer(self, numbers: Sequence[int]) -> Accepted:
        """The answer about some of its rows, if it was written."""
        places = {number: place for place, number in enumerate(numbers)}
        refusals = [Refusal(places[row], Reason(*why)) for row, *why in self.refusals if row in places]
        excluded = [LeftOut(places[row], Reason(*why)) for row, *why in self.excluded if row in places]
        return Accepted(tuple(refusals), tuple(excluded))


class Appending:
    """The slices of one stream's delivery, each written at most once.

    Args:
        destination: Where they are added.
        parts: The rows.
    """

    def __init__(self, destination: Appends, parts: Parts) -> None:
        self._destination = destination
        self._parts = parts
        self._noted: _Noted | None = None

    def left(self, outcomes: Outcomes) -> pa.RecordBatch | None:
        """The rows that an earlier process was about to commit and that have no outcome; None for none."""
        self._noted = _read(self._parts.folder / IN_DOUBT_FILE)
        if self._noted is None:
            return None
        numbers = np.concatenate([np.arange(first, last + 1) for first, last in self._noted.rows])
        numbers = numbers[outcomes[numbers - 1] == Outcome.UNDELIVERED]
        found = [
            batch.filter(pa.array(np.isin(batch.column(ROW_NUMBER).to_numpy(), numbers)))
            for batch in (self._parts.batches() if len(numbers) else ())
        ]
        found = [batch for batch in found if batch.num_rows]
        if not found:
            self._noted = None
            return None
        [rows] = pa.Table.from_batches(found).combine_chunks().to_batches()
        return rows

    async def attempt(self, batch: pa.RecordBatch) -> Answer:
        """Adds a slice that fits, unless it is found to be there. Raises as ``powers.Appends.append``."""
        if self._noted is not None and (found := await self.resolved(batch)) is not None:
            return found
        numbers = batch.column(ROW_NUMBER)
        token = f"{self._parts.folder.parent.name}-{numbers[0]}-{numbers[-1]}"
        answer = await self._destination.append(batch, token=token, note=partial(self._note, numbers.to_pylist()))
        if not isinstance(answer, TryAgain):
            self._noted = None
        return answer

    async def resolved(self, batch: pa.RecordBatch) -> Accepted | TryAgain | None:
        """What became of the rows in doubt; None where they may be written again."""
        if self._noted is None:
            return None
        fate = await self._destination.fate(self._noted.mark)
        if isinstance(fate, TryAgain):
            return fate
        noted, self._noted = self._noted, None
        if fate is Fate.NOT_WRITTEN:
            return None
        if fate is Fate.UNKNOWN:
            return Accepted(tuple(Refusal(place, _UNKNOWN) for place in range(batch.num_rows)))
        return noted.answer(batch.column(ROW_NUMBER).to_pylist())

    def _note(self, numbers: Sequence[int], mark: str, answer: Accepted) -> None:
        refusals = [(numbers[each.place], *each.why) for each in answer.refusals]
        excluded = [(numbers[each.place], *each.why) for each in answer.excluded]
        self._noted = _Noted(mark, ranges(numbers), refusals, excluded)
        folder = self._parts.folder
        with whole_file(folder / IN_DOUBT_FILE) as file:
            file.write(orjson.dumps(self._noted))
        if self._parts.shared is not None:
            self._parts.shared.put_one(folder.parent, f"{folder.name}/{IN_DOUBT_FILE}")


def _read(path: Path) -> _Noted | None:
    return _Noted(**orjson.loads(path.read_bytes())) if path.exists() else None
