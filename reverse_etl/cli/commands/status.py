"""``status``: every sync with its last run, its next one, and how fresh its data is."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reverse_etl.cli import words
from reverse_etl.cli.project import AsJson, SyncsFolder
from reverse_etl.cli.tables import Rows, say
from reverse_etl.syncs_page.loading import loading, still_loaded
from reverse_etl.syncs_page.sync_status import SyncStatus, statuses

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from reverse_etl.config.left_out import LeftOut
    from reverse_etl.config.syncs import SyncConfig
    from reverse_etl.report import RunReport
    from reverse_etl.state.home import Home
    from reverse_etl.syncs_page.left_out_status import LeftOutStatus

EXAMPLES: Final = ("status", "status --json")

NO_DAEMON: Final = (
    "No scheduled run starts: Dagster's daemon does not run here. Start it with `reverse-etl ui`, or "
    "`dagster-daemon run` on a server. Runs by hand work all the same."
)


def status(syncs: SyncsFolder = Path("syncs"), as_json: AsJson = False) -> None:
    """Show every sync: status, last and next run, rows, failed rows, last sync time, freshness.

    A sync whose own file is faulty has what is remembered of it. The problems follow, and who is left out for them;
    it exits with 2.
    """
    from reverse_etl.config.folder_now import found_in
    from reverse_etl.config.left_out import by_reason, stops_all
    from reverse_etl.config.loader import inspect_project
    from reverse_etl.config.problems import lines
    from reverse_etl.errors import ConfigProblemsError
    from reverse_etl.state.home import Home
    from reverse_etl.state.store import open_store
    from reverse_etl.syncs_page.left_out_status import left_out_statuses

    files = inspect_project(syncs)
    now = found_in(files)
    if now.project is None and not now.syncs and not now.left_out:
        raise ConfigProblemsError(lines(files.problems))
    home = Home.from_environment(syncs)
    found = look_and_warn(now.syncs, home, left_out=now.left_out)
    faulty = left_out_statuses(
        {name: now.left_out[name] for name in now.faulty}, open_store(home.state_url), datetime.now(UTC)
    )
    people = words.console(stderr=True)
    if as_json:
        words.print_json([*(each.as_json() for each in found), *(each.as_json() for each in faulty)])
    else:
        _show(found, faulty, syncs.expanduser().absolute())
    if any(status.unattended for status in found):
        say(people, NO_DAEMON)
    if not_as_the_files := loading(found):
        say(people, not_as_the_files)
    if gone := still_loaded(without_file(home, files.syncs)):
        say(people, gone)
    for _, names, short in by_reason(now.left_out):
        say(people, f"{names}: left out, {short}.")
    if files.problems:
        raise ConfigProblemsError(lines(files.problems), stops_all(now.left_out))


def without_file(home: Home, known: Collection[str]) -> list[str]:
    """The syncs that Dagster has loaded and that have no file; ``known`` have one. Raises StateError."""
    from reverse_etl.state.loaded import loaded
    from reverse_etl.state.store import open_store

    with open_store(home.state_url).reading() as connection:
        return loaded(connection, datetime.now(UTC)).without_file(known)


def look_and_warn(
    syncs: Mapping[str, SyncConfig], home: Home, *, left_out: Mapping[str, LeftOut] | None = None
) -> list[SyncStatus]:
    """These syncs, now; a warning on stderr where Dagster's storage cannot be read. Raises StateError."""
    found, warning = look(syncs, home, left_out=left_out)
    if warning:
        say(words.console(stderr=True), f"Warning: {warning}")
    return found


def look(
    syncs: Mapping[str, SyncConfig], home: Home, *, left_out: Mapping[str, LeftOut] | None = None
) -> tuple[list[SyncStatus], str]:
    """These syncs, now, and why Dagster's storage cannot be read; empty where it can. Raises StateError.

    Args:
        syncs: By name.
        home: The home folder.
        left_out: Those that faulty files keep from running, by name.
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
    return statuses(syncs, store, now, off, daemon=daemon, left_out=left_out), warning


def _show(found: list[SyncStatus], faulty: list[LeftOutStatus], folder: Path) -> None:
    console = words.console()
    every: list[SyncStatus | LeftOutStatus] = [*found, *faulty]
    if not every:
        say(console, f"There are no syncs in {folder} yet.")
        return
    columns = ("sync", "status", "last run", "rows", "failed", "data arrived", "last sync time", "next run")
    how = [*map(_changes, found), *("" for _ in faulty)]
    names = [*(status.sync.name for status in found), *(status.name for status in faulty)]
    table = Rows((*columns, "changes"), numbers=("rows", "failed"), below="changes", always_below=True)
    for name, status, changes in zip(names, every, how, strict=True):
        run = status.run
        table.add(
            words.text(name, "bold"),
            words.status_text(status.word),
            words.status_text(run.status.value).append(_when(run, status.now)) if run else "none yet",
            f"{run.rows.delivered:,} of {run.rows.extracted:,}" if run else "",
            _failed_rows(status),
            words.text(status.freshness, words.STATUS_STYLES["stale"] if _stale(status) else ""),
            _last_sync_time(status),
            status.next_run,
            changes,
        )
    table.show(console)
    if not any(status.run for status in every):
        say(console, "No sync has run yet: start one with `reverse-etl run SYNC`.")


def _changes(status: SyncStatus) -> str:
    """How it finds its changes, where it compares; empty where it does not."""
    found = status.changes
    if found["level"] is None:
        return ""
    gone = (f"{'' if name == 'rows' else f'{name}.'}gone: {action}" for name, action in found["gone"].items())
    return " · ".join((f"by: {found['by']}", f"level: {found['level']}", *gone))


def _stale(status: SyncStatus | LeftOutStatus) -> bool:
    return isinstance(status, SyncStatus) and status.stale


def _failed_rows(status: SyncStatus | LeftOutStatus) -> str:
    """How many failed, and how many the next run reads again by their identifiers."""
    if status.failed_rows is None:
        return ""
    carried = status.run.carried if status.run else None
    return f"{status.failed_rows:,}" + (f"\n{carried.left:,} carried" if carried and carried.left else "")


def _last_sync_time(status: SyncStatus | LeftOutStatus) -> str:
    """As queries have it and as people read it, and how far a reading in pieces has come."""
    time = f"{status.state.last_sync_time}\n{words.clock(status.last_sync_at)}" if status.last_sync_at else "none yet"
    return f"{time}\n{status.pieces_read}".rstrip() if isinstance(status, SyncStatus) else time


def _when(run: RunReport, now: datetime) -> str:
    took = f"\ntook {run.duration_s:.1f} s" if run.status != "running" else ""
    return f"\n{words.from_now(run.started_at, now)}{took}"
