"""One sync at one moment: its last run, its next one, and how fresh its data is, for the terminal and the page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from reverse_etl.counted import counted
from reverse_etl.times import at_unix, from_now, iso

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from reverse_etl.config.left_out import LeftOut
    from reverse_etl.config.schedule import ScheduleConfig
    from reverse_etl.config.syncs import SyncConfig
    from reverse_etl.report import RunReport
    from reverse_etl.state.loaded import InDagster
    from reverse_etl.state.pieces import UnderWay
    from reverse_etl.state.store import Store
    from reverse_etl.state.syncs import SyncState

_STARTS_WITHIN: Final = timedelta(minutes=3)
"""A minute or two on a busy machine: its processes, and the first look of the sensor that notes what is loaded."""


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """One sync at one moment.

    Attributes:
        sync: Its file.
        state: What is remembered of it.
        run: Its newest run that was not skipped; None before the first.
        now: The moment, aware UTC.
        off: Whether its schedule is off in Dagster's UI; None where that is not known.
        pieces: How far a reading of everything in pieces has come; None where none is under way.
        delivered_at: When its last run that delivered ended, with failed rows or without; None before.
        daemon: Whether a daemon of Dagster's runs, which starts due runs; None where that is not known.
        loaded: Whether that daemon has it as its file is; None where that is not known.
        left_out: Why a faulty file keeps its runs from starting; None where none does.
        dagster_since: When Dagster, with its daemon, was started for these syncs; None where others start it.
    """

    sync: SyncConfig
    state: SyncState
    run: RunReport | None
    now: datetime
    off: bool | None = False
    daemon: bool | None = None
    delivered_at: datetime | None = None
    pieces: UnderWay | None = None
    loaded: InDagster | None = None
    left_out: LeftOut | None = None
    dagster_since: datetime | None = None

    @property
    def pieces_read(self) -> str:
        """How much of everything was read, in words; empty where no pieces are left."""
        if self.pieces is None:
            return ""
        done, of = self.pieces.piece.number - 1, self.pieces.piece.of
        return f"{done:,} of {counted(of, 'piece')} read, about {100 * done // of} %"

    @property
    def word(self) -> str:
        """``active``, or ``paused`` here or in Dagster's UI."""
        return "paused" if self.state.paused or self.off else "active"

    @property
    def last_sync_at(self) -> datetime | None:
        """When the last completed run started; None before there was one."""
        return at_unix(self.state.last_sync_time)

    @property
    def next_run_at(self) -> datetime | None:
        """When the sync is next due, or runs at the latest where it runs after others.

        None when it is paused, runs by hand, or was never seen and has no start, and while a faulty file leaves it out.
        """
        if self.word == "paused" or self.left_out is not None:
            return None
        if self.sync.schedule.after:
            from reverse_etl.schedule.after import at_the_latest

            started_at = self.run.started_at if self.run is not None else None
            return at_the_latest(self.sync.schedule, started_at, self.state.first_seen_at)
        return next_due(self.sync.schedule, self.state.first_seen_at, self.now)

    @property
    def unattended(self) -> bool:
        """Whether nothing starts its next run: it is due by itself, and no daemon runs, nor is one starting."""
        waits = self.word == "active" and not self.sync.schedule.manual and self.left_out is None
        return self.daemon is False and not self.starting and waits

    @property
    def starting(self) -> bool:
        """Whether Dagster was started a moment ago, and has yet to give a sign that it runs and has the files."""
        if self.dagster_since is None or (self.daemon and self.loaded is not None):
            return False
        return self.now - self.dagster_since < _STARTS_WITHIN

    @property
    def in_dagster(self) -> InDagster | Literal["unknown", ""]:
        """Whether the daemon that starts it has it as its file is; empty where none runs, or whether is not known."""
        return (self.loaded or "unknown") if self.daemon else ""

    @property
    def next_run(self) -> str:
        """When it runs next, in words: a due time, or why none is; a line each where nothing starts it."""
        if self.off:
            return "paused, and off in Dagster's UI" if self.state.paused else "off in Dagster's UI"
        if self.state.paused:
            return "paused"
        if self.left_out is not None:
            return f"left out\n{self.left_out.short}"
        if self.sync.schedule.manual:
            return "by hand"
        due = from_now(self.next_run_at, self.now, never="when first scheduled")
        if after := self.sync.schedule.after:
            latest = "" if self.sync.schedule.every is None else f"\nat the latest {due}"
            return f"{self._kept_by}after {' and '.join(after)}{latest}"
        return f"{self._kept_by}due {due}" if self._kept_by else due

    @property
    def _kept_by(self) -> str:
        """What keeps the next run from being as the file says, a line; empty for nothing."""
        if self.unattended:
            return "no daemon\n"
        if self.starting:
            return "Dagster is starting\n"
        return {"not_loaded": "not loaded by Dagster\n", "older": "older in Dagster\n"}.get(self.in_dagster, "")

    @property
    def stale(self) -> bool:
        """Whether the last delivery, or else the day the sync was first seen, is two intervals back."""
        from reverse_etl.notify.freshness import age, is_stale

        return is_stale(self.sync.schedule, age(self.state, self.delivered_at, self.now), self.now)

    @property
    def freshness(self) -> str:
        """How old the workspace's data is, in words."""
        delivered_at = self.delivered_at or self.last_sync_at
        return from_now(delivered_at, self.now) + (", stale" if self.stale else "")

    @property
    def changes(self) -> dict[str, Any]:
        """How it finds what changed: ``by``, ``level`` of what is remembered, and what becomes of what is ``gone``."""
        from reverse_etl.run.remembers import level

        done = {stream.name: gone.action for stream in self.sync.streams if (gone := self.sync.gone(stream.name))}
        return {"by": self.sync.changes.by, "level": level(self.sync) or None, "gone": done}

    @property
    def failed_rows(self) -> int | None:
        """Failed rows of the last run, of both queries; None before the first."""
        return None if self.run is None else self.run.total.failed

    def as_json(self) -> dict[str, Any]:
        """The keys of ``run --json``, null before the first run, and what a run does not know."""
        return {
            **run_as_json(self.sync.name, self.run, self.now),
            "workspace": self.sync.destination,
            "kind": self.sync.kind,
            "sync_status": self.word,
            "off_in_dagster": self.off,
            "daemon_running": self.daemon,
            "in_dagster": self.in_dagster or None,
            **left_out_as_json(self.left_out),
            "last_sync_time": self.state.last_sync_time,
            "last_sync_at": iso(self.last_sync_at),
            "freshness": self.freshness,
            "stale": self.stale,
            "next_run": iso(self.next_run_at),
            "after": list(self.sync.schedule.after),
            "failed_rows": self.failed_rows,
            "changes": self.changes,
            "pieces": self._pieces_as_json(),
        }

    def _pieces_as_json(self) -> dict[str, int] | None:
        if self.pieces is None:
            return None
        piece = self.pieces.piece
        return {"next": piece.number, "of": piece.of, "rows_read": piece.rows_before}


