"""How a run that came to its end has ended: by its counts, and by whether they are those of the rows that were read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reverse_etl.errors import SOME_ROWS_FAILED_EXIT_CODE
from reverse_etl.report import Counts, Status

if TYPE_CHECKING:
    from reverse_etl.changeset.parts import RunFolder
    from reverse_etl.config.syncs import SyncConfig


def verdict(sync: SyncConfig, folder: RunFolder, rows: Counts, relationships: Counts) -> tuple[Status, str, int]:
    """The status, the first line for people, and what the command ends with.

    Args:
        sync: The sync.
        folder: The run's folder.
        rows: What became of the rows of its query.
        relationships: The same of its relationships.
    """
    from reverse_etl.checks.builtin.event_keys import repeated_note
    from reverse_etl.delivery.read_back import earlier

    status, message, exit_code = _verdict(sync, folder, rows, relationships)
    facts = folder.facts()
    repeated = repeated_note(folder.parts("rows"))
    for note in (repeated, facts.note if facts else "", earlier(folder, sync.name)):
        if note:
            message = f"{message} {note}" if message else f"{sync.where}: {note}"
    return status, message, exit_code


def _verdict(sync: SyncConfig, folder: RunFolder, rows: Counts, relationships: Counts) -> tuple[Status, str, int]:
    from reverse_etl.delivery.read_back import not_verified
    from reverse_etl.run.resume import same_changeset

    total = rows + relationships
    if not (rows.balanced and relationships.balanced and same_changeset(sync, folder)):
        message = (
            f"{sync.where}: the run's books do not balance: {total.extracted:,} rows were read, "
            f"but those with an outcome are not the same; last sync time stays. Run: reverse-etl run {sync.name} --full"
        )
        return Status.FAILED, message, 1
    if total.failed:
        message = (
            f"{sync.where}: {total.failed:,} of {total.extracted:,} rows failed, {total.delivered:,} were delivered; "
            f"last sync time stays. See: reverse-etl errors {sync.name}"
        )
        return Status.SOME_ROWS_FAILED, message, SOME_ROWS_FAILED_EXIT_CODE
    unverified = not_verified(folder) if total.delivered else ""
    if unverified:
        unverified = f"{sync.where}: what became of the rows after they were accepted was not verified: {unverified}"
    return Status.COMPLETED, unverified, 0
