"""Work on the next batches while the one before is looked at: in threads, in order, a few at a time.

Arrow, NumPy and Parquet let other threads run while they work on a batch, so that two batches keep two cores busy.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa

    from reverse_etl.changeset.parts import Parts

Item = TypeVar("Item")
Result = TypeVar("Result")

ShownTo: TypeAlias = "Callable[[Parts, int, int, pa.RecordBatch], None]"
"""Takes parts, the run's start in Unix seconds, the number of a part that is about to be written, and its rows."""

_AT_ONCE: Final = 2
"""Each needs the memory of a batch and of what is made of it."""


def of_batches(
    parts: Parts, function: Callable[[pa.RecordBatch], Result], columns: Sequence[str] | None = None
) -> Iterator[Result]:
    """What a function makes of each batch of ``Parts.batches``, in order; the threads read them, too.

    Args:
        parts: The rows.
        function: Called in threads, on several batches at once.
        columns: As ``Parts.batches`` takes them.
    """
    return of_paths(parts, lambda path: function(parts.batch(path, columns)))


def of_paths(parts: Parts, function: Callable[[Path], Result]) -> Iterator[Result]:
    """What a function makes of each of ``Parts.paths``, in order, as ``of_batches``."""
    paths = parts.paths()
    # Of a single one nothing is ahead.
    return map(function, paths) if len(paths) < 2 else in_order(function, paths)


def in_order(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """What a function makes of each item, in their order.

    An item is taken only when what was made of one before is asked for. An error of the function is raised in the place
    of its item. Whatever ends the iterator, an error or its caller, no thread is left.

    Args:
        function: Called in threads, on several items at once.
        items: Taken by the caller's thread.
    """
    begun: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="ahead") as threads:
        try:
            for item in items:
                begun.append(threads.submit(function, item))
                if len(begun) == _AT_ONCE:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            for each in begun:
                each.cancel()
