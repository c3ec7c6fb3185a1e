"""``status``: every sync with its last run, its next one, and how fresh its data is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reverse_etl.cli import words
from reverse_etl.cli.project import AsJson, SyncsFolder
from reverse_etl.cli.tables import Rows, say

if TYPE_CHECKING:
    from collections.abc import Collection

    from rich.text import Text

    from reverse_etl.config.schedule import ScheduleConfig
    from reverse_etl.config.syncs import ProjectConfig, SyncConfig
    from reverse_etl.report import RunReport
    from reverse_etl.state.home import Home
    from reverse_etl.state.store import Store
    from reverse_etl.state.syncs import SyncState

EXAMPLES: Final = ("status", "status --json")

NO_DAEMON: Final = (
    "No scheduled run starts: Dagster's daemon does not run here. Start it with `reverse-etl ui`, or "
    "`dagster-daemon run` on a server. Runs by hand work all the same."
)


def status(syncs: SyncsFolder = Path("syncs"), as_json: AsJson = False) -> None:
    """Show every sync: status, last and next run, rows, failed rows, last sync time, freshness."""
    from reverse_etl.config.loader import load_project
    from reverse_etl.state.home import Home

    project = load_project(syncs)
    found = look(project, Home.from_environment(syncs))
    if as_json:
        words.print_json([status.as_json() for status in found])
    else:
        _show(found, project)
    if any(status.unattended for status in found):
        say(words.console(stderr=True), NO_DAEMON)


def look(project: ProjectConfig, home: Home) -> list[SyncStatus]:
    """Every sync of the files, now; a warning on stderr where Dagster's storage cannot be read. Raises StateError."""
    from reverse_etl.cli.toggles import daemon_runs, switched_off
    from reverse_etl.errors import StateError
    from reverse_etl.state.store import open_store
    from reverse_etl.state.workspace_lease import end_lost

    store = open_store(home.state_url)
    end_lost(store)
    off, daemon, now = None, None, datetime.now(UTC)
    try:
        off = switched_off(home, project.syncs.values())
        daemon = daemon_runs(home, now)
    except StateError as error:
        say(words.console(stderr=True), f"Warning: {error}")
    return statuses(project, store, now, off, daemon=daemon)


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """One sync at one moment.

    Attributes:
        sync: Its file.
        state: What is remembered of it.
        run: Its newest run that was not skipped; None before the first.
        now: The moment, aware UTC.
        off: Whether its schedule is off in Dagster's UI; None where that is not known.
        delivered_at: When its last run that delivered ended, with failed rows or without; None before.
        daemon: Whether a daemon of Dagster's runs, which starts due runs; None where that is not known.
    """

    sync: SyncConfig
    state: SyncState
    run: RunReport | None
    now: datetime
    off: bool | None = False
    daemon: bool | None = None
    delivered_at: datetime | None = None

    @property
    def word(self) -> str:
        """``active``, or ``paused`` here or in Dagster's UI."""
        return "paused" if self.state.paused or self.off else "active"

    @property
    def last_sync_at(self) -> datetime | None:
        """When the last completed run started; None before there was one."""
        return words.at_unix(self.state.last_sync_time)

    @property
    def next_run_at(self) -> datetime | None:
        """When the sync is next due; None when it is paused, runs by hand, or was never seen and has no start."""
        paused = self.word == "paused"
        return None if paused else next_due(self.sync.schedule, self.state.first_seen_at, self.now)

    @property
    def unattended(self) -> bool:
        """Whether nothing starts its next run: it is due by itself, and no daemon runs."""
        return self.daemon is False and self.word == "active" and not self.sync.schedule.manual

    @property
    def stale(self) -> bool:
        """Whether the last delivery, or else the day the sync was first seen, is two intervals back."""
        from reverse_etl.notify.freshness import age, is_stale

        return is_stale(self.sync.schedule, age(self.state, self.delivered_at, self.now), self.now)

    @property
    def freshness(self) -> str:
        """How old the workspace's data is, in words."""
        delivered_at = self.delivered_at or self.last_sync_at
        return words.from_now(delivered_at, self.now) + (", stale" if self.stale else "")

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
        from reverse_etl.report import RunReport, Status

        blank = RunReport(sync=self.sync.name, run_id="", status=Status.RUNNING, started_at=self.now).as_json()
        return {
            **(dict.fromkeys(blank) if self.run is None else self.run.as_json()),
            "sync": self.sync.name,
            "workspace": self.sync.destination,
            "kind": self.sync.kind,
            "sync_status": self.word,
            "off_in_dagster": self.off,
            "daemon_running": self.daemon,
            "last_sync_time": self.state.last_sync_time,
            "last_sync_at": words.iso(self.last_sync_at),
            "freshness": self.freshness,
            "stale": self.stale,
            "next_run": words.iso(self.next_run_at),
            "failed_rows": self.failed_rows,
            "changes": self.changes,
        }


