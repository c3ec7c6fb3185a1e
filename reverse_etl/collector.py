"""Python's cycle collector, kept out where many objects are made that have no cycles."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_OBJECTS_OF_A_START: Final = 300_000
"""More than imports and the definitions of a sync make."""

_OBJECTS_BETWEEN: Final = 4_000
"""Rather than Python's 700. What waits for collection may hold rows, so that it is not much."""


def collect_after_the_start() -> None:
    """Puts off the first collection of a process: imports make objects by the thousand, nearly all of which stay."""
    gc.set_threshold(_OBJECTS_OF_A_START)
    gc.callbacks.append(_collected)


def collect_from_now_on() -> None:
    """Has it collect as often as where rows are in memory."""
    gc.set_threshold(_OBJECTS_BETWEEN)
    if _collected in gc.callbacks:
        gc.callbacks.remove(_collected)


def _collected(phase: str, _: dict[str, int]) -> None:
    if phase == "stop":
        collect_from_now_on()


@contextmanager
def uncollected() -> Iterator[None]:
    """Keeps the collector out while many objects are made or held: it would walk them all, again and again.

    Measured: half of the time of reading SQLite's rows of 10 columns.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
