"""Rows of a slice that have the same values in some columns, as far as equal values are the same bytes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa


def later_ones(columns: Sequence[pa.Array]) -> np.ndarray:
    """Which rows have what an earlier one has, as a mask; NULL is a value like others.

    Args:
        columns: One or more of one length.
    """
    later = np.zeros(len(columns[0]), bool)
    if len(columns) > 1 or not _ascends(columns[0]):
        _, firsts = np.unique(_numbered(columns), return_index=True)
        later[:] = True
        later[firsts] = False
    return later


def repeated(columns: Sequence[pa.Array]) -> np.ndarray:
    """The places of rows that have what others have, the first of them too; NULL is equal to nothing.

    Args:
        columns: One or more of one length.
    """
    if len(columns) == 1 and _ascends(columns[0]):
        return np.empty(0, np.int64)
    numbers = _numbered(columns)
    several = np.bincount(numbers)[numbers] > 1
    for column in columns:
        if column.null_count:
            several &= column.is_valid().to_numpy(zero_copy_only=False)
    return np.flatnonzero(several)


def _ascends(values: pa.Array) -> bool:
    """Whether each of some integers is larger than the one before."""
    if not pa.types.is_integer(values.type) or values.null_count:
        return False
    numbers = values.to_numpy()
    return bool((numbers[1:] > numbers[:-1]).all())


def _numbered(columns: Sequence[pa.Array]) -> np.ndarray:
    """For each row a number from 0 on, the same for rows that have the same values."""
    numbers = np.zeros(len(columns[0]), np.int64)
    for at, column in enumerate(columns):
        encoded = column.dictionary_encode(null_encoding="encode")
        numbers = numbers * len(encoded.dictionary) + encoded.indices.to_numpy()
        if at:
            numbers = np.unique(numbers, return_inverse=True)[1]
    return numbers
