"""The ledger is never ahead of the truth on disk, and is whole in the end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from reverse_etl.changeset.excluded import LEFT_OUT_LATER_FILE, read_excluded
from reverse_etl.changeset.parts import ROW_NUMBER, Parts, with_row_numbers
from reverse_etl.errors import StateError
from reverse_etl.ledger import ledger as ledger_module
from reverse_etl.ledger.journal import Entry, Journal
from reverse_etl.ledger.ledger import Ledger
from reverse_etl.report import Cause, Outcome, Reason
from reverse_etl_tests.delivery.workspaces import Blocking, Run

LEFT = Cause("delivery", Reason("stopped", "", "the run stopped."))
BAD = Cause("customerio", Reason("invalid", "plan", "too long"))
EXISTS = Cause("delivery", Reason("already_exists", "", "it is there."))
LEFT_OUT = Cause("delivery", Reason("suppressed", "", "person is suppressed"))


def open_books(run: Run) -> Ledger:
    """The ledger of a run's rows, on its fast clock."""
    return Ledger(run.parts, run.outcomes, Blocking(1).identifiers)


def reopened(run: Run) -> Ledger:
    """The ledger of the next attempt, after whatever became of the last one."""
    run.outcomes = run.parts.outcomes(run.count)
    return open_books(run)


def test_the_next_ledger_knows_what_was_settled_before_a_crash(tmp_path: Path) -> None:
    """Nothing was closed: delivered, refused and excluded rows have their outcomes and causes all the same."""
    run = Run(tmp_path, 6)
    ledger = open_books(run)
    ledger.deliver([3, 1], [30, 10])
    ledger.fail([2], [20], Outcome.REFUSED, BAD)
    ledger.exclude([5], [50], [LEFT_OUT])
    assert not (run.parts.folder / "outcomes.npy").exists()
    again = reopened(run)
    expected = [Outcome.DELIVERED, Outcome.REFUSED, Outcome.DELIVERED, Outcome.UNDELIVERED, Outcome.EXCLUDED, 0]
    assert expected == run.outcomes.tolist()
    assert (2, 1) == (again.delivered, again.failed)
    again.deliver([4, 6], [40, 60])
    again.close(LEFT)
    assert [(2, "customerio", "invalid", "too long")] == [
        (row.row_number, row.stage, row.why.reason, row.why.message) for row in run.failed()
    ]


def test_rows_that_are_left_out_are_counted_by_reason_and_are_no_failed_rows(tmp_path: Path) -> None:
    """Also those that an earlier process had settled; a row that is left out after an answer counts once."""
    run = Run(tmp_path, 6)
    ledger = open_books(run)
    ledger.exclude([5, 1], [50, 10], [LEFT_OUT, EXISTS])
    ledger.fail([2], [20], Outcome.REFUSED, BAD)
    again = reopened(run)
    assert 1 == again.failed
    again.exclude([3], [30], [EXISTS])
    again.deliver([4], [40])
    again.exclude([4], [0], [EXISTS])
    again.deliver([6], [60])
    again.close(LEFT)
    stored = read_excluded(run.parts.folder / LEFT_OUT_LATER_FILE)
    assert {("already_exists", "it is there.", 3), ("suppressed", "person is suppressed", 1)} == {
        (each.rule, each.message, each.rows) for each in stored
    }
    assert [2] == [row.row_number for row in run.failed()]


def test_rows_that_all_were_left_out_leave_no_failed_rows_file(tmp_path: Path) -> None:
    """A cause alone is no failed row."""
    run = Run(tmp_path, 2)
    ledger = open_books(run)
    ledger.exclude([1, 2], [10, 20], [EXISTS])
    ledger.close(LEFT)
    assert not (run.parts.folder / "failed-delivery.parquet").exists()


