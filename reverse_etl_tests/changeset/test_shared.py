"""A run's folder here and where all machines find it: what is fetched, what is kept, what is removed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from reverse_etl.changeset.aside import Aside
from reverse_etl.changeset.excluded import LEFT_OUT_FILE, read_excluded
from reverse_etl.changeset.facts import StreamFacts
from reverse_etl.changeset.parts import ROW_NUMBER, Facts, RunFolder, with_row_numbers
from reverse_etl.changeset.shared import SharedFolder
from reverse_etl.config.streams import Stream
from reverse_etl.files.storage import Storage
from reverse_etl.report import Cause, Outcome, Reason
from reverse_etl.shaping.shape import FILTERED, LEFT
from reverse_etl.shaping.whys import Why

NAME = "changesets/people/run"


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """An empty place."""
    return Storage(str(tmp_path / "place"))


def machine(tmp_path: Path, name: str, storage: Storage) -> RunFolder:
    """The run's folder on a machine; nothing is in it."""
    return RunFolder(tmp_path / name, SharedFolder(storage, NAME))


def read(folder: RunFolder, values: list[str], *, started_at: int = 1) -> RunFolder:
    """The folder with an extracted changeset of one column, a row a part."""
    batches = [pa.RecordBatch.from_pydict({"id": [value]}) for value in values]
    rows = folder.parts("rows").write(with_row_numbers(batches))
    folder.seal(Facts(sync="people", since=0, started_at=started_at, streams={"rows": StreamFacts(rows)}))
    return folder


def values(folder: RunFolder) -> list[str]:
    """The column of all rows."""
    return [value for batch in folder.parts("rows").batches() for value in batch.column("id").to_pylist()]


def shared(folder: RunFolder) -> SharedFolder:
    """Its shared side."""
    assert folder.shared is not None
    return folder.shared


def test_rows_that_shaping_left_out_are_the_same_on_another_machine(tmp_path: Path, storage: Storage) -> None:
    """Their outcomes, their number, and the lines of those that could not be shaped."""
    one = machine(tmp_path, "one", storage)
    left = pa.array([0, 1, 2], pa.int32())
    batch = pa.record_batch({"id": ["a", "b", "c"], LEFT: left, ROW_NUMBER: pa.array([1, 2, 3], pa.int64())})
    why = Why(Outcome.REJECTED, Cause("columns", Reason("not_convertible", "id", "why")))
    aside = Aside(one.parts("rows"), Stream("rows", "", identifier=("id",)), [Why(Outcome.EXCLUDED, FILTERED), why])
    one.parts("rows").write(aside.passing(iter([batch])))
    one.seal(Facts(sync="people", since=0, started_at=1, streams={"rows": StreamFacts(aside.rows)}))
    shared(one).put_changeset(one.path)
    other = machine(tmp_path, "other", storage)
    shared(other).fetch(other.path)
    for folder in (one, other):
        parts = folder.parts("rows")
        assert [Outcome.UNDELIVERED, Outcome.EXCLUDED, Outcome.REJECTED] == parts.outcomes(3).tolist()
        assert [("filtered", 1, [2])] == [
            (each.rule, each.rows, each.first) for each in read_excluded(parts.folder / LEFT_OUT_FILE)
        ]
        assert [(3, "c", "not_convertible")] == [
            (row.row_number, row.identifier, row.why.reason) for row in folder.failed()
        ]


def test_rows_and_their_outcomes_are_the_same_on_another_machine(tmp_path: Path, storage: Storage) -> None:
    """After extraction, and after a later stage; the other machine's own older outcomes give way."""
    one = read(machine(tmp_path, "one", storage), ["a", "b"])
    shared(one).put_changeset(one.path)
    other = machine(tmp_path, "other", storage)
    shared(other).fetch(other.path)
    assert (one.facts(), ["a", "b"]) == (other.facts(), values(other))
    for outcomes in ([1, 0], [1, 1]):
        one.parts("rows").write_outcomes(np.array(outcomes, dtype=np.uint8))
        shared(one).put(one.path)
        shared(other).fetch(other.path)
        assert outcomes == other.parts("rows").outcomes(2).tolist()


def test_an_unfinished_changeset_is_nothing(tmp_path: Path, storage: Storage) -> None:
    """Parts that were put there by a process that ended are not taken; the next whole changeset removes them."""
    storage.write(f"{NAME}/rows/part-000007.parquet", b"left over")
    other = machine(tmp_path, "other", storage)
    shared(other).fetch(other.path)
    assert other.facts() is None
    assert not other.path.exists()
    read(other, ["a"])
    shared(other).put_changeset(other.path)
    assert ["facts.json", "rows/part-000000.parquet"] == storage.names(NAME)


def test_rows_of_another_reading_are_removed_before_those_of_the_shared_one_come(
    tmp_path: Path, storage: Storage
) -> None:
    """One that never came to the shared place, while another machine read and put its own: no row of it stays."""
    one = read(machine(tmp_path, "one", storage), ["old", "older", "oldest"], started_at=1)
    one.parts("rows").write_outcomes(np.array([1, 1, 1], dtype=np.uint8))
    (one.path / "rows" / "journal.jsonl").write_bytes(b"of other rows\n")
    other = read(machine(tmp_path, "other", storage), ["new"], started_at=2)
    shared(other).put_changeset(other.path)
    shared(one).fetch(one.path)
    assert (["new"], [0]) == (values(one), one.parts("rows").outcomes(1).tolist())
    assert not (one.path / "rows" / "journal.jsonl").exists()


def test_a_file_that_a_stage_removed_is_removed_there(tmp_path: Path, storage: Storage) -> None:
    """All rows were delivered at last: no failed rows of an earlier attempt come back; the journal stays."""
    one = read(machine(tmp_path, "one", storage), ["a"])
    shared(one).put_changeset(one.path)
    failed = one.path / "rows" / "failed-delivery.parquet"
    failed.write_bytes(b"failed")
    shared(one).put(one.path)
    shared(one).add_to_journal("rows", b"line\n", "1")
    assert f"{failed.parent.name}/{failed.name}" in storage.names(NAME)
    failed.unlink()
    shared(one).put(one.path)
    assert ["facts.json", "rows/journal/1.jsonl", "rows/part-000000.parquet"] == storage.names(NAME)


def test_one_file_is_put_without_the_others(tmp_path: Path, storage: Storage) -> None:
    """The window of activities is known elsewhere before the first row leaves; newer outcomes there are left alone."""
    one = read(machine(tmp_path, "one", storage), ["a"])
    shared(one).put_changeset(one.path)
    one.parts("rows").write_outcomes(np.array([1], dtype=np.uint8))
    (one.path / "read_back.json").write_bytes(b"{}")
    shared(one).put_one(one.path, "read_back.json")
    assert ["facts.json", "read_back.json", "rows/part-000000.parquet"] == storage.names(NAME)


def test_a_changeset_that_is_there_is_not_put_again(tmp_path: Path, storage: Storage) -> None:
    """Nor is what others added to it lost: a re-executed extraction finds it as it is."""
    one = read(machine(tmp_path, "one", storage), ["a"])
    shared(one).put_changeset(one.path)
    shared(one).add_to_journal("rows", b"line\n", "1")
    shared(one).put_changeset(one.path)
    assert b"line\n" == shared(one).journal("rows")
