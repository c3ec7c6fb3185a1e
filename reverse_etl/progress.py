"""How far a run is, for listeners in this process: numbers and names of runs, no values, no identifiers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

Stage = Literal["extract", "validate", "compare", "deliver"]


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is.

    Attributes:
        stage: What it is doing.
        stream: The name of the stream.
        done: Rows that this stage has dealt with; 0 once it begins.
        failed: Rows among them that failed in this stage.
        total: Rows that it has to deal with; None while that is not known.
    """

    stage: Stage
    stream: str
    done: int
    failed: int = 0
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A run waits: for its workspace (reported at once, then every minute), or for its destination (reported once).

    Attributes:
        sentence: What for, and how long, or how long so far.
        where: The destination that it waits for: ``workspace main``; empty where it waits for the workspace's lease.
        why: The rest of the sentence after how long: ``because workspace main asked for it (HTTP 429)``.
        lasts_s: Seconds that it still takes from now on; None where that is not known.
        at_most: Whether it may end earlier, as an answer may come at any time.
    """

    sentence: str
    where: str = ""
    why: str = ""
    lasts_s: float | None = None
    at_most: bool = False


Listener = Callable[[Progress | Waiting], None]

_listeners: list[Listener] = []


def emit(event: Progress | Waiting) -> None:
    """Calls every listener of this process; costs nothing without listeners."""
    for listener in _listeners:
        listener(event)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Calls ``listener`` with everything that is reported inside the block."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)
