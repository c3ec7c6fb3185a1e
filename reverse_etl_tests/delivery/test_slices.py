"""Which rows are written together."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pytest

from reverse_etl.changeset.parts import ROW_NUMBER, Parts, with_row_numbers
from reverse_etl.delivery import slices
from reverse_etl.delivery.slices import slices_of
from reverse_etl.report import Outcome
from reverse_etl_tests.delivery.test_table_sender import ScriptedTable


def sliced(folder: Path, batches: Iterable[pa.RecordBatch], most: int, settled: Iterable[int] = ()) -> list[list[int]]:
    """The numbers of the rows of each slice, of which some have an outcome."""
    parts = Parts(folder / "rows", "rows")
    outcomes = parts.outcomes(parts.write(with_row_numbers(batches)))
    outcomes[[number - 1 for number in settled]] = Outcome.DELIVERED
    found = slices_of(ScriptedTable(rows_per_transaction=most), parts, outcomes)
    return [piece.fitted.batch.column(ROW_NUMBER).to_pylist() for piece in found]


def batches(*sizes: int) -> list[pa.RecordBatch]:
    """Of so many rows."""
    return [pa.RecordBatch.from_pydict({"id": ["x" * 10] * size}) for size in sizes]


def test_batches_are_joined_as_far_as_a_slice_takes_them_whole(tmp_path: Path) -> None:
    """A larger one is cut; rows with an outcome are in none."""
    assert [[1, 2, 3, 4], [5, 6, 7], [8, 9, 10, 11, 12], [13]] == sliced(tmp_path / "2", batches(2, 2, 3, 6), 5)
    assert [[1, 4, 5, 6, 7]] == sliced(tmp_path / "3", batches(3, 2, 3), 5, settled=(2, 3, 8))


def test_columns_of_other_types_are_not_joined(tmp_path: Path) -> None:
    """As a source without types gives them."""
    other = pa.RecordBatch.from_pydict({"id": ["a"], "n": [1]})
    text = pa.RecordBatch.from_pydict({"id": ["a"], "n": ["1"]})
    assert [[1], [2, 3]] == sliced(tmp_path, [other, text, text], 5)


def test_wide_rows_are_not_joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is that of some megabytes of them, or of one batch."""
    monkeypatch.setattr(slices, "_MOST_BYTES", 60)
    assert [[1, 2], [3, 4], [5, 6, 7, 8, 9]] == sliced(tmp_path, batches(2, 2, 5), 100)
