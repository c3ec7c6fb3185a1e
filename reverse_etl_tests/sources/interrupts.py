"""Ctrl-C at a moment of the test's choice."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def interrupted_after(seconds: float) -> Iterator[None]:
    """Presses Ctrl-C once, so long after the block began."""
    pause = threading.Event()
    with interrupted_once(lambda: pause.wait(seconds)):
        yield


@contextmanager
def interrupted_once(wait: Callable[[], object]) -> Iterator[None]:
    """Presses Ctrl-C once, when ``wait`` returns in a thread of its own."""

    def press() -> None:
        wait()
        os.kill(os.getpid(), signal.SIGINT)

    pressing = threading.Thread(target=press)
    # Hypothesis runs Python while garbage is collected, and an interrupt that falls into that is dropped.
    gc.disable()
    pressing.start()
    try:
        yield
    finally:
        pressing.join()
        gc.enable()
