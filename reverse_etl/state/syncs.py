"""What is remembered of a sync: its last sync time, which workspace's that is, whether it is paused."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from reverse_etl.changeset.recipient import Recipient
from reverse_etl.state.schema import SYNC

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reverse_etl.changeset.extract import Before
    from reverse_etl.state.store import Store

_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class SyncState:
    """What is remembered of one sync.

    Attributes:
        workspace: That of its newest run; empty before the first.
        last_sync_time: Unix seconds that the next run will use; 0 until a run has completed.
        first_seen_at: Aware UTC; None before it was first scheduled or run.
        paused: Whether due runs are left out.
        last_run_id: Its newest run that was not skipped; empty before the first.
        reaches_to: What the run left that last sync time is the start of; ``clock_ahead_s`` and ``asked`` likewise
            (``Reading``).
        recipient: Whose last sync time it is; None where that is not known.
        place: Like ``reaches_to``; empty for none.
        carried: The run that left failed rows for the next one to read again; empty for none.
    """

    name: str
    workspace: str = ""
    last_sync_time: int = 0
    first_seen_at: datetime | None = None
    paused: bool = False
    last_run_id: str = ""
    reaches_to: int | None = None
    clock_ahead_s: float | None = None
    asked: dict[str, str] = field(default_factory=dict)
    recipient: Recipient | None = None
    place: str = ""
    carried: str = ""

    def before(self) -> Before:
        """What the next run is to know of the last completed one."""
        from reverse_etl.changeset.extract import Before
        from reverse_etl.changeset.watermark import Watermark

        return Before(Watermark(self.last_sync_time, self.reaches_to, self.clock_ahead_s), self.asked, self.place)


def every_sync(store: Store) -> list[SyncState]:
    """Every sync that was ever scheduled, paused or run, by name. Raises StateError."""
    with store.reading() as connection:
        return [state_of(row) for row in connection.execute(sa.select(SYNC).order_by(SYNC.c.name))]


def sync_state(store: Store, name: str) -> SyncState:
    """One sync; as never seen where nothing is remembered of it. Raises StateError."""
    with store.reading() as connection:
        row = connection.execute(sa.select(SYNC).where(SYNC.c.name == name)).one_or_none()
    return state_of(row) if row else SyncState(name)


def last_sync_time(store: Store, sync: str) -> int:
    """Unix seconds that the sync's next run uses; 0 until a run has completed."""
    return sync_state(store, sync).last_sync_time


def is_paused(store: Store, sync: str) -> bool:
    """Whether the sync's due runs are left out."""
    return sync_state(store, sync).paused


def first_seen_at(store: Store, sync: str) -> datetime | None:
    """When the sync was first scheduled or run, aware UTC; None before."""
    return sync_state(store, sync).first_seen_at


def times_first_seen(store: Store) -> dict[str, datetime]:
    """When each sync was first scheduled or run, aware UTC, by its name; those that were not are left out.

    Raises:
        StateError: The state database cannot be used.
    """
    seen = sa.select(SYNC.c.name, SYNC.c.first_seen_at).where(SYNC.c.first_seen_at.is_not(None))
    with store.reading() as connection:
        return dict(connection.execute(seen).tuples().all())


def set_paused(store: Store, sync: str, paused: bool) -> None:
    """Pauses or resumes a sync; doing so twice changes nothing."""
    with store.writing() as connection:
        put(store, connection, sync, {"paused": paused})


def record_seen(store: Store, sync: str, workspace: str, at: datetime) -> datetime:
    """Remembers when a sync was first seen, and returns it: the first ``at`` of all calls, aware UTC."""
    seen = first_seen_at(store, sync)
    if seen is not None:
        return seen
    with store.writing() as connection:
        see(store, connection, sync, workspace, at)
        first: datetime = connection.execute(sa.select(SYNC.c.first_seen_at).where(SYNC.c.name == sync)).scalar_one()
    return first