def statuses(
    project: ProjectConfig,
    store: Store,
    now: datetime,
    off: Collection[str] | None = (),
    *,
    daemon: bool | None = None,
) -> list[SyncStatus]:
    """Every sync of the files, by name; ``off`` are those whose schedule is off in Dagster's UI. Raises StateError."""
    from reverse_etl.state.run_history import last_delivered_at, latest_runs
    from reverse_etl.state.syncs import SyncState, every_sync

    states = {state.name: state for state in every_sync(store)}
    runs = latest_runs(store)
    with store.reading() as connection:
        delivered = last_delivered_at(connection)
    return [
        SyncStatus(
            sync,
            states.get(name, SyncState(name)),
            runs.get(name),
            now,
            off=None if off is None else name in off,
            daemon=daemon,
            delivered_at=delivered.get(name),
        )
        for name, sync in sorted(project.syncs.items())
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


def _show(found: list[SyncStatus], project: ProjectConfig) -> None:
    console = words.console()
    if not found:
        say(console, f"There are no syncs in {project.directory} yet.")
        return
    columns = ("sync", "status", "last run", "rows", "failed", "last sync time", "next run")
    how = [_changes(status) for status in found]
    table = Rows((*columns, "changes"), numbers=("rows", "failed"), below="changes", always_below=True)
    for status, changes in zip(found, how, strict=True):
        run = status.run
        table.add(
            words.text(status.sync.name, "bold"),
            words.status_text(status.word),
            words.status_text(run.status.value).append(_when(run, status.now)) if run else "none yet",
            f"{run.rows.delivered:,} of {run.rows.extracted:,}" if run else "",
            _failed_rows(status),
            _last_sync_time(status),
            _next_run(status),
            changes,
        )
    table.show(console)
    if not any(status.run for status in found):
        say(console, "No sync has run yet: start one with `reverse-etl run SYNC`.")


def _changes(status: SyncStatus) -> str:
    """How it finds its changes, where it compares; empty where it does not."""
    found = status.changes
    if found["level"] is None:
        return ""
    gone = (f"{'' if name == 'rows' else f'{name}.'}gone: {action}" for name, action in found["gone"].items())
    return " · ".join((f"by: {found['by']}", f"level: {found['level']}", *gone))


def _failed_rows(status: SyncStatus) -> str:
    """How many failed, and how many the next run reads again by their identifiers."""
    if status.failed_rows is None:
        return ""
    carried = status.run.carried if status.run else None
    return f"{status.failed_rows:,}" + (f"\n{carried.left:,} carried" if carried and carried.left else "")


def _last_sync_time(status: SyncStatus) -> Text:
    freshness = words.text(status.freshness, words.STATUS_STYLES["stale"] if status.stale else "")
    seconds = f"\n{status.state.last_sync_time}\n{words.clock(status.last_sync_at)}" if status.last_sync_at else ""
    return freshness.append(seconds)


def _when(run: RunReport, now: datetime) -> str:
    took = f"\ntook {run.duration_s:.1f} s" if run.status != "running" else ""
    return f"\n{words.from_now(run.started_at, now)}{took}"


def _next_run(status: SyncStatus) -> str:
    if status.off:
        return "paused, and off in Dagster's UI" if status.state.paused else "off in Dagster's UI"
    if status.state.paused:
        return "paused"
    if status.sync.schedule.manual:
        return "by hand"
    due = words.from_now(status.next_run_at, status.now, never="when first scheduled")
    return f"no daemon\ndue {due}" if status.unattended else due