def test_the_lines_of_failed_rows_take_their_identifiers_alone_from_the_parts(tmp_path: Path) -> None:
    """Other columns, which may be many and wide, are not read again."""
    parts, seen = Parts(tmp_path / "rows", "rows"), []
    parts.write(with_row_numbers([pa.record_batch({"plan": ["a", "b"], "id": ["1", "2"]})]))

    def identifiers(batch: pa.RecordBatch, stream: str) -> pa.StringArray:
        seen.append(batch.schema.names)
        return Blocking(1).identifiers(batch, stream)

    ledger = Ledger(parts, parts.outcomes(2), identifiers, identified_by=("id",))
    ledger.fail([2], [20], Outcome.REFUSED, BAD)
    ledger.close(LEFT)
    assert [["id", ROW_NUMBER]] == seen
    assert [(1, "1"), (2, "2")] == [(row.row_number, row.identifier) for row in parts.failed()]


@pytest.mark.parametrize("torn", [b"0", b"deadbeef {}\n", b'00000000 {"outcome":1'])
def test_a_torn_line_is_no_line(tmp_path: Path, torn: bytes) -> None:
    """The rows of it have no outcome; the next line stands on its own."""
    run = Run(tmp_path, 3)
    open_books(run).deliver([1], [10])
    journal = run.parts.folder / "journal.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(whole + torn)
    again = reopened(run)
    assert [1, 0, 0] == run.outcomes.tolist()
    again.deliver([2], [20])
    assert journal.read_bytes().startswith(whole)
    reopened(run)
    assert [1, 1, 0] == run.outcomes.tolist()
    assert 0o600 == journal.stat().st_mode & 0o777


def test_any_cut_of_the_journal_is_a_beginning_of_it(tmp_path: Path) -> None:
    """Wherever the write was cut off, what is before it counts, and nothing else."""
    run = Run(tmp_path, 5)
    ledger = open_books(run)
    for number in range(1, 6):
        ledger.deliver([number], [number])
    journal = run.parts.folder / "journal.jsonl"
    whole = journal.read_bytes()
    for end in range(len(whole) + 1):
        journal.write_bytes(whole[:end])
        reopened(run)
        lines = whole[:end].count(b"\n")
        assert [1] * lines + [0] * (5 - lines) == run.outcomes.tolist()


def test_rows_that_the_checks_keep_back_now_stay_theirs(tmp_path: Path) -> None:
    """Checks that ran again reject a row that was delivered before: it is their failed row, and is not sent."""
    run = Run(tmp_path, 2)
    open_books(run).deliver([1, 2], [10, 20])
    run.outcomes = np.array([Outcome.REJECTED, Outcome.UNDELIVERED], np.uint8)
    open_books(run)
    assert [Outcome.REJECTED, Outcome.DELIVERED] == run.outcomes.tolist()


@pytest.mark.parametrize("outcomes_are", [Outcome.UNDELIVERED, Outcome.DELIVERED, Outcome.REFUSED])
def test_what_was_reported_after_an_answer_is_the_last_word(tmp_path: Path, outcomes_are: Outcome) -> None:
    """Whatever was written of the row before the end: nothing, that it was accepted, or that it was not applied."""
    run = Run(tmp_path, 2)
    ledger = open_books(run)
    ledger.deliver([1, 2], [10, 20])
    ledger.fail([2], [0], Outcome.REFUSED, BAD)
    run.parts.write_outcomes(np.array([Outcome.DELIVERED, outcomes_are], np.uint8))
    again = reopened(run)
    assert [Outcome.DELIVERED, Outcome.REFUSED] == run.outcomes.tolist()
    assert (1, 1) == (again.delivered, again.failed)


def test_a_journal_of_other_rows_is_refused(tmp_path: Path) -> None:
    """Row 9 of a changeset of two rows: the folder is not what it was."""
    run = Run(tmp_path, 2)
    Journal(run.parts.folder / "journal.jsonl").append(Entry(Outcome.DELIVERED, ((9, 9),), 1))
    with pytest.raises(StateError, match="other rows"):
        open_books(run)


def test_a_full_disk_takes_back_what_was_torn(tmp_path: Path) -> None:
    """A line that does not fit is an error, and the lines before it stay readable."""
    run = Run(tmp_path, 200)
    path = run.parts.folder / "journal.jsonl"
    # In a process of its own: the limit holds for every file that it writes.
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from reverse_etl.ledger.journal import Entry, Journal; from reverse_etl.report import Outcome\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "journal = Journal(Path(sys.argv[1]))\n"
        "try:\n for n in range(1, 9): journal.append(Entry(Outcome.DELIVERED, ((n, n),), n))\n"
        "except OSError: print('full')\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert "full\n" == done.stdout
    assert path.read_bytes().endswith(b"\n")
    assert [1] == [entry.keys for entry in Journal(path).entries()]


