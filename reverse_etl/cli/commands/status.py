"""``status``: every sync with its last run, its next one, and how fresh its data is."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reverse_etl.cli import words
from reverse_etl.cli.project import AsJson, SyncsFolder
from reverse_etl.cli.tables import Rows, say
from reverse_etl.syncs_page.loading import loading
from reverse_etl.syncs_page.sync_status import SyncStatus, statuses

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reverse_etl.config.syncs import SyncConfig
    from reverse_etl.report import RunReport
    from reverse_etl.state.home import Home

EXAMPLES: Final = ("status", "status --json")

NO_DAEMON: Final = (
    "No scheduled run starts: Dagster's daemon does not run here. Start it with `reverse-etl ui`, or "
    "`dagster-daemon run` on a server. Runs by hand work all the same."
)


def status(syncs: SyncsFolder = Path("syncs"), as_json: AsJson = False) -> None:
    """Show every sync: status, last and next run, rows, failed rows, last sync time, freshness.

    While files have problems, the syncs of the others are shown, then the problems; it exits with 2.
    """
    from reverse_etl.config.faulty import STOPS_ALL
    from reverse_etl.config.loader import inspect_project
    from reverse_etl.config.problems import lines
    from reverse_etl.errors import ConfigProblemsError
    from reverse_etl.state.home import Home

    files = inspect_project(syncs)
    faulty = files.faulty
    readable = {name: sync for name, sync in files.configs.items() if name not in faulty}
    if files.problems and not readable:
        raise ConfigProblemsError(lines(files.problems))
    found = look_and_warn(readable, Home.from_environment(syncs), blocked=bool(files.problems))
    if as_json:
        words.print_json([status.as_json() for status in found])
    else:
        _show(found, syncs.expanduser().absolute())
    if any(status.unattended for status in found):
        say(words.console(stderr=True), NO_DAEMON)
    if not_as_the_files := loading(found):
        say(words.console(stderr=True), not_as_the_files)
    if files.problems:
        say(words.console(stderr=True), STOPS_ALL)
        raise ConfigProblemsError(lines(files.problems))


def look_and_warn(syncs: Mapping[str, SyncConfig], home: Home, *, blocked: bool = False) -> list[SyncStatus]:
    """These syncs, now; a warning on stderr where Dagster's storage cannot be read. Raises StateError."""
    found, warning = look(syncs, home, blocked=blocked)
    if warning:
        say(words.console(stderr=True), f"Warning: {warning}")
    return found


def look(syncs: Mapping[str, SyncConfig], home: Home, *, blocked: bool = False) -> tuple[list[SyncStatus], str]:
    """These syncs, now, and why Dagster's storage cannot be read; empty where it can. Raises StateError.

    Args:
        syncs: By name.
        home: The home folder.
        blocked: Whether a faulty file of their folder keeps their runs from starting.
    """
    from reverse_etl.cli.toggles import daemon_runs, switched_off
    from reverse_etl.errors import StateError
    from reverse_etl.state.store import open_store
    from reverse_etl.state.workspace_lease import end_lost

    store = open_store(home.state_url)
    end_lost(store)
    off, daemon, warning, now = None, None, "", datetime.now(UTC)
    try:
        off = switched_off(home, syncs.values())
        daemon = daemon_runs(home, now)
    except StateError as error:
        warning = str(error)
    return statuses(syncs, store, now, off, daemon=daemon, blocked=blocked), warning


def _show(found: list[SyncStatus], folder: Path) -> None:
    console = words.console()
    if not found:
        say(console, f"There are no syncs in {folder} yet.")
        return
    columns = ("sync", "status", "last run", "rows", "failed", "data arrived", "last sync time", "next run")
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
            words.text(status.freshness, words.STATUS_STYLES["stale"] if status.stale else ""),
            _last_sync_time(status),
            status.next_run,
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


def _last_sync_time(status: SyncStatus) -> str:
    """As queries have it and as people read it, and how far a reading in pieces has come."""
    time = f"{status.state.last_sync_time}\n{words.clock(status.last_sync_at)}" if status.last_sync_at else "none yet"
    return f"{time}\n{status.pieces_read}".rstrip()


def _when(run: RunReport, now: datetime) -> str:
    took = f"\ntook {run.duration_s:.1f} s" if run.status != "running" else ""
    return f"\n{words.from_now(run.started_at, now)}{took}"
