"""Rows that fail found by halves, where no block on the server can do it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from reverse_etl.destinations.mysql import failures
from reverse_etl.destinations.mysql.statements import FEW
from reverse_etl.sources.mysql.wire import Refused

_MANY: Final = 100
"""After this many bad rows, halves are no way to find the next ones."""


def faults(count: int, attempt: Callable[[int, int], None]) -> Iterator[tuple[int, Refused]]:
    """Attempts all, halves of what fails, and gives each that fails alone, in order. Raises ``Refused``.

    Args:
        count: How many there are.
        attempt: Attempts those from the first number to before the second.
    """
    todo: list[tuple[int, int]] = [(0, count)]
    found = 0
    while todo:
        start, end = todo.pop()
        try:
            attempt(start, end)
        except Refused as refused:
            if not failures.is_a_rows_fault(refused):
                raise
            if end - start == 1:
                found += 1
                yield start, refused
            else:
                todo += _parts(start, end, few=found >= _MANY)


def _parts(start: int, end: int, *, few: bool) -> Sequence[tuple[int, int]]:
    """The first part last."""
    step = (end - start + 1) // 2
    if few:
        step = FEW if end - start > FEW else 1
    return [(at, min(at + step, end)) for at in reversed(range(start, end, step))]