def note_tick(store: Store, sync: str, workspace: str, *, grid: str, at: datetime) -> datetime | None:
    """Remembers that a sync's schedule was looked at, and returns when it was before.

    Args:
        store: The state.
        sync: The sync's name.
        workspace: The workspace's name.
        grid: What distinguishes this schedule from one that the file had earlier.
        at: The tick's time, aware.

    Returns:
        The latest tick's time before, aware UTC: the epoch where there was none, None where it was one of another grid.

    Raises:
        StateError: The state database cannot be used.
    """
    record_seen(store, sync, workspace, at)
    row = SYNC.c.name == sync
    with store.writing() as connection:
        before = connection.execute(sa.select(SYNC.c.ticked_at, SYNC.c.ticked_grid).where(row)).one()
        known = _NEVER if before.ticked_grid is None else before.ticked_at if before.ticked_grid == grid else None
        if known is None or known < at:
            connection.execute(sa.update(SYNC).where(row).values(ticked_at=at, ticked_grid=grid))
    return known


def note_interval(store: Store, sync: str, interval_s: float | None) -> None:
    """Remembers the longest time between due runs of a sync that was seen; None where runs start by hand.

    Raises:
        StateError: The state database cannot be used.
    """
    row = SYNC.c.name == sync
    with store.reading() as connection:
        known = connection.execute(sa.select(SYNC.c.interval_s).where(row)).one_or_none()
    if known is not None and known.interval_s != interval_s:
        with store.writing() as connection:
            connection.execute(sa.update(SYNC).where(row).values(interval_s=interval_s))


def feed_read_to(store: Store, sync: str) -> str:
    """Up to where a sync's runs have read the feed of what its workspace did not apply; empty where none has.

    Raises StateError.
    """
    with store.reading() as connection:
        return connection.execute(sa.select(SYNC.c.feed).where(SYNC.c.name == sync)).scalar_one_or_none() or ""


def remember_feed(store: Store, sync: str, position: str) -> None:
    """Remembers a position, once what lies before it is in the history; empty: nothing. Raises StateError."""
    if not position:
        return
    with store.writing() as connection:
        connection.execute(sa.update(SYNC).where(SYNC.c.name == sync).values(feed=position))


def adopt_recipient(store: Store, sync: str, recipient: Recipient) -> None:
    """Remembers the workspace of a last sync time that was remembered without one. Raises StateError."""
    unknown = sa.update(SYNC).where(SYNC.c.name == sync, SYNC.c.recipient.is_(None))
    with store.writing() as connection:
        connection.execute(unknown.values(recipient=recipient.as_text()))


def state_of(row: sa.Row[Any]) -> SyncState:
    """What is in a row of the table of syncs."""
    return SyncState(
        name=row.name,
        workspace=row.workspace,
        last_sync_time=row.last_sync_time,
        first_seen_at=row.first_seen_at,
        paused=row.paused,
        last_run_id=row.last_run_id or "",
        reaches_to=row.reaches_to,
        clock_ahead_s=row.clock_ahead_s,
        asked=json.loads(row.asked) if row.asked else {},
        recipient=Recipient.from_text(row.recipient),
        place=row.place or "",
        carried=row.carried or "",
    )


def see(store: Store, connection: sa.Connection, sync: str, workspace: str, at: datetime) -> None:
    """Writes down that a sync was scheduled, or has a run, of a workspace."""
    put(store, connection, sync, {"workspace": workspace})
    unseen = sa.update(SYNC).where(SYNC.c.name == sync, SYNC.c.first_seen_at.is_(None))
    connection.execute(unseen.values(first_seen_at=at))


def put(store: Store, connection: sa.Connection, sync: str, known: Mapping[str, Any]) -> None:
    """Writes what is now known of a sync; a sync of which nothing was, begins with it."""
    unknown = {"name": sync, "workspace": "", "last_sync_time": 0, "paused": False}
    store.put(connection, SYNC, {**unknown, **known}, known)
