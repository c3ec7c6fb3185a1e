"""A key in several rows of a file is found by the key itself, whatever its first bytes are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reverse_etl.changes.repeated import repeats

_HALF = 1 << 32


def stored(folder: Path, *keys: tuple[int, int]) -> Path:
    """A file of keys in several row groups."""
    high, low = ([key[place] for key in keys] for place in (0, 1))
    path = folder / "keys.parquet"
    table = pa.table({"kh": pa.array(high, pa.uint64()), "kl": pa.array(low, pa.uint64())})
    pq.write_table(table, path, row_group_size=max(2, len(keys) // 10))
    return path


@pytest.mark.parametrize(
    ("keys", "are_repeated"),
    [
        pytest.param([], False, id="no rows"),
        pytest.param([(7, 1)], False, id="one row"),
        pytest.param([(7, 1), (8, 1), (_HALF, 1), (7, 2)], False, id="equal in a half alone"),
        pytest.param([(7, 1), (_HALF + 1, 2), (2 * _HALF, 3), (_HALF + 1, 2)], True, id="in two row groups"),
        pytest.param([(2**64 - 1, 2**64 - 1), (0, 0), (2**64 - 1, 2**64 - 1)], True, id="the highest numbers"),
    ],
)
def test_only_whole_keys_repeat(keys: list[tuple[int, int]], are_repeated: bool, tmp_path: Path) -> None:
    """Also where the first bytes of several keys are the same."""
    assert are_repeated == repeats(stored(tmp_path, *keys))


def test_many_equal_numbers_are_looked_at_in_several_passes(tmp_path: Path) -> None:
    """The key that repeats is among the last of them."""
    keys = [(number * _HALF + half, number) for number in range(10) for half in (0, 1)]
    assert not repeats(stored(tmp_path, *keys), at_once=3)
    assert repeats(stored(tmp_path, *keys, keys[-1]), at_once=3)


def test_rows_among_many_are_told_apart(tmp_path: Path) -> None:
    """Of random keys many have equal first bytes; one more row of an earlier key is found."""
    high = np.random.default_rng(1).integers(0, 500, 1_000, np.uint64) << np.uint64(32)
    keys = [(number, place) for place, number in enumerate(high.tolist())]
    assert not repeats(stored(tmp_path, *keys))
    assert repeats(stored(tmp_path, *keys, keys[471]))
