"""How far a run is, for whoever watches it in this process. Numbers only: no values, no identifiers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

Stage = Literal["extract", "validate", "deliver"]


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is.

    Attributes:
        stage: What it is doing.
        query: ``rows`` or ``relationships``.
        done: Rows that this stage has dealt with.
        failed: Rows among them that failed in this stage.
        total: Rows there are; None while the query still runs.
    """

    stage: Stage
    query: str
    done: int
    failed: int = 0
    total: int | None = None


Listener = Callable[[Progress], None]

_listeners: list[Listener] = []


def tell(progress: Progress) -> None:
    """Tells every listener of this process; costs nothing when nobody listens."""
    for listener in _listeners:
        listener(progress)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Calls ``listener`` with every ``Progress`` told inside the block."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)
