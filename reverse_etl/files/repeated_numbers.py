"""Which numbers occur more than once, of more than are to be in memory: sorted in runs, merged a slice at a time.

A run is sorted in memory and goes to a file; then equal numbers of different runs are looked for in the first 256th of
all that there may be, then in the next. Memory depends on neither how many numbers there are nor how often one occurs.
"""

from __future__ import annotations

import errno
import os
import tempfile
from contextlib import ExitStack, contextmanager
from typing import IO, TYPE_CHECKING, Final, TypeAlias

import numpy as np

from reverse_etl.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

Numbers: TypeAlias = "np.ndarray[tuple[int], np.dtype[np.uint64]]"

_Places: TypeAlias = "np.ndarray[tuple[int], np.dtype[np.intp]]"

_IN_A_RUN: Final = 2**18
"""2 MB. A slice of all runs has as many where there are 67 million numbers."""

_NUMBER_BYTES: Final = 8
_SLICES: Final = 256
_SLICE_BITS: Final = np.uint64(56)


def repeated_numbers(batches: Iterable[Numbers], folder: Path, *, in_a_run: int = _IN_A_RUN) -> Numbers:
    """Those that occur more than once, ascending, each once.

    Args:
        batches: Numbers that are spread evenly over 64 bits, as hashes are; a batch may be empty.
        folder: Has room for eight bytes for each number; nothing is left there, whatever happens.
        in_a_run: How many are sorted at once, at least.

    Raises:
        StateError: They cannot be written there.
    """
    found: list[Numbers] = [np.empty(0, np.uint64)]
    with ExitStack() as stack:
        with _scratch_in(folder):
            # What is in a buffer when the disk is full is written once more when the file is closed.
            file: IO[bytes] = stack.enter_context(tempfile.TemporaryFile(dir=folder, buffering=0))
        cuts: list[_Places] = []
        for ordered in _sorted_runs(batches, in_a_run):
            first = _first_of_equal(ordered)
            found.append(_once(ordered[~first]))
            # Of a number that fills whole runs one is enough, so that its slice is no larger than others.
            once = ordered[first]
            with _scratch_in(folder):
                _write(file, once)
            cuts.append(_cuts(once))
        if len(cuts) > 1:
            with _scratch_in(folder):
                found.extend(_equal_between_runs(file, cuts))
    return _once(_sorted(found))


def _sorted_runs(batches: Iterable[Numbers], in_a_run: int) -> Iterator[Numbers]:
    waiting: list[Numbers] = []
    for batch in batches:
        waiting.append(batch)
        if sum(map(len, waiting)) >= in_a_run:
            yield _sorted(waiting)
            waiting = []
    if waiting:
        yield _sorted(waiting)


def _equal_between_runs(file: IO[bytes], cuts: Sequence[_Places]) -> Iterator[Numbers]:
    """Slice by slice, the numbers that more than one run has; each run has a number once."""
    starts = np.concatenate(([0], np.cumsum([each[-1] for each in cuts])))
    for number in range(_SLICES):
        ordered = _sorted(
            [
                _read(file, int(start + each[number]), int(each[number + 1] - each[number]))
                for start, each in zip(starts, cuts, strict=False)
            ]
        )
        yield _once(ordered[~_first_of_equal(ordered)])


def _write(file: IO[bytes], numbers: Numbers) -> None:
    if file.write(numbers.data) < numbers.nbytes:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _read(file: IO[bytes], first: int, count: int) -> Numbers:
    file.seek(first * _NUMBER_BYTES)
    return np.frombuffer(file.read(count * _NUMBER_BYTES), np.uint64)


def _sorted(numbers: Sequence[Numbers]) -> Numbers:
    ordered: Numbers = np.concatenate(numbers)
    ordered.sort()
    return ordered


def _once(ordered: Numbers) -> Numbers:
    # `np.unique` would make a hash of all of them.
    return ordered[_first_of_equal(ordered)]


def _first_of_equal(ordered: Numbers) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    first = np.ones(len(ordered), np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return first


def _cuts(ordered: Numbers) -> _Places:
    """Where each slice begins, and the last one ends."""
    begins = np.arange(1, _SLICES, dtype=np.uint64) << _SLICE_BITS
    return np.concatenate(([0], np.searchsorted(ordered, begins), [len(ordered)]))


@contextmanager
def _scratch_in(folder: Path) -> Iterator[None]:
    """Says where a scratch file lies that cannot be made, written or read. Raises StateError."""
    try:
        yield
    except OSError as error:
        raise StateError(
            f"a scratch file in {folder} cannot be written: "
            f"{os.strerror(error.errno) if error.errno else 'the disk fails'}.",
            hint="Free some space, or let the user who runs the syncs own the home folder; then run again.",
        ) from None
