"""Runs of this process between two of their stages: whoever ends the process's work must close their books.

Dagster raises an interruption when the next stage would begin, before anything of ours is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_open: Final[dict[str, tuple[str, Callable[[], object]]]] = {}


def leave_open(run_id: str, turn: str, end: Callable[[], object]) -> None:
    """Notes that a run continues with another stage in this process.

    Args:
        run_id: Its id in the history.
        turn: Dagster's id of it, which several may share.
        end: Closes its books.
    """
    _open[run_id] = (turn, end)


def has_closed(run_id: str) -> None:
    """Notes that a run's books are closed; no harm where it was not open."""
    _open.pop(run_id, None)


def end_open(turn: str) -> None:
    """Closes the books of what is still open of a run of Dagster's. Raises StateError."""
    for run_id in [run_id for run_id, (each, _) in _open.items() if each == turn]:
        _, end = _open.pop(run_id)
        end()
