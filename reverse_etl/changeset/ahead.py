"""Work on the next batches while the one before is looked at: in threads, in order, a few at a time.

Arrow, NumPy and Parquet let other threads run while they work on a batch, so that two batches keep two cores busy.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import pyarrow as pa

    from reverse_etl.changeset.parts import Parts

Item = TypeVar("Item")
Result = TypeVar("Result")

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
    paths = parts.paths()
    if len(paths) < 2:
        # Of a single one nothing is ahead.
        return (function(parts.batch(path, columns)) for path in paths)
    return in_order(lambda path: function(parts.batch(path, columns)), paths)


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