def test_failed_rows_are_in_row_order_with_their_causes(tmp_path: Path) -> None:
    """Whatever the order in which they failed; rows without an outcome say why the run stopped."""
    run = Run(tmp_path, 5)
    ledger = open_books(run)
    ledger.fail([5], [50], Outcome.REFUSED, BAD)
    ledger.fail([1], [10], Outcome.REJECTED, Cause("delivery", Reason("item_too_large", "", "too large")))
    ledger.deliver([2, 4], [20, 40])
    counts = ledger.close(LEFT)
    assert [(1, "1", "item_too_large"), (3, "3", "stopped"), (5, "5", "invalid")] == [
        (row.row_number, row.identifier, row.why.reason) for row in run.failed()
    ]
    assert (2, 1, 1, 1) == (counts.delivered, counts.rejected, counts.refused, counts.undelivered)
    assert (2, 2) == (ledger.delivered, ledger.failed)


def test_rows_of_a_request_that_failed_for_different_causes_are_one_line(tmp_path: Path) -> None:
    """In whatever order they come; the next ledger over the same rows knows each row's cause."""
    run = Run(tmp_path, 4)
    other = BAD._replace(why=BAD.why._replace(message="too short"))
    open_books(run).fail_each([4, 1, 2], [40, 10, 20], Outcome.REFUSED, [other, BAD, other])
    journal = run.parts.folder / "journal.jsonl"
    assert 1 == journal.read_bytes().count(b"\n")
    assert [70] == [entry.keys for entry in Journal(journal).entries()]
    ledger = reopened(run)
    assert 3 == ledger.failed
    ledger.close(LEFT)
    expected = [(1, "too long"), (2, "too short"), (3, "the run stopped."), (4, "too short")]
    assert expected == [(row.row_number, row.why.message) for row in run.failed()]


def test_a_row_of_several_causes_that_the_checks_keep_back_now_stays_theirs(tmp_path: Path) -> None:
    """The causes of the others stay with their rows."""
    run = Run(tmp_path, 3)
    other = BAD._replace(why=BAD.why._replace(message="too short"))
    open_books(run).fail_each([1, 2, 3], [10, 20, 30], Outcome.REFUSED, [BAD, other, BAD])
    run.outcomes = np.array([Outcome.REJECTED, Outcome.UNDELIVERED, Outcome.UNDELIVERED], np.uint8)
    ledger = open_books(run)
    ledger.close(LEFT)
    assert [(2, "too short"), (3, "too long")] == [(row.row_number, row.why.message) for row in run.failed()]


def test_many_different_messages_do_not_grow_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a bound the reason and field stay and the message is left out."""
    monkeypatch.setattr(ledger_module, "_MOST_CAUSES", 2)
    run = Run(tmp_path, 4)
    ledger = open_books(run)
    for number in (1, 2, 3, 4):
        ledger.fail(
            [number], [number], Outcome.REFUSED, Cause("customerio", Reason("invalid", "plan", f"message {number}"))
        )
    ledger.close(LEFT)
    assert ["message 1", "message 2", "", ""] == [row.why.message for row in run.failed()]
    assert {("invalid", "plan")} == {(row.why.reason, row.why.field) for row in run.failed()}


def test_a_folder_that_cannot_be_written_is_a_state_error(tmp_path: Path) -> None:
    """Named with the folder, with the first outcome and at the end."""
    blocked = tmp_path / "file"
    blocked.write_text("")
    ledger = Ledger(Parts(blocked / "rows", "rows"), np.zeros(2, np.uint8), Blocking(1).identifiers)
    with pytest.raises(StateError, match="file/rows"):
        ledger.close(LEFT)
    with pytest.raises(StateError, match="running again is safe"):
        ledger.deliver([1], [10])
