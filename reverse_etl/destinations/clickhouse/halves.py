"""Rows of which one makes an insert fail, which the server does not name: halves find it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from reverse_etl.destinations.clickhouse import failures
from reverse_etl.destinations.clickhouse.session import Refused


def faults(places: np.ndarray, count: int, act: Callable[[np.ndarray], None]) -> Iterator[tuple[int, Refused]]:
    """Attempts all, halves of what fails, and gives each that fails alone.

    Args:
        places: Of the rows.
        count: How many rows the slice has.
        act: Inserts the rows of a mask.
    """
    todo = [places]
    while todo:
        some = todo.pop()
        if not len(some):
            continue
        rows = np.zeros(count, bool)
        rows[some] = True
        fault = fault_of(act, rows)
        if fault is not None and len(some) == 1:
            yield int(some[0]), fault
        elif fault is not None:
            middle = len(some) // 2
            todo += [some[middle:], some[:middle]]


def fault_of(act: Callable[[np.ndarray], None], rows: np.ndarray) -> Refused | None:
    """Why rows are refused, for a row's sake; None where they are not."""
    try:
        act(rows)
    except Refused as refused:
        if failures.is_a_rows_fault(refused):
            # Without the rows of the attempt, which are in its frames.
            return refused.with_traceback(None)
        raise
    return None
