"""Numbers that occur more than once are found wherever they lie, in memory that does not grow with their count."""

from __future__ import annotations

import errno
import os
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from reverse_etl.errors import StateError
from reverse_etl.files.repeated_numbers import Numbers, repeated_numbers

_LAST = 2**64 - 1


def batches(*numbers: list[int]) -> list[Numbers]:
    """One batch a list."""
    return [np.array(each, np.uint64) for each in numbers]


@pytest.mark.parametrize("in_a_run", [1, 3, 4, 1_000])
@pytest.mark.parametrize(
    ("numbers", "repeated"),
    [
        pytest.param([], [], id="no batch"),
        pytest.param([[], []], [], id="empty batches"),
        pytest.param([[7]], [], id="one number"),
        pytest.param([[3, 1], [2, 4]], [], id="none twice"),
        pytest.param([[5, 9, 5], [8]], [5], id="twice in a batch"),
        pytest.param([[1, 5], [], [9, 2], [5, 1]], [1, 5], id="in batches far apart"),
        pytest.param([[5, 5], [6, 5], [5, 6]], [5, 6], id="in every batch"),
        pytest.param([[0, _LAST], [1, _LAST - 1], [_LAST, 0]], [0, _LAST], id="the lowest and the highest"),
        pytest.param([[2**56, 2**56 - 1], [2**56 - 1], [2**56]], [2**56 - 1, 2**56], id="on both sides of a cut"),
    ],
)
def test_numbers_that_occur_more_than_once(
    numbers: list[list[int]], repeated: list[int], in_a_run: int, tmp_path: Path
) -> None:
    """Each once and ascending, however many runs there are; nothing is left in the folder."""
    assert repeated == repeated_numbers(batches(*numbers), tmp_path, in_a_run=in_a_run).tolist()
    assert [] == [*tmp_path.iterdir()]


def test_the_same_as_counting_them(tmp_path: Path) -> None:
    """Random numbers over all of 64 bits, some of which occur twice, in batches of many sizes and runs that are cut."""
    chance = np.random.default_rng(4)
    numbers = chance.integers(0, _LAST, 20_000, np.uint64, endpoint=True)
    numbers = chance.permutation(np.concatenate([numbers, chance.choice(numbers, 500), numbers[:3]]))
    cut = np.array_split(numbers, np.sort(chance.integers(0, len(numbers), 40)))
    expected = sorted(number for number, times in Counter(numbers.tolist()).items() if times > 1)
    assert expected == repeated_numbers(cut, tmp_path, in_a_run=2_000).tolist()


@pytest.mark.parametrize("distinct", [_LAST, 1], ids=["all differ", "all are the same"])
def test_memory_does_not_grow_with_the_numbers(distinct: int, tmp_path: Path) -> None:
    """Eight times as many take about the same: also where one of them is in every row."""
    chance = np.random.default_rng(4)

    def peak(count: int) -> int:
        tracemalloc.start()
        try:
            made: Iterator[Numbers] = (chance.integers(0, distinct, 5_000, np.uint64) for _ in range(count))
            repeated_numbers(made, tmp_path, in_a_run=20_000)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(160) < 1.3 * peak(20)


def test_a_disk_that_is_full_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And in which folder it is."""
    monkeypatch.setattr("tempfile.TemporaryFile", lambda buffering, **_: open("/dev/full", "wb", buffering))  # noqa: PTH123, SIM115
    with pytest.raises(StateError, match=f"a scratch file in {tmp_path} cannot be written: No space left on device"):
        repeated_numbers(batches([1, 2]), tmp_path)


def test_an_error_of_the_rows_themselves_is_not_one_of_the_scratch_file(tmp_path: Path) -> None:
    """A part that cannot be read is no disk that is full."""

    def numbers() -> Iterator[Numbers]:
        yield from batches([1, 2])
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "part-000001.parquet")

    with pytest.raises(FileNotFoundError):
        repeated_numbers(numbers(), tmp_path, in_a_run=1)
