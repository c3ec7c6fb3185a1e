"""Signs of life of the runs that this process works on: a thread for each, until its books are closed or it leaves.

A run that lost its turn meanwhile (the machine slept, the state database was away) is interrupted, as Ctrl-C would.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from typing import Final

from reverse_etl.errors import StateError

BEAT_S: Final = 20.0
"""Seconds between two signs of life."""

_beating: dict[str, threading.Event] = {}


def start(run_id: str, beat: Callable[[], bool], *, every_s: float = BEAT_S) -> None:
    """Begins to give signs of life of a run; doing so twice is once.

    Args:
        run_id: The run.
        beat: Gives one sign; false when the run has lost its turn. May raise StateError: then the next one is tried.
        every_s: Seconds between them; the first comes after so many.
    """
    if run_id in _beating:
        return
    stopped = _beating[run_id] = threading.Event()
    threading.Thread(target=_beat, args=(stopped, beat, every_s), name=f"heartbeat {run_id[:8]}", daemon=True).start()


def stop(run_id: str) -> bool:
    """Ends the signs of life of a run, and says whether there were any."""
    stopped = _beating.pop(run_id, None)
    if stopped is not None:
        stopped.set()
    return stopped is not None


def beats(run_id: str) -> bool:
    """Whether this process gives signs of life of a run."""
    return run_id in _beating


def _beat(stopped: threading.Event, beat: Callable[[], bool], every_s: float) -> None:
    while not stopped.wait(every_s):
        try:
            kept = beat()
        except StateError:
            continue
        if not kept and not stopped.is_set():
            os.kill(os.getpid(), signal.SIGINT)
            return