def run_as_json(name: str, run: RunReport | None, now: datetime) -> dict[str, Any]:
    """The keys of ``run --json`` of a sync's newest run; null before the first."""
    from reverse_etl.report import RunReport, Status

    blank = RunReport(sync=name, run_id="", status=Status.RUNNING, started_at=now).as_json()
    return {**(dict.fromkeys(blank) if run is None else run.as_json()), "sync": name}


def left_out_as_json(why: LeftOut | None) -> dict[str, Any]:
    """The keys of ``status --json`` that say whether a faulty file leaves a sync out, and why."""
    said = {"reason": why.reason.value, "of": why.of or None, "message": why.why} if why is not None else None
    return {"blocked_by_faulty_file": why is not None, "left_out": said}


def statuses(
    syncs: Mapping[str, SyncConfig],
    store: Store,
    now: datetime,
    off: Collection[str] | None = (),
    *,
    daemon: bool | None = None,
    left_out: Mapping[str, LeftOut] | None = None,
) -> list[SyncStatus]:
    """Each of these syncs, by name; ``off`` are those whose schedule is off in Dagster's UI. Raises StateError."""
    from reverse_etl.state.loaded import loaded
    from reverse_etl.state.pieces import readings_under_way
    from reverse_etl.state.run_history import last_delivered_at, latest_runs
    from reverse_etl.state.syncs import SyncState, every_sync

    states = {state.name: state for state in every_sync(store)}
    runs, pieces = latest_runs(store), readings_under_way(store)
    with store.reading() as connection:
        delivered, in_dagster = last_delivered_at(connection), loaded(connection, now)
    return [
        SyncStatus(
            sync,
            states.get(name, SyncState(name)),
            runs.get(name),
            now,
            off=None if off is None else name in off,
            daemon=daemon,
            delivered_at=delivered.get(name),
            pieces=pieces.get(name),
            loaded=in_dagster.has(sync),
            left_out=(left_out or {}).get(name),
        )
        for name, sync in sorted(syncs.items())
    ]


def next_due(schedule: ScheduleConfig, first_seen_at: datetime | None, now: datetime) -> datetime | None:
    """When a sync is next due, aware UTC; None when it only runs by hand, or its grid has no start yet."""
    from reverse_etl.schedule.cadence import Cadence, first_due
    from reverse_etl.schedule.cron_times import next_cron_time

    if schedule.cron is not None:
        return next_cron_time(schedule.cron, now)
    start_at = schedule.start_at or (first_due(first_seen_at) if first_seen_at else None)
    if schedule.every is None or start_at is None:
        return None
    return Cadence(start_at=start_at, every=schedule.every).next_due(now)
