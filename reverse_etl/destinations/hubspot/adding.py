"""Records that are only added, where they are not there yet: HubSpot says only that one exists, not who made it.

Rows of records that exist are kept back first. A request whose answer is lost is in doubt: what is there then was made
by it, in this process or in an earlier one, and what is not is sent again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from reverse_etl.destinations.base import Accepted, Again, Answer, InDoubt, RequestRefused, TryAgain
from reverse_etl.destinations.hubspot.batches import NOT_NAMED, Input, folded
from reverse_etl.destinations.hubspot.writing import Request, Settled
from reverse_etl.destinations.left_out import EXISTS
from reverse_etl.errors import DestinationError
from reverse_etl.report import Reason

if TYPE_CHECKING:
    from reverse_etl.destinations.hubspot.writing import Writer

MOST_READ: Final = 100
"""Records of a batch read. Source: developers.hubspot.com, CRM objects, 2026-09."""

_NOT_ADDED: Final = Reason("not_added", "", "the record was not added.")
_NOT_FINISHED: Final = "records were added, and what follows is not done yet"


class Adder:
    """Adds the records of one sync, identified by a property."""

    def __init__(self, writer: Writer, by: str) -> None:
        self._writer = writer
        self._by = by

    async def add(self, items: Sequence[bytes]) -> Answer | InDoubt:
        """Sends one request's items. Raises DestinationError."""
        request = Request.of(items, self._by)
        settled = Settled()
        trouble = await self._writer.archive(request.gone) if request.gone else None
        if trouble is not None or not request.inputs:
            return trouble or settled.as_answer()
        trouble = await self._writer.batch("create", request.inputs, settled)
        if isinstance(trouble, TryAgain) and not (trouble.not_sent or trouble.slow_down):
            return InDoubt(trouble.cause)
        if trouble is not None:
            return trouble
        if any(why is NOT_NAMED for why, _ in settled.again.values()):
            return InDoubt("an answer without some of the rows")
        # What was added is ours, whatever ends the rest: `fate` finds it, continues, and raises what is raised here.
        try:
            trouble = await self._leave_existing(request.inputs, settled)
            trouble = trouble or await self._writer.finish(request.others, settled)
        except DestinationError:
            return InDoubt(_NOT_FINISHED)
        return settled.as_answer() if trouble is None else InDoubt(_NOT_FINISHED)

    async def fate(self, items: Sequence[bytes]) -> Accepted | TryAgain:
        """What became of a request in doubt; of what it added, what follows is done. Raises DestinationError."""
        request = Request.of(items, self._by)
        found = await self._writer.find([each.key for each in request.inputs]) if request.inputs else {}
        if not isinstance(found, dict):
            return _as_trouble(found)
        keys = {each.place: folded(each.key, self._by) for each in request.inputs}
        settled = Settled(ids={place: found[key] for place, key in keys.items() if key in found})
        trouble = await self._writer.archive(request.gone) if request.gone else None
        trouble = trouble or await self._writer.finish(request.others, settled)
        if isinstance(trouble, RequestRefused):
            trouble = await self._finish_one_by_one(request, settled)
        if trouble is not None:
            return _as_trouble(trouble)
        answer = settled.as_answer()
        absent = (Again(place, _NOT_ADDED) for place, key in keys.items() if key not in found)
        return Accepted(answer.refusals, answer.excluded, tuple(sorted([*answer.again, *absent])))

    async def _finish_one_by_one(self, request: Request, settled: Settled) -> TryAgain | None:
        """Finds the row for which what follows is refused."""
        for place, id_ in settled.ids.items():
            one = Settled(ids={place: id_})
            trouble = await self._writer.finish(request.others, one)
            if isinstance(trouble, TryAgain):
                return trouble
            settled.refused |= one.refused if trouble is None else {place: trouble.why}
            settled.again |= one.again
        return None

    async def _leave_existing(self, inputs: Sequence[Input], settled: Settled) -> RequestRefused | TryAgain | None:
        """Leaves out what another call made meanwhile; a conflict without such a record is sent again."""
        keys = {each.place: folded(each.key, self._by) for each in inputs if each.place in settled.again}
        if not keys:
            return None
        found = await self._writer.find([*keys.values()])
        if not isinstance(found, dict):
            return found
        for place, key in keys.items():
            if key in found:
                del settled.again[place]
                settled.excluded[place] = EXISTS
        return None


def _as_trouble(trouble: RequestRefused | TryAgain) -> TryAgain:
    """A record that cannot be looked up now may be later."""
    return trouble if isinstance(trouble, TryAgain) else TryAgain(f"a refusal ({trouble.why.reason})")
