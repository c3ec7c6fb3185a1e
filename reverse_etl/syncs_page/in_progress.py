"""How far a run of another process is, as its folder on this machine shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from reverse_etl.counted import counted
from reverse_etl.ledger.journal import JOURNAL_FILE, Journal
from reverse_etl.report import Outcome
from reverse_etl.state.run_history import root_of_run

if TYPE_CHECKING:
    from reverse_etl.changeset.parts import Parts, RunFolder
    from reverse_etl.report import RunReport
    from reverse_etl.state.home import Home
    from reverse_etl.state.store import Store


@dataclass(frozen=True, slots=True)
class InProgress:
    """How far a run is.

    Attributes:
        sentence: In words.
        done: Rows that have an outcome.
        total: Rows that were read; 0 while they are read, and where that is not known here.
    """

    sentence: str
    done: int = 0
    total: int = 0


def in_progress(home: Home, store: Store, run: RunReport) -> InProgress:
    """How far a run is. Raises StateError where the history cannot be read."""
    folder = home.run_folder(run.sync, root_of_run(store, run.run_id))
    if not folder.path.is_dir():
        return InProgress("Its rows lie on another machine, or are not there yet.")
    try:
        return _looked_at(folder)
    except (OSError, ValueError, pa.ArrowException):  # a file that is written or removed in this moment
        return InProgress("It is in progress.")


def _looked_at(folder: RunFolder) -> InProgress:
    rows = folder.sent()
    if not rows:
        read = sum(map(_rows_stored, [folder.parts(each.name) for each in folder.path.iterdir() if each.is_dir()]))
        return InProgress(f"Reading: {counted(read, 'row')} so far.")
    total, streams = sum(rows.values()), [folder.parts(name) for name in rows]
    if not any(parts.checked for parts in streams):
        return InProgress(f"Checking {counted(total, 'row')}.", 0, total)
    settled = [entry for parts in streams for entry in Journal(parts.folder / JOURNAL_FILE).entries()]
    sent, failed = 0, 0
    for entry in settled:
        rows_of_entry = sum(last - first + 1 for first, last in entry.ranges)
        sent += rows_of_entry
        failed += rows_of_entry if entry.outcome is Outcome.REFUSED else 0
    left = sum(int((parts.outcomes(rows[parts.stream]) == Outcome.UNDELIVERED).sum()) for parts in streams)
    before = max(total - left, 0)
    refused = f", {failed:,} of them refused" if failed else ""
    return InProgress(f"Sending: {sent:,} of {counted(left, 'row')} have an answer{refused}.", before + sent, total)


def _rows_stored(parts: Parts) -> int:
    return sum(pq.read_metadata(path).num_rows for path in parts.paths())
