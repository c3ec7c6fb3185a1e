"""Which rows of a run have a message already, by the keys that are kept beyond it (``request_powers.SentKeys``)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson
import pyarrow as pa

from reverse_etl.changeset.parts import ROW_NUMBER, Outcomes, Parts
from reverse_etl.destinations.base import KeptBack
from reverse_etl.destinations.slack.items import once_keys
from reverse_etl.errors import StateError
from reverse_etl.report import Outcome, Reason

if TYPE_CHECKING:
    from reverse_etl.destinations.request_powers import SentKeys
    from reverse_etl.destinations.slack.sync import Outgoing

_ALREADY_SENT: Final = Reason("already_sent", "", "a message with these values was sent before.")
_MAY_BE_SENT: Final = Reason(
    "may_have_been_sent",
    "",
    "a run that ended early may have posted it, and Slack cannot tell: it counts as sent. If it is not there, "
    "`on_doubt: resend` sends it again.",
)
_TO_BE_SENT: Final = (Outcome.UNDELIVERED, Outcome.DELIVERED, Outcome.REFUSED)
"""Also where an earlier process sent some: a run that is continued comes to the same rows."""

_Rows = Sequence[Mapping[str, Any]]

Encode = Callable[[pa.RecordBatch], list[bytes]]
"""Encodes rows as items."""


class SentBefore:
    """The messages that one run does not send.

    Args:
        sync: What a message is.
        place: The destination's name.

    Attributes:
        keys: Where keys are kept; None for a push, which knows its own rows alone.
    """

    def __init__(self, sync: Outgoing, place: str) -> None:
        self.keys: SentKeys | None = None
        self._sync = sync
        self._place = place
        self._already_sent = np.zeros(0, np.int64)
        self._doubtful: set[str] = set()
        self._unknown: set[str] = set()
        self._may_be_sent = np.zeros(0, np.int64)

    def in_doubt(self, parts: Parts, outcomes: Outcomes, encode: Encode) -> list[tuple[dict[str, Any], int]]:
        """The rows that other runs may have sent, one a key and encoded, and when that was, Unix seconds."""
        doubts = self.keys.doubts() if self.keys is not None else {}
        found: dict[str, tuple[dict[str, Any], int]] = {}
        for batch in parts.sendable(outcomes) if doubts else ():
            keys = once_keys(batch, self._sync, place=self._place)
            rows = batch.filter(pa.array([key in doubts for key in keys], pa.bool_()))
            for row in map(orjson.loads, encode(rows)):
                found.setdefault(row["once"], (row, doubts[row["once"]]))
        return [*found.values()]

    def counts_as_sent(self, row: Mapping[str, Any], *, surely: bool) -> None:
        """A message of an earlier run that was posted, or may have been."""
        self._doubtful.add(row["once"])
        if not surely:
            self._unknown.add(row["once"])

    def messages(self, parts: Parts, outcomes: Outcomes) -> int:
        """The messages of a run; notes the rows that were sent before, or whose values another row has before them."""
        section = self._sync.slack
        if not section.once_per:
            return sum(int(np.count_nonzero(outcomes == each)) for each in _TO_BE_SENT)
        before = self._doubtful | (self.keys.known() if self.keys is not None else frozenset())
        seen: set[str] = set()
        already: list[int] = []
        unknown: list[int] = []
        for batch in parts.batches(section.once_per):
            numbers = batch.column(ROW_NUMBER).to_numpy()
            rows = batch.filter(pa.array(np.isin(outcomes[numbers - 1], _TO_BE_SENT)))
            keys = once_keys(rows, self._sync, place=self._place)
            for number, key in zip(rows.column(ROW_NUMBER).to_pylist(), keys, strict=True):
                if key in before or key in seen:
                    (unknown if key in self._unknown else already).append(number)
                seen.add(key)
        self._already_sent, self._may_be_sent = np.array(already, np.int64), np.array(unknown, np.int64)
        return len(seen - before)

    def kept_back(self, batch: pa.RecordBatch) -> Sequence[KeptBack]:
        """The rows of a batch that are not sent."""
        numbers = batch.column(ROW_NUMBER).to_numpy()
        left = ((self._already_sent, _ALREADY_SENT), (self._may_be_sent, _MAY_BE_SENT))
        found = ((numbers[np.isin(numbers, rows)], why) for rows, why in left)
        return [KeptBack(pa.array(rows), Outcome.EXCLUDED, why) for rows, why in found if len(rows)]

    async def keep(self, rows: _Rows) -> None:
        """Before a message leaves. Raises StateError."""
        if self.keys is not None and (keys := _keys(rows)):
            await asyncio.to_thread(self.keys.keep, keys)

    async def settle(self, rows: _Rows) -> None:
        """It was posted."""
        # Kept as in doubt, a key counts as sent too: a message must not be sent again for a database that is away.
        with suppress(StateError):
            if self.keys is not None and (keys := _keys(rows)):
                await asyncio.to_thread(self.keys.settle, keys)

    async def forget(self, rows: _Rows) -> None:
        """It was surely not posted. Raises StateError."""
        if self.keys is not None and (keys := _keys(rows)):
            await asyncio.to_thread(self.keys.forget, keys)


def _keys(rows: _Rows) -> list[str]:
    return [row["once"] for row in rows if "once" in row]
