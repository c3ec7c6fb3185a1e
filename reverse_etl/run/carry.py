"""Which failed rows a run leaves for the next ones to read again, where its sync asks for ``failed_rows: carry``.

A run takes over the rows of ``CarriedRows``, reads them besides what changed, and leaves those that failed in it, in a
file of its own. Which run's file holds is changed in the transaction that moves last sync time (``state.runs``).
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from reverse_etl.changeset.carried import MOST_CARRIED, CarriedRows, write_carried
from reverse_etl.changeset.failed_rows import with_attempts
from reverse_etl.changeset.parts import count
from reverse_etl.checks.not_found import NO_LONGER_FOUND
from reverse_etl.config.sql_text import reads_changes
from reverse_etl.errors import StateError
from reverse_etl.report import Carried
from reverse_etl.state import shared_changesets
from reverse_etl.state.runs import Carrying
from reverse_etl.state.syncs import sync_state

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from reverse_etl.changeset.parts import Facts
    from reverse_etl.config.streams import Stream
    from reverse_etl.config.syncs import SyncConfig
    from reverse_etl.run.record import SyncRun
    from reverse_etl.state.home import Home


def carries(sync: SyncConfig) -> bool:
    """Whether a sync's failed rows hold nothing back; where each run reads all rows, nothing is held back anyway."""
    return sync.failed_rows == "carry" and any(_returns_changes(sync, stream) for stream in sync.streams)


def _returns_changes(sync: SyncConfig, stream: Stream) -> bool:
    """Whether a run does not read all rows of a stream."""
    return sync.changes.by == "log" or reads_changes(stream.query)


def carried_rows(home: Home, sync: str, run_id: str) -> CarriedRows | None:
    """What a run left to the next, brought here; None where it left nothing. Raises StateError."""
    return CarriedRows(run_id, home.fetch_carried(sync, run_id)) if run_id else None


def failed_rows(run: SyncRun, facts: Facts | None, attempt: int) -> Iterator[pa.RecordBatch]:
    """A run's failed rows (``FAILED_ROWS``) as of an attempt; for a row that is carried, earlier runs' count too."""
    before: dict[tuple[str, str], int] = {}
    if facts is not None and facts.is_whole and (carried := carried_rows(run.home, run.sync.name, facts.carried)):
        before = carried.attempts()
    for batch in run.folder.failed_batches(attempt=attempt):
        if not before:
            yield batch
            continue
        keys = zip(*(batch.column(name).to_pylist() for name in ("query", "identifier")), strict=True)
        yield with_attempts(batch, np.array([attempt + before.get(key, 0) for key in keys], np.int64))


def carry(run: SyncRun, facts: Facts, attempt: int) -> Carrying | None:
    """Writes the rows that a run which came to its end leaves; None where its sync carries none and none are carried.

    Raises:
        StateError: They cannot be written.
    """
    remembered = sync_state(run.store, run.sync.name).carried
    if not remembered and not carries(run.sync):
        return None
    failed, unidentified = _failed(run, failed_rows(run, facts, attempt))
    # What is remembered was read as a whole by this run, and by no other since; or is among the rows of the pieces that
    # this one is the first of.
    first = facts.piece is not None and facts.piece.number == 1
    supersedes = (facts.is_whole or first) and facts.carried == remembered
    left, holds = failed, not carries(run.sync)
    if not supersedes and not holds and (before := carried_rows(run.home, run.sync.name, remembered)):
        # A file that is lost makes the next run read everything.
        left, holds = {**before.attempts(), **failed}, not before.path.is_file()
    holds = holds or len(left) > MOST_CARRIED
    after = remembered
    if holds and supersedes and not failed and not unidentified:
        after = ""
    elif not holds:
        after = run.run_id if left else ""
    if not holds and left:
        write_carried(run.home.carried_file(run.sync.name, run.run_id), left)
        if shared := run.home.share_carried(run.sync.name, run.run_id):
            shared_changesets.used(run.store, shared, datetime.now(UTC))
    counts = _counts(run, facts, left=0 if holds else len(left), unidentified=unidentified)
    return Carrying(before=remembered, after=after, holds=holds, counts=counts)


def forget(run: SyncRun, carrying: Carrying) -> None:
    """Removes the file that no run will read: the one before, or that of a run whose place another one took."""
    with suppress(StateError):
        holds = sync_state(run.store, run.sync.name).carried
        for run_id in {carrying.before, carrying.after} - {holds, ""}:
            run.home.remove_carried(run.sync.name, run_id)


def _failed(run: SyncRun, rows: Iterator[pa.RecordBatch]) -> tuple[dict[tuple[str, str], int], int]:
    """The attempt of those that can be asked for, a few more than are carried at most, and the number of the others."""
    by_changes = {stream.name for stream in run.sync.streams if _returns_changes(run.sync, stream)}
    found: dict[tuple[str, str], int] = {}
    unidentified = 0
    names = ("query", "identifier", "reason", "attempt")
    for batch in rows:
        columns = (batch.column(name).to_pylist() for name in names)
        for query, identifier, reason, attempt in zip(*columns, strict=True):
            if query not in by_changes or reason == NO_LONGER_FOUND:
                continue
            unidentified += not identifier
            if identifier and len(found) <= MOST_CARRIED:
                found[query, identifier] = attempt
    return found, unidentified


def _counts(run: SyncRun, facts: Facts, *, left: int, unidentified: int) -> Carried:
    read = delivered = gone = 0
    for stream, known in facts.streams.items():
        if known.carried:
            outcomes = run.folder.outcomes(stream)
            read += known.carried
            delivered += count(outcomes[known.rows - known.carried :]).delivered
        gone += known.gone
    return Carried(read, delivered, gone, left, unidentified)
