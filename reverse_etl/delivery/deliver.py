"""Rows of one query sent to a destination, each with exactly one outcome in the end.

``sender`` sends them or, into a table, ``table_sender``; ``ledger`` keeps what is on disk; how long to wait and
what a request may carry is in ``pacing`` and ``destinations``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from reverse_etl.changeset.parts import Outcomes, Parts
from reverse_etl.delivery.sender import Sender
from reverse_etl.delivery.settling import Progress
from reverse_etl.delivery.table_sender import TableSender
from reverse_etl.destinations.base import Destination, Items
from reverse_etl.destinations.tables import TableDestination
from reverse_etl.errors import CallsUsedUpError, DestinationRefusedError, DestinationUnavailableError, UnauthorizedError
from reverse_etl.ledger.ledger import Identifiers, Ledger
from reverse_etl.pacing.rate_limit import Clock
from reverse_etl.pacing.retry import Patience, RetryPolicy
from reverse_etl.pacing.shared_rate import Reserve
from reverse_etl.report import CANCELED, STOPPED, Cause, Counts, Reason


@dataclass(frozen=True, slots=True)
class Delivered:
    """What was sent.

    Attributes:
        counts: Rows by outcome.
        requests: Requests that were settled.
        retries: Requests sent again because an answer settled nothing.
        fullness: How full requests were, by bytes or by items, on average: 1 for full ones.
        repeated: Whether a row may have been sent more than once, because an answer did not settle it.
    """

    counts: Counts
    requests: int
    retries: int
    fullness: float
    repeated: bool


async def deliver(
    parts: Parts,
    outcomes: Outcomes,
    destination: Destination | TableDestination,
    *,
    progress: Progress | None = None,
    patience: Patience | None = None,
    clock: Clock | None = None,
    reserve: Reserve | None = None,
    identified_by: Sequence[str] | None = None,
    items_of: Items | None = None,
) -> Delivered:
    """Sends the rows that have no outcome yet, and writes down what became of every row.

    Whatever ends it, the outcomes are written first. Rows without an answer stay ``UNDELIVERED`` and are failed rows
    of stage ``delivery``. A further call never sends rows of an answered request again, not even after the end of the
    process. A cancellation lets requests in flight finish (``settling.GRACE_S``).

    Args:
        parts: The rows; their ``outcomes.npy`` and ``failed-delivery.parquet`` are written.
        outcomes: One a row, by row number - 1; changed in place.
        destination: Where they go, prepared.
        progress: Called after each settled request.
        patience: The run's retry budget; by default one of its own, from the environment.
        clock: Time.
        reserve: Where turns are shared with other processes; None: this delivery has the rate limit for itself.
        identified_by: The columns that failed rows are called by; None where that is not known.
        items_of: Encodes rows; by default the destination.

    Raises:
        UnauthorizedError: The credentials are refused.
        DestinationUnavailableError: No settled answer within the retry budget.
        DestinationRefusedError: No request can succeed.
    """
    clock = clock or Clock()
    patience = patience or Patience(RetryPolicy.from_environment(), name=destination.name, clock=clock)
    retried_before = patience.retries
    sender: Sender | TableSender
    if isinstance(destination, TableDestination):
        table = destination
        ledger = Ledger(parts, outcomes, lambda batch, _query: table.identifiers(batch), identified_by=identified_by)
        sender = TableSender(table, ledger, patience, progress=progress)
    else:
        ledger = Ledger(parts, outcomes, destination.identifiers, identified_by=identified_by)
        sender = Sender(
            destination, ledger, patience, clock=clock, progress=progress, reserve=reserve, items_of=items_of
        )
    left = STOPPED
    try:
        await sender.send(parts)
    except BaseException as error:
        left = _left(error)
        raise
    finally:
        counts = ledger.close(left)
    retries = patience.retries - retried_before
    return Delivered(counts, sender.requests, retries, sender.fullness, repeated=bool(retries) or sender.halved)


def leave_undelivered(
    parts: Parts,
    outcomes: Outcomes,
    identifiers: Identifiers,
    error: BaseException,
    *,
    identified_by: Sequence[str] | None = None,
) -> Counts:
    """Writes the outcomes of rows that are not even tried, because something before them ended the run.

    Args:
        parts: The rows; their ``outcomes.npy`` and ``failed-delivery.parquet`` are written.
        outcomes: One a row; those without an outcome keep none and are failed rows.
        identifiers: Gives each failed row's identifier.
        error: What ended the run.
        identified_by: The columns that failed rows are called by; None where that is not known.
    """
    return Ledger(parts, outcomes, identifiers, identified_by=identified_by).close(_left(error))


def _left(error: BaseException) -> Cause:
    """Why rows have no outcome, for the error that ended the delivery."""
    reasons: dict[type[BaseException], tuple[str, str]] = {
        UnauthorizedError: ("unauthorized", "the destination refused access before this row had an answer."),
        CallsUsedUpError: ("calls_used_up", "the day's calls were used up before this row had an answer."),
        DestinationUnavailableError: ("unavailable", "the destination gave no usable answer."),
        DestinationRefusedError: ("destination_refused", "the destination cannot take what the sync sends."),
    }
    if isinstance(error, asyncio.CancelledError):
        return CANCELED
    for kind, (reason, message) in reasons.items():
        if isinstance(error, kind):
            return Cause("delivery", Reason(reason, "", message))
    return STOPPED
