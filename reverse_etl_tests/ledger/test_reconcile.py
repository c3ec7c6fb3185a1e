"""The rows that have an outcome are the rows that were read, or it shows."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reverse_etl.changeset.parts import Parts
from reverse_etl.changeset.row_keys import key_sum, row_keys
from reverse_etl.ledger.journal import JOURNAL_FILE, Entry, Journal
from reverse_etl.ledger.reconcile import same_rows
from reverse_etl.report import Outcome
from reverse_etl_tests.delivery.workspaces import Run, ScriptedWorkspace

COUNT = 20


def identified(batch: pa.RecordBatch) -> pa.StringArray:
    """The ids."""
    return batch.column(batch.schema.get_field_index("id"))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Twenty people: one rejected by a check, two refused, the others delivered."""
    run = Run(tmp_path, COUNT)
    run.outcomes[3] = Outcome.REJECTED
    run.deliver(ScriptedWorkspace(bad=frozenset({"7", "8"})), max_items_per_request=6)
    return run


def balanced(run: Run) -> bool:
    """Whether the ledger agrees with the rows as they were written."""
    numbers = pa.array(range(1, COUNT + 1), pa.int64())
    expected = key_sum(row_keys(numbers, pa.array([str(n) for n in range(1, COUNT + 1)]), "rows"))
    return same_rows(run.parts, COUNT, expected, identified, ["id"])


def test_a_true_ledger_reconciles(run: Run) -> None:
    """After a delivery, and after one that was stopped in the middle."""
    assert balanced(run)
    run.outcomes[:] = 0
    run.parts.write_outcomes(run.outcomes)
    (run.parts.folder / "journal.jsonl").unlink()
    assert balanced(run)


def test_reconciling_takes_a_byte_a_row(tmp_path: Path) -> None:
    """Which is its outcome: the end of a run of many rows needs no more memory than its middle."""
    rows, a_request = 1_000_000, 2_000
    parts = Parts(tmp_path / "rows", "rows")
    parts.write_outcomes(np.full(rows, Outcome.DELIVERED, np.uint8))
    journal = Journal(parts.folder / JOURNAL_FILE)
    for first in range(1, rows, a_request):
        journal.append(Entry(Outcome.DELIVERED, ((first, first + a_request - 1),), 3))
    journal.close()
    tracemalloc.start()
    try:
        assert same_rows(parts, rows, 3 * rows // a_request, identified, ["id"])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1.5 * rows


def settled_twice(run: Run) -> None:
    """The first request is in the journal twice."""
    journal = run.parts.folder / "journal.jsonl"
    journal.write_bytes(journal.read_bytes() + journal.read_bytes().splitlines()[0] + b"\n")


def settled_never(run: Run) -> None:
    """The first request is missing from the journal."""
    journal = run.parts.folder / "journal.jsonl"
    journal.write_bytes(b"".join(line + b"\n" for line in journal.read_bytes().splitlines()[1:]))


def called_delivered(run: Run) -> None:
    """The rejected row is called delivered, without an answer."""
    outcomes = run.parts.outcomes(COUNT)
    outcomes[3] = Outcome.DELIVERED
    run.parts.write_outcomes(outcomes)


def changed_identifier(run: Run) -> None:
    """The rejected row is another person's."""
    path = run.parts.paths()[0]
    table = pq.read_table(path)
    ids = table.column("id").to_pylist()
    ids[3] = "someone else"
    pq.write_table(table.set_column(0, "id", pa.array(ids)), path)


@pytest.mark.parametrize("tamper", [settled_twice, settled_never, called_delivered, changed_identifier])
def test_a_ledger_that_was_tampered_with_does_not_reconcile(run: Run, tamper: Callable[[Run], None]) -> None:
    """A row settled twice, one forgotten, one called delivered without an answer, another person in a row's place."""
    tamper(run)
    assert not balanced(run)


def test_a_journal_of_more_rows_does_not_balance(run: Run) -> None:
    """Row 20 in the journal of nineteen rows."""
    run.parts.write_outcomes(np.zeros(COUNT - 1, np.uint8))
    assert not same_rows(run.parts, COUNT - 1, 0, identified, ["id"])
