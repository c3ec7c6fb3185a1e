"""How far a run of another process is: reading, checking, sending, as its folder has it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from reverse_etl.changeset.facts import Facts, StreamFacts
from reverse_etl.changeset.parts import RunFolder, with_row_numbers
from reverse_etl.ledger.journal import JOURNAL_FILE, Entry, Journal
from reverse_etl.report import Outcome, RunReport, Status
from reverse_etl.syncs_page.in_progress import InProgress, in_progress
from reverse_etl_tests.cli.remembered import Remembered

ROWS = 10


@pytest.fixture
def run(project: Remembered) -> RunReport:
    """A run that has begun."""
    return RunReport(sync="people", run_id="run-1", status=Status.RUNNING, started_at=datetime.now(UTC))


@pytest.fixture
def folder(project: Remembered) -> RunFolder:
    """Its folder, with ten rows read."""
    folder = project.home.run_folder("people", "run-1")
    folder.parts("rows").write(with_row_numbers([pa.record_batch({"id": list(range(ROWS))})]))
    return folder


@pytest.fixture
def look(project: Remembered, run: RunReport) -> Callable[[], InProgress]:
    """How far it is."""
    return lambda: in_progress(project.home, project.store, run)


def sealed(folder: RunFolder) -> None:
    """All rows are read."""
    folder.seal(Facts("people", 0, 0, {"rows": StreamFacts(ROWS)}))


def test_rows_that_are_read_are_counted(folder: RunFolder, look: Callable[[], InProgress]) -> None:
    """How many there will be is not known."""
    assert InProgress("Reading: 10 rows so far.") == look()


def test_rows_that_are_checked_have_no_outcome_yet(folder: RunFolder, look: Callable[[], InProgress]) -> None:
    """All of them are there."""
    sealed(folder)
    assert InProgress("Checking 10 rows.", 0, ROWS) == look()


def test_rows_that_have_an_answer_are_counted(folder: RunFolder, look: Callable[[], InProgress]) -> None:
    """Of those that are to be sent: three of ten are rejected, two delivered, one refused."""
    sealed(folder)
    outcomes = np.zeros(ROWS, np.uint8)
    outcomes[:3] = Outcome.REJECTED
    folder.parts("rows").write_outcomes(outcomes)
    journal = Journal(folder.parts("rows").folder / JOURNAL_FILE)
    journal.append(Entry(Outcome.DELIVERED, ((4, 5),), 0))
    journal.append(Entry(Outcome.REFUSED, ((6, 6),), 0))
    journal.close()
    assert InProgress("Sending: 3 of 7 rows have an answer, 1 of them refused.", 6, ROWS) == look()


def test_a_file_that_is_torn_is_no_error(folder: RunFolder, look: Callable[[], InProgress]) -> None:
    """It is being written in this moment."""
    (folder.path / "facts.json").write_text("{")
    assert InProgress("It is in progress.") == look()
