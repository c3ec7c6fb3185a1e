"""A run's files and the place that all machines share: fetched when a run begins on them, put there after each stage.

Without ``REVERSE_ETL_STORAGE_URL`` nothing happens here: the run's folder on this machine is the only one.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from reverse_etl.errors import StateError
from reverse_etl.ledger.journal_upload import merge
from reverse_etl.state import shared_changesets, workspace_lease

if TYPE_CHECKING:
    from pathlib import Path

    from reverse_etl.changeset.parts import RunFolder
    from reverse_etl.run.record import SyncRun
    from reverse_etl.state.home import Home
    from reverse_etl.state.store import Store


def fetch(folder: RunFolder) -> None:
    """Makes this machine's folder what all machines know of it, and what only this one knows known to all.

    Raises:
        StateError: The place cannot be reached, or the folder not be written.
    """
    if folder.shared is not None and folder.shared.fetch(folder.path):
        merge(folder)


def continue_changeset(home: Home, store: Store, folder: RunFolder, *, run_id: str) -> None:
    """Lets a run use the changeset of another one, on whatever machine its stages run. Raises StateError.

    Args:
        home: Where this machine's files lie.
        store: The state.
        folder: The other run's folder.
        run_id: The run.
    """
    sync, changeset = folder.path.parent.name, folder.path.name
    home.continue_changeset(sync, run_id, changeset)
    if folder.shared is not None:
        shared_changesets.used(store, f"changesets/{sync}/{run_id}", datetime.now(UTC))


def put_changeset(run: SyncRun) -> None:
    """Puts what was read where every machine finds it. Raises StateError."""
    folder = run.folder
    if folder.shared is not None:
        shared_changesets.used(run.store, folder.shared.name, datetime.now(UTC))
        folder.shared.put_changeset(folder.path)


def put(run: SyncRun) -> None:
    """Puts what a stage wrote where every machine finds it, while the run holds the lease. Raises StateError."""
    folder = run.folder
    if folder.shared is None or folder.facts() is None:
        return
    if workspace_lease.lives(run.store, run.lease_id) is not None:
        shared_changesets.used(run.store, folder.shared.name, datetime.now(UTC))
        folder.shared.put(folder.path)


def put_at_end(run: SyncRun, csv: Path | None) -> tuple[str, str]:
    """The same when the run is closed, with the failed rows; an error is returned as a sentence, not raised.

    Args:
        run: The run.
        csv: Its failed rows, on this machine; None where there are none.

    Returns:
        Where people find the CSV, empty where there is none; and what could not be put there: a sentence, or empty.
    """
    try:
        put(run)
        return (run.home.share_failed_rows(run.sync.name, run.run_id) if csv else ""), ""
    except StateError as error:
        return (str(csv) if csv else ""), f"what became of the rows is on this machine only: {error}"
