"""What every destination gives: rows said as items, items sent as one request, an answer told apart.

A destination is one folder beside this module. ``delivery`` packs, paces, retries and keeps the books; a
destination only knows how its rows are said and what its answers mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import pyarrow as pa

from reverse_etl.report import Outcome


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one request may carry, and how fast requests may follow each other.

    Attributes:
        max_item_bytes: Largest single item.
        max_request_bytes: Largest body, envelope included.
        envelope_bytes: What a request needs around its items; between two items it needs one byte.
        max_items: Most items in one request.
        requests_per_second: Rate limit.
        max_requests_in_flight: Requests open at once.
    """

    max_item_bytes: int
    max_request_bytes: int
    envelope_bytes: int
    max_items: int
    requests_per_second: float
    max_requests_in_flight: int


class Refusal(NamedTuple):
    """Why one item was refused for good.

    Attributes:
        place: Of the item in the request, from 0.
        reason: The destination's own word for it.
        field: The attribute at fault; may be empty.
        message: A sentence for people; the destination's, without the row's values.
    """

    place: int
    reason: str
    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """The request was taken; the items listed were refused or left out, all others are delivered.

    Attributes:
        refusals: At most one an item.
        excluded: Positions of items that were not applied, as the sync's own settings accept.
    """

    refusals: tuple[Refusal, ...] = ()
    excluded: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class RequestRefused:
    """The request was refused, whole or in part, and the answer does not say which item is at fault.

    Sending the halves finds it, and does no harm to what was applied; a request of one item is its refusal.
    """

    reason: str
    field: str
    message: str


@dataclass(frozen=True, slots=True)
class TryAgain:
    """No lasting answer: too many requests, a server's fault, a broken connection, an unreadable body.

    Attributes:
        cause: For people: ``HTTP 503``, ``no answer within 30 s``.
        after_s: Seconds that the destination asks to wait; None when it does not say.
        slow_down: Whether it was a rate limit.
        away: Whether nobody was reached at the address, and never was in this run.
        hint: What to do about it, where that is known.
    """

    cause: str
    after_s: float | None = None
    slow_down: bool = False
    away: bool = False
    hint: str = ""


Answer = Accepted | RequestRefused | TryAgain


@dataclass(frozen=True, slots=True)
class KeptBack:
    """Rows that are not sent, found by asking the destination first.

    Attributes:
        rows: int64 row numbers, ascending.
        outcome: ``EXCLUDED`` for the user's own choice, ``REJECTED`` for rows that cannot be taken.
        reason: One word, as in ``FailedRow``; likewise ``field`` and ``message``.
    """

    rows: pa.Int64Array
    outcome: Outcome
    reason: str
    field: str
    message: str


class Destination(Protocol):
    """One sync's way into one destination, open for one run.

    Attributes:
        name: What messages call it: ``workspace main``.
        limits: What one request may carry.
    """

    name: str
    limits: Limits

    async def kept_back(self, batch: pa.RecordBatch, stream: str) -> Sequence[KeptBack]:
        """The rows of a batch that are not to be sent; most syncs have none, without asking anyone.

        Raises:
            WorkspaceError: The destination was asked and gave no usable answer.
        """
        ...

    def identifiers(self, batch: pa.RecordBatch, stream: str) -> pa.StringArray:
        """Each row's identifier as failed rows show it; as long as the batch, empty where it is missing."""
        ...

    def repeats(self, stream: str) -> bool:
        """Whether rows with one identifier may come several times, and must then arrive in the order of the rows."""
        ...

    def items(self, batch: pa.RecordBatch, stream: str) -> list[bytes]:
        """Says each row of a batch (with ``ROW_NUMBER``) as one item, in order, as long as the batch."""
        ...

    async def send(self, items: Sequence[bytes]) -> Answer:
        """Sends one request.

        Raises:
            UnauthorizedError: The credentials are refused.
            WorkspaceRefusedError: No request of this sync can succeed (wrong region, say).
        """
        ...
