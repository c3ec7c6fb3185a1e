"""A run that continues where an earlier one stopped: when it may, and how it finds the earlier one's rows.

Which rows it need not send again is in the journal (``ledger.ledger``). Decision: docs/decisions/0003-resume.md.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from reverse_etl.changeset.asked import reads_by_time
from reverse_etl.changeset.columns import identifiers
from reverse_etl.changeset.parts import IN_DOUBT_FILE, JOBS_FILE, Facts, RunFolder, count
from reverse_etl.changeset.recipient import Recipient, rows_for
from reverse_etl.changeset.scope import WHAT_CHANGED, Reads, Scope
from reverse_etl.ledger.journal import JOURNAL_FILE
from reverse_etl.ledger.reconcile import same_rows
from reverse_etl.report import Status
from reverse_etl.run.overtaken import is_newest
from reverse_etl.run.remembers import compares
from reverse_etl.run.sharing import continue_changeset, fetch
from reverse_etl.state.interrupted_runs import CONTINUES, READS_AGAIN, READS_LESS, READS_OTHERS, end_gone, newest_run
from reverse_etl.state.pieces import is_next
from reverse_etl.state.snapshots import snapshot_of
from reverse_etl.workers.folder_lock import claimed, was_claimed

if TYPE_CHECKING:
    from reverse_etl.changeset.watermark import Watermark
    from reverse_etl.config.syncs import SyncConfig
    from reverse_etl.state.home import Home
    from reverse_etl.state.store import Store

YOUNG_ENOUGH: Final = timedelta(hours=24)
"""Rows that were read longer ago are read again rather than sent."""

_SENT_FILES: Final = (JOURNAL_FILE, JOBS_FILE, IN_DOUBT_FILE)
"""Of a stream, each shows that something was sent, or is at work."""

_STOPPED: Final = (Status.RUNNING, Status.FAILED, Status.CANCELED)


def take_over(
    sync: SyncConfig,
    home: Home,
    store: Store,
    *,
    run_id: str,
    mark: Watermark,
    scope: Scope = WHAT_CHANGED,
    late: timedelta | None = None,
    recipient: Recipient | None = None,
) -> str:
    """Lets a new run use the changeset of the sync's last run, if that stopped while it was being delivered.

    A last run whose process ended without a word, on this machine, has its end in the history afterwards.

    Args:
        sync: The sync.
        home: Where the changesets lie.
        store: What is remembered.
        run_id: The new run, not begun yet.
        mark: From when it would read what changed.
        scope: What it reads; only a run of what changed continues another one.
        late: How late rows may become visible; None: as the server reports.
        recipient: For whom it would read: rows that were read for another one are not sent.

    Returns:
        The run that is continued; empty where the rows are to be read again.
    """
    last = newest_run(store, sync.name)
    if last is None or last.run_id == run_id or last.status not in _STOPPED:
        return ""
    home.find_continued(sync.name, last.root_run_id)
    folder = home.run_folder(sync.name, last.root_run_id)
    if claimed(folder.path):
        return ""
    fetch(folder)
    facts = folder.facts()
    reads_changes = scope.reads is Reads.CHANGES
    continued = facts is not None and reads_changes and _continues(sync, folder, facts, mark, late)
    continued = continued and _is_for(folder, recipient)
    if continued and facts is not None and facts.piece is not None:
        continued = is_next(store, sync.name, facts.piece)
    if continued and facts is not None and compares(sync):
        continued = is_newest(snapshot_of(store, sync.name), facts.generation, folder.path.name)
    if continued:
        continue_changeset(home, store, folder, run_id=run_id)
    if was_claimed(folder.path):
        less = reads_changes and last.since is not None and last.since < mark.last_sync_time
        then = CONTINUES if continued else READS_LESS if less else READS_AGAIN
        if not scope.reads.is_whole:
            then = READS_OTHERS
        end_gone(store, last.run_id, by=run_id, then=then)
    return last.run_id if continued else ""


def _is_for(folder: RunFolder, recipient: Recipient | None) -> bool:
    rows = rows_for(folder)
    return rows is None or recipient is None or rows.recipient.is_same(recipient)


def _continues(sync: SyncConfig, folder: RunFolder, facts: Facts, mark: Watermark, late: timedelta | None) -> bool:
    age = datetime.now(UTC) - datetime.fromtimestamp(facts.started_at, UTC)
    return (
        facts.since == mark.last_sync_time
        and not (facts.next_last_sync_time == mark.last_sync_time and _is_settled(folder, facts))
        and (facts.read_from is None or not reads_by_time(sync) or facts.read_from <= mark.reach(late))
        and facts.version == sync.version
        and facts.reads.is_whole
        and abs(age) < YOUNG_ENOUGH
        and any((folder.parts(stream).folder / name).exists() for stream in facts.streams for name in _SENT_FILES)
        and same_changeset(sync, folder)
    )


def _is_settled(folder: RunFolder, facts: Facts) -> bool:
    """Whether each row has its outcome; a run that continued it, and was completed, leaves it so."""
    return not any(count(folder.outcomes(stream)).undelivered for stream in facts.streams)


def same_changeset(sync: SyncConfig, folder: RunFolder) -> bool:
    """Whether the rows with an outcome are those that were read; true where that was not written down."""
    facts = folder.facts()
    if facts is None:
        return True
    for stream in sync.streams:
        read = facts.streams.get(stream.name)
        if read is None or read.keys is None:
            continue
        identified = partial(identifiers, stream=stream)
        if not same_rows(folder.parts(stream.name), read.rows, read.keys, identified, stream.identifier):
            return False
    return True
