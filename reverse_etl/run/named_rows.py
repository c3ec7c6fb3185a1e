"""The rows that a run is asked for one by one: those that failed in an earlier run, or of a list of identifiers."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from reverse_etl.changeset.again import FailedBefore, Wanted
from reverse_etl.changeset.chosen import CHOSEN_FILE, Chosen, write_chosen
from reverse_etl.state import shared_changesets

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from reverse_etl.changeset.scope import Scope
    from reverse_etl.config.syncs import SyncConfig
    from reverse_etl.state.home import Home
    from reverse_etl.state.store import Store


def keep_identifiers(home: Home, store: Store, sync: str, identifiers: Sequence[str]) -> str:
    """Keeps a list of identifiers for a run, where every machine finds it, as long as a changeset that is not used.

    Returns:
        The list's id, for ``Scope.only``.

    Raises:
        StateError: It cannot be written.
    """
    list_id = str(uuid.uuid4())
    write_chosen(_path(home, sync, list_id), identifiers)
    folder = home.run_folder(sync, list_id)
    if folder.shared is not None:
        shared_changesets.used(store, folder.shared.name, datetime.now(UTC))
        folder.shared.put_one(folder.path, CHOSEN_FILE)
    return list_id


def named_rows(sync: SyncConfig, home: Home, scope: Scope) -> Wanted | None:
    """The rows that a scope names; None where it names none. Raises StateError."""
    if scope.retry_of:
        return FailedBefore(scope.retry_of, home.fetch_failed_rows(sync.name, scope.retry_of))
    if not scope.only:
        return None
    folder = home.run_folder(sync.name, scope.only)
    if folder.shared is not None and not _path(home, sync.name, scope.only).exists():
        folder.shared.fetch_one(folder.path, CHOSEN_FILE)
    return Chosen(_path(home, sync.name, scope.only), [stream.name for stream in sync.streams])


def _path(home: Home, sync: str, list_id: str) -> Path:
    return home.run_folder(sync, list_id).path / CHOSEN_FILE
