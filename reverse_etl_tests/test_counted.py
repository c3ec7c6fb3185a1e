"""A count and its noun agree, wherever a sentence has one."""

from __future__ import annotations

from datetime import UTC, datetime
from io import StringIO

import pytest
from rich.console import Console

from reverse_etl.checks import max_failed_rows, row_count
from reverse_etl.checks._settings import parse_limit
from reverse_etl.checks.base import Gate, Rule, Severity, Whole
from reverse_etl.cli.commands.run import show
from reverse_etl.counted import counted
from reverse_etl.notify.alert import Alert, Kind
from reverse_etl.report import Carried, Counts, RunReport, Status

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
ONE = Counts(extracted=1, rejected=1)
RULE = Rule("gate", Severity.STOP, "")


@pytest.mark.parametrize(
    ("count", "words", "text"),
    [
        (0, ("row",), "0 rows"),
        (1, ("row",), "1 row"),
        (1_234, ("row",), "1,234 rows"),
        (1, ("person", "people"), "1 person"),
        (2, ("person", "people"), "2 people"),
        (1, ("failed row has", "failed rows have"), "1 failed row has"),
    ],
)
def test_a_count_with_what_it_counts(count: int, words: tuple[str, ...], text: str) -> None:
    """One is singular; nothing and several are plural."""
    assert text == counted(count, *words)


@pytest.mark.parametrize(
    ("gate", "text"),
    [
        (row_count.RowCount(RULE, 2, None), "1 row to check, fewer than 2."),
        (row_count.RowCount(RULE, None, 0), "1 row to check, more than 0."),
        (max_failed_rows.MaxFailedRows(RULE, parse_limit("5%")), "1 of 1 row failed, more than the 5% allowed."),
    ],
)
def test_a_gate_counts_one_row(gate: Gate, text: str) -> None:
    """What it says stops the run."""
    assert text == gate.measure(Whole(ONE), ()).exceeded


@pytest.mark.parametrize(
    ("carried", "text"),
    [
        (Carried(read=1, delivered=1), "1 row carried from earlier runs, 1 delivered now"),
        (Carried(read=2, left=1), "2 rows carried from earlier runs, 0 delivered now, 1 row carried to the next run"),
        (Carried(left=3), "3 rows carried to the next run"),
        (Carried(gone=1), ""),
    ],
)
def test_a_run_counts_the_rows_that_it_carries(carried: Carried, text: str) -> None:
    """Those that there are."""
    report = RunReport("people", "a", Status.COMPLETED, MONDAY, carried=carried)
    shown = StringIO()
    show(report, Console(file=shown, width=120))
    first = shown.getvalue().splitlines()[0].strip()
    assert text == (first if text else "")
    assert text or first.startswith("people: completed")


def test_a_run_and_its_alert_count_one_row_each() -> None:
    """On the terminal and in a channel."""
    report = RunReport(
        sync="people",
        run_id="a",
        status=Status.COMPLETED,
        started_at=MONDAY,
        streams={"rows": ONE, "relationships": ONE},
    )
    console = Console(file=StringIO(), width=80)
    show(report, console)
    assert "1 row read, 0 delivered, 1 rejected" in console.file.getvalue()  # type: ignore[attr-defined]
    assert "1 relationship read" in console.file.getvalue()  # type: ignore[attr-defined]
    alert = Alert(
        kind=Kind.FAILURE, sync="people", workspace="main", headline="", streams={"rows": ONE, "relationships": ONE}
    )
    assert ["1 row read, 0 delivered, 1 rejected", "1 relationship read, 0 delivered, 1 rejected"] == list(
        alert.lines()
    )
