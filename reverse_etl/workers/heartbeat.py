"""Signs of life of the runs that this process works on: a thread for each, until the run is closed or leaves.

A run that lost its lease meanwhile (the machine slept), or is about to because no sign of life arrives (the state
database is away), is interrupted, as Ctrl-C would.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from reverse_etl.errors import StateError

BEAT_S: Final = 20.0
"""Seconds between two signs of life."""

GIVE_UP_S: Final = 150.0
"""Seconds without a sign that arrived, after which a run stops by itself, before another run may take its lease."""

_WATCH_S: Final = 1.0

_beating: dict[str, _Beats] = {}
_reasons: dict[str, str] = {}


@dataclass(slots=True)
class _Beats:
    """The signs of life of one run."""

    stopped: threading.Event
    arrived_at: float


def start(run_id: str, beat: Callable[[], bool], *, every_s: float = BEAT_S, give_up_s: float = GIVE_UP_S) -> None:
    """Begins to give signs of life of a run; doing so twice is once.

    Args:
        run_id: The run.
        beat: Gives one sign; false when the run has lost its lease. May raise StateError: then the next one is tried.
        every_s: Seconds between them; the first comes after this many.
        give_up_s: Seconds for which none may arrive.
    """
    if run_id in _beating:
        return
    beats = _beating[run_id] = _Beats(threading.Event(), _now())
    for work, seconds in ((partial(_beat, beat=beat), every_s), (_watch, give_up_s)):
        name = f"heartbeat {run_id[:8]}"
        threading.Thread(target=work, args=(run_id, beats, seconds), name=name, daemon=True).start()


def stop(run_id: str) -> bool:
    """Ends the signs of life of a run, and returns whether there were any."""
    beats = _beating.pop(run_id, None)
    if beats is not None:
        beats.stopped.set()
    return beats is not None


def beats(run_id: str) -> bool:
    """Whether this process gives signs of life of a run."""
    return run_id in _beating


def reason(run_id: str) -> str:
    """Why a run was interrupted from here, the rest of a sentence; empty where it was not. Said once."""
    return _reasons.pop(run_id, "")


def _beat(run_id: str, beats: _Beats, every_s: float, *, beat: Callable[[], bool]) -> None:
    while not beats.stopped.wait(every_s):
        sent_at = _now()
        try:
            kept = beat()
        except StateError:
            continue
        beats.arrived_at = sent_at
        if not kept:
            _interrupt(run_id, beats, "another run has taken over the workspace")
            return


def _watch(run_id: str, beats: _Beats, give_up_s: float) -> None:
    """Beside the signs themselves, because one that does not arrive may not come back for long either."""
    while not beats.stopped.wait(min(_WATCH_S, give_up_s)):
        if _now() - beats.arrived_at > give_up_s:
            _interrupt(run_id, beats, f"the state database has not heard of it for {give_up_s:.0f} s")
            return


def _interrupt(run_id: str, beats: _Beats, why: str) -> None:
    if not beats.stopped.is_set():
        _reasons[run_id] = why
        os.kill(os.getpid(), signal.SIGINT)


def _now() -> float:
    """Seconds that also pass while the machine sleeps, where it can measure them."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
