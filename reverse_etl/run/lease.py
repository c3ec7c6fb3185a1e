"""A run takes its workspace's lease, and what it does where another run has it; kept in ``state.workspace_lease``."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from reverse_etl.errors import StateError, WorkspaceBusyError
from reverse_etl.progress import Progress, Waiting, emit
from reverse_etl.state import workspace_lease
from reverse_etl.state.runs import record_skipped
from reverse_etl.workers import heartbeat

if TYPE_CHECKING:
    from collections.abc import Callable

    from reverse_etl.run.record import SyncRun
    from reverse_etl.state.workspace_lease import Lease

_one_at_a_time: Final = threading.Lock()

_LOOK_AGAIN_S: Final = 1.0
_SAY_EVERY: Final = 60
"""Looks between two sentences of a run that waits: one a minute, which shows run monitoring that it is alive."""


def take_lease(run: SyncRun, pause: Callable[[float], object] = time.sleep) -> None:
    """Makes the run the only one of its workspace until it is closed; with ``overlap: wait`` it waits for that.

    It waits as long as the other one lives, and reports it once a minute; interrupting ``pause`` ends the waiting.

    Raises:
        WorkspaceBusyError: Another run holds the lease. It is in the history as ``skipped``.
    """
    take = partial(workspace_lease.take, run.store, run.sync.destination, run_id=run.lease_id, sync=run.sync.name)
    looked = 0
    while other := _taken(run.lease_id, take):
        if run.sync.schedule.overlap == "skip":
            raise _skipped(run, other)
        if looked % _SAY_EVERY == 0:
            so_far = f", for {looked // _SAY_EVERY} min so far" if looked else ""
            sentence = f"Waits for the {run.sync.PLACE}{so_far}: {_in_the_way(run, other)}."
            run.waits(sentence)
            emit(Waiting(sentence))
        looked += 1
        pause(_LOOK_AGAIN_S)


def note_wait(run: SyncRun, event: Progress | Waiting) -> None:
    """Records why the run waits, for the runs that it blocks; beside the event loop, which must not stand still."""
    if not isinstance(event, Waiting) or event.where.partition(" ")[2] != run.sync.destination or event.at_most:
        return
    threading.Thread(target=_write_wait, args=(run, event.lasts_s or 0.0, event.why), daemon=True).start()


def _write_wait(run: SyncRun, seconds: float, why: str) -> None:
    # Where the state database does not answer, the run waits all the same.
    with suppress(StateError):
        workspace_lease.note_wait(run.store, run.lease_id, seconds=seconds, why=why)


def _taken(run_id: str, take: Callable[[], Lease | None]) -> Lease | None:
    """Takes the lease and begins the signs of life together: another thread of this process asks for both."""
    with _one_at_a_time:
        other = take()
        if other is None:
            heartbeat.start(run_id, lambda: take() is None)
    return other


def _skipped(run: SyncRun, other: Lease) -> WorkspaceBusyError:
    in_the_way = _in_the_way(run, other)
    record_skipped(
        run.store,
        run.sync.name,
        run.sync.destination,
        run.began_at,
        other.run_id,
        message=f"Skipped: {in_the_way}. Nothing was read or sent.",
        run_id=run.run_id,
    )
    error = WorkspaceBusyError(
        f"skipped: {in_the_way}. Nothing was read or sent.", hint="Run it again when that one has ended."
    )
    error.located(run.sync.where)
    return error


def _in_the_way(run: SyncRun, other: Lease) -> str:
    since = f"since {other.taken_at:%H:%M:%S} UTC"
    waits = f", and {other.waits}" if other.waits else ""
    return f"{other.label} is in progress in {run.sync.PLACE} {run.sync.destination} {since}{waits}"
