"""Runs of this process between two of their stages: whatever ends the process's work must close them.

Dagster raises an interruption when the next stage would begin, before anything of ours is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_open: Final[dict[str, tuple[str, Callable[[], object]]]] = {}


def leave_open(run_id: str, lease_id: str, end: Callable[[], object]) -> None:
    """Notes that a run continues with another stage in this process.

    Args:
        run_id: Its id in the history.
        lease_id: Dagster's id of it, which several may share.
        end: Closes it.
    """
    _open[run_id] = (lease_id, end)


def has_closed(run_id: str) -> None:
    """Notes that a run is closed; no harm where it was not open."""
    _open.pop(run_id, None)


def end_open(lease_id: str) -> None:
    """Closes what is still open of a run of Dagster's. Raises StateError."""
    for run_id in [run_id for run_id, (each, _) in _open.items() if each == lease_id]:
        _, end = _open.pop(run_id)
        end()
