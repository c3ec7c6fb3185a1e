"""What alerts are decided from, and what was already sent: one row a channel and sync. Deciding: ``notify.decide``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from reverse_etl.changeset.scope import Reads
from reverse_etl.report import RunReport, Status
from reverse_etl.state.failures import FailedCause
from reverse_etl.state.in_a_row import ENDS, in_a_row
from reverse_etl.state.reports import run_reports
from reverse_etl.state.run_history import last_delivered_at
from reverse_etl.state.schema import ALERT, FAILED_CAUSE, RUN, SYNC
from reverse_etl.state.syncs import SyncState, state_of

if TYPE_CHECKING:
    from reverse_etl.state.store import Store

RESERVED_FOR: Final = timedelta(minutes=2)
"""How long a process has for sending an alert before another may send it."""

_MOST_CAUSES: Final = 100
_WHOLE: Final = (Reads.CHANGES.value, Reads.FULL.value)


@dataclass(frozen=True, slots=True)
class SyncFacts:
    """What is known of one sync's runs.

    Attributes:
        state: What is remembered of it.
        ended: Its newest run that came to an end of its own: not skipped, canceled or in progress.
        causes: Why rows of that run failed, most rows first.
        skipped_in_a_row: Due runs that were skipped since that run began.
        last_skipped: The newest of these.
        delivered_at: When its last run that delivered ended (``run_history``).
        rows_before: Rows of the run before ``ended`` that read the same way and delivered; None where there is none, or
            where these two are not to be compared.
    """

    state: SyncState
    ended: RunReport | None = None
    causes: tuple[FailedCause, ...] = ()
    skipped_in_a_row: int = 0
    last_skipped: RunReport | None = None
    delivered_at: datetime | None = None
    rows_before: int | None = None


def facts_of(store: Store, syncs: Iterable[str]) -> dict[str, SyncFacts]:
    """The facts of each of these syncs, also of those never seen. Raises StateError."""
    with store.reading() as connection:
        return {sync: _facts(connection, sync) for sync in syncs}


def _facts(connection: sa.Connection, sync: str) -> SyncFacts:
    known = connection.execute(sa.select(SYNC).where(SYNC.c.name == sync)).one_or_none()
    if known is None:
        return SyncFacts(SyncState(sync))
    newest = sa.select(RUN).where(RUN.c.sync == sync).order_by(RUN.c.started_at.desc(), RUN.c.run_id.desc())
    ended = next(iter(run_reports(connection, newest.where(RUN.c.status.in_(ENDS)).limit(1))), None)
    causes: list[FailedCause] = []
    if ended is not None and ended.status is not Status.COMPLETED:
        wanted = sa.select(FAILED_CAUSE).where(FAILED_CAUSE.c.run_id == ended.run_id)
        found = connection.execute(wanted.order_by(FAILED_CAUSE.c.position).limit(_MOST_CAUSES))
        causes = [FailedCause.from_columns(cause[2:]) for cause in found]
    skipped = newest.where(RUN.c.status == Status.SKIPPED.value)
    if ended is not None:
        skipped = skipped.where(RUN.c.started_at > ended.started_at)
    last_skipped = next(iter(run_reports(connection, skipped.limit(1))), None)
    return SyncFacts(
        state=state_of(known),
        ended=ended,
        causes=tuple(causes),
        skipped_in_a_row=in_a_row(connection, [sync])[sync].skipped,
        last_skipped=last_skipped,
        delivered_at=last_delivered_at(connection, [sync]).get(sync),
        rows_before=_rows_before(connection, ended) if ended is not None else None,
    )


def _rows_before(connection: sa.Connection, run: RunReport) -> int | None:
    """As the view ``row_count_changes`` has it."""
    if run.status is Status.FAILED or run.reads not in _WHOLE or run.piece is not None:
        return None
    everything = sa.func.coalesce(RUN.c.read_from, 0) == 0
    before = (
        sa.select(RUN)
        .where(
            RUN.c.sync == run.sync,
            RUN.c.started_at < run.started_at,
            RUN.c.status.in_([Status.COMPLETED.value, Status.SOME_ROWS_FAILED.value]),
            RUN.c.reads.in_(_WHOLE),
            RUN.c.piece.is_(None),
            sa.not_(everything) if run.read_from else everything,
        )
        .order_by(RUN.c.started_at.desc(), RUN.c.run_id.desc())
        .limit(1)
    )
    found = next(iter(run_reports(connection, before)), None)
    return found.total.extracted if found is not None else None


def sent_so_far(store: Store) -> dict[tuple[str, str], str]:
    """By channel and sync, what was sent, as ``settle`` was given it. Raises StateError."""
    with store.reading() as connection:
        return {(row.channel, row.sync): row.sent for row in connection.execute(sa.select(ALERT))}


def claim(store: Store, channel: str, *, sync: str, now: datetime) -> str | None:
    """Takes the right to alert a channel about a sync, for ``RESERVED_FOR``.

    Returns:
        What the channel has heard so far, empty for nothing; None where another process has the right, or it is too
        early to try again.

    Raises:
        StateError: The state database cannot be used.
    """
    own = (ALERT.c.channel == channel, ALERT.c.sync == sync)
    free = sa.or_(ALERT.c.not_before.is_(None), ALERT.c.not_before <= now)
    with store.writing() as connection:
        insert = store.insert(ALERT)
        connection.execute(insert.values(channel=channel, sync=sync, sent="").on_conflict_do_nothing())
        taken = connection.execute(sa.update(ALERT).where(*own, free).values(not_before=now + RESERVED_FOR))
        if taken.rowcount == 0:
            return None
        before: str = connection.execute(sa.select(ALERT.c.sent).where(*own)).scalar_one()
    return before


def settle(store: Store, channel: str, *, sync: str, sent: str, not_before: datetime | None = None) -> None:
    """Gives the right back.

    Args:
        store: Where it is remembered.
        channel: The channel's name.
        sync: The sync's name.
        sent: What was sent up to now.
        not_before: When it may be tried again; None: at once.

    Raises:
        StateError: The state database cannot be used.
    """
    own = (ALERT.c.channel == channel, ALERT.c.sync == sync)
    with store.writing() as connection:
        connection.execute(sa.update(ALERT).where(*own).values(sent=sent, not_before=not_before))
