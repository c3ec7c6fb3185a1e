"""Whether a file of fingerprints has a key in several rows: few have, and those are compared in another way.

Four bytes of each key are sorted, in memory. Whole keys are looked at only where these are equal, as they are by chance
in some rows of a million.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import pyarrow.parquet as pq

from reverse_etl.changes.row_groups import row_groups

if TYPE_CHECKING:
    from pathlib import Path

_AT_ONCE: Final = 100_000

_Numbers: TypeAlias = "np.ndarray[tuple[int], np.dtype[np.uint32]]"


def repeats(path: Path, *, at_once: int = _AT_ONCE) -> bool:
    """Whether two rows of a Parquet file have one ``kh`` and one ``kl``, both uint64 without nulls.

    Args:
        path: The file; five bytes of memory are needed for each of its rows.
        at_once: How many equal numbers are looked at in one pass over the file, so that memory is bounded.
    """
    numbers = np.empty(pq.read_metadata(path).num_rows, np.uint32)
    rows = 0
    for batch in row_groups(path, ["kh"]):
        numbers[rows : rows + batch.num_rows] = _numbers(batch.column("kh").to_numpy())
        rows += batch.num_rows
    numbers.sort()
    shared = np.unique(numbers[1:][numbers[1:] == numbers[:-1]])
    return any(_share_a_key(path, shared[at : at + at_once]) for at in range(0, len(shared), at_once))


def _share_a_key(path: Path, shared: _Numbers) -> bool:
    """Whether two rows with one of these numbers, which are in ascending order, have the same key."""
    found = []
    # Most rows are told apart by half of their number.
    first_half = np.zeros(2**16, np.bool_)
    first_half[shared >> 16] = True
    for batch in row_groups(path, ["kh", "kl"]):
        high, low = batch.column("kh").to_numpy(), batch.column("kl").to_numpy()
        maybe = np.flatnonzero(first_half[_numbers(high) >> 16])
        maybe = maybe[np.isin(_numbers(high[maybe]), shared)]
        found.append((high[maybe], low[maybe]))
    high, low = (np.concatenate(each) for each in zip(*found, strict=True))
    order = np.lexsort((low, high))
    high, low = high[order], low[order]
    return bool(np.any((high[1:] == high[:-1]) & (low[1:] == low[:-1])))


def _numbers(high: np.ndarray[tuple[int], np.dtype[np.uint64]]) -> _Numbers:
    return (high >> np.uint64(32)).astype(np.uint32)
