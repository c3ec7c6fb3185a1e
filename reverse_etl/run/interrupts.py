"""A signal ends a delivery in order: it is canceled, has its time to finish, and only then is the signal passed on."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final, NoReturn, TypeVar

from reverse_etl.errors import INTERRUPTED_EXIT_CODE

Result = TypeVar("Result")

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

_ONE_PRESS_S: Final = 0.005
"""Less than anybody presses twice in, and less than a dropped one takes to come again."""


@contextmanager
def undisturbed() -> Iterator[None]:
    """Ignores further signals while a run that was interrupted is closed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)


@contextmanager
def held() -> Iterator[Callable[[], None]]:
    """Keeps Ctrl-C until it can be raised: at the end of the block, or where the block calls what it is given.

    Raised just anywhere it may get lost: Python drops it in the callback of a weak reference and in a finalizer, and
    libraries print it or turn it into errors of their own. A second one ends the process at once. Outside of the main
    thread, and where Ctrl-C is ignored, this does nothing.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield lambda: None
        return
    received: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        if received:
            os._exit(INTERRUPTED_EXIT_CODE)
        received.append(number)

    def raise_received() -> None:
        if received:
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, note)
    try:
        yield raise_received
    finally:
        signal.signal(signal.SIGINT, before)
        if signal.getsignal(signal.SIGTERM) is note:  # Dagster hands SIGTERM to the handler of SIGINT
            signal.signal(signal.SIGTERM, before)
        raise_received()


@contextmanager
def heard(*, at_the_end: bool = True) -> Iterator[None]:
    """Has a signal's handler raise once more where what it raised was dropped, or became an error of a library's own.

    Python drops what is raised in the callback of a weak reference or in a finalizer, DuckDB makes an error of its own
    of it, and Dagster's handler raises wherever the signal comes. Signals within ``_ONE_PRESS_S`` are one: the second
    would break into how the first is dealt with. Outside of the main thread it does nothing.

    Args:
        at_the_end: Also where the block has come to its end.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []
    raised_at = -_ONE_PRESS_S
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal raised_at
        received.append(number)
        handler = before[signal.Signals(number)]
        if callable(handler) and time.monotonic() - raised_at >= _ONE_PRESS_S:
            raised_at = time.monotonic()
            handler(number, frame)

    for number, handler in before.items():
        if callable(handler):
            signal.signal(number, note)

    def pass_on() -> NoReturn:
        handler = before[signal.Signals(received[0])]
        if callable(handler):
            handler(received[0], None)
        raise KeyboardInterrupt

    try:
        yield
    except Exception:
        if received:
            pass_on()
        raise
    finally:
        for number, handler in before.items():
            if callable(handler):
                signal.signal(number, handler)
    if received and at_the_end:
        pass_on()


def run_interruptibly(main: Coroutine[Any, Any, Result]) -> Result:
    """Runs a coroutine to its end; SIGINT and SIGTERM cancel it rather than break into whatever runs just then.

    Afterwards, also where all was done before it could be canceled, the signal's previous handler is called, and
    raises what it raises: Dagster its own interruption. A second signal cancels again, which ends the waiting for
    answers. Outside of the main thread it is ``asyncio.run``.

    Raises:
        KeyboardInterrupt: There was a signal, and nothing else was raised for it.
    """
    if threading.current_thread() is not threading.main_thread():
        return asyncio.run(main)
    received: list[signal.Signals] = []

    async def watched() -> Result:
        task = asyncio.current_task()

        def stop(number: signal.Signals) -> None:
            received.append(number)
            if task is not None:
                task.cancel()

        for number in _SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, stop, number)
        return await main

    before = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        result = asyncio.run(watched())
        if not received:
            return result
    except asyncio.CancelledError:
        if not received:
            raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)
    handler = before[received[0]]
    if callable(handler):
        handler(received[0], None)
    raise KeyboardInterrupt
