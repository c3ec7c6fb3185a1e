"""What must not take long, as ratios of two loops, in turn, in one process: ours, and a plain one beside it.

``python -m reverse_etl_tests.ratios`` prints what each guard found as JSON: nothing, or what is too slow. The process
is a fresh one: in one that has run thousands of tests, kernels have taken ten times as long as here, loops no longer.

Seconds of a machine say nothing on another one, or beside other work; which of two loops takes longer does. The bounds
are two to three times what was measured, as other work takes more from kernels than from loops.
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable

_TRIES = 5


def ratio(below: float, ours: Callable[[], object], plain: Callable[[], object], *, turns: int = 7) -> float:
    """How many times the processor's time of the plain loop ours takes: the least of some turns of each.

    Other work on the machine takes more from kernels than from loops, for as long as it lasts: what is not below is
    measured again. A kernel that falls back to a loop never is. Garbage of earlier tests is not collected meanwhile.
    """
    found = math.inf
    gc.disable()
    try:
        for _ in range(_TRIES):
            taken: list[list[float]] = [[], []]
            for _ in range(turns):
                for work, seconds in zip((ours, plain), taken, strict=True):
                    began = time.thread_time()
                    work()
                    seconds.append(time.thread_time() - began)
            found = min(taken[0]) / min(taken[1])
            if found < below:
                break
    finally:
        gc.enable()
    return found


def require(below: float, ours: Callable[[], object], plain: Callable[[], object], *, turns: int = 7) -> None:
    """Raises AssertionError where ours is not below so many times the plain loop."""
    found = ratio(below, ours, plain, turns=turns)
    assert found < below, f"{found:.2f} times the plain loop, and the bound is {below}"


def found(guard: Callable[[], None]) -> str:
    """What a guard found too slow; empty for nothing."""
    try:
        guard()
    except AssertionError as error:
        return str(error) or "the ratio is not below its bound"
    return ""
