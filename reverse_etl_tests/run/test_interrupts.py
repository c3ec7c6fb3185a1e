"""A signal cancels what runs, lets it end, and is passed on afterwards."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from reverse_etl.run.interrupts import heard, run_interruptibly


class ElsewhereError(BaseException):
    """What another handler raises."""


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """The process's own handlers are back after each test."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


async def interrupted(ended: list[str], number: signal.Signals) -> None:
    """Sends its own process a signal, and ends in order."""
    os.kill(os.getpid(), number)
    try:
        await asyncio.sleep(30)
    except asyncio.CancelledError:
        await asyncio.sleep(0)
        ended.append("in order")
        raise


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_handler_of_before_raises_once_everything_has_ended(number: signal.Signals) -> None:
    """It is not called while the coroutine runs, and is in force again afterwards."""
    ended: list[str] = []

    def elsewhere(*_: object) -> None:
        ended.append("told")
        raise ElsewhereError

    signal.signal(number, elsewhere)
    with pytest.raises(ElsewhereError):
        run_interruptibly(interrupted(ended, number))
    assert ["in order", "told"] == ended
    assert elsewhere is signal.getsignal(number)


@pytest.mark.parametrize("handler", [signal.SIG_DFL, signal.default_int_handler, lambda *_: None])
def test_a_signal_never_goes_unnoticed(handler: signal.Handlers) -> None:
    """Where nothing else is raised for it, it is a KeyboardInterrupt."""
    ended: list[str] = []
    signal.signal(signal.SIGTERM, handler)
    with pytest.raises(KeyboardInterrupt):
        run_interruptibly(interrupted(ended, signal.SIGTERM))
    assert ["in order"] == ended


def test_without_a_signal_it_is_an_ordinary_run() -> None:
    """Results and errors come back; a cancellation from elsewhere stays one; other threads may run it too."""

    async def seven() -> int:
        return 7

    async def cancels() -> None:
        raise asyncio.CancelledError

    assert 7 == run_interruptibly(seven())
    with pytest.raises(asyncio.CancelledError):
        run_interruptibly(cancels())
    results: list[int] = []
    thread = threading.Thread(target=lambda: results.append(run_interruptibly(seven())))
    thread.start()
    thread.join()
    assert [7] == results


class Forgotten:
    """Something whose end is a moment at which Python drops what is raised."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)


@heard()
def work(done: list[str]) -> None:
    """Goes on, though a signal came."""
    Forgotten()
    done.append("all")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_whose_exception_is_dropped_is_heard_at_the_end_of_the_block() -> None:
    """It came in a finalizer; the block ran to its end, and then the signal is passed on."""
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        work(done)
    assert ["all"] == done
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def turned() -> None:
    """A library that makes an error of its own of a Ctrl-C, as DuckDB does while it runs a query."""
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt:
        raise RuntimeError("Query interrupted") from None


@pytest.mark.parametrize("at_the_end", [True, False])
def test_a_signal_that_became_an_error_is_a_signal_again(at_the_end: bool) -> None:
    """Nobody is told of a defect; an error without a signal stays one."""
    with pytest.raises(KeyboardInterrupt), heard(at_the_end=at_the_end):
        turned()
    with pytest.raises(RuntimeError), heard(at_the_end=at_the_end):
        raise RuntimeError("of its own")


def test_a_block_that_came_to_its_end_may_stay_ended() -> None:
    """Where what it did must not be taken for canceled."""
    done: list[str] = []
    with heard(at_the_end=False):
        with suppress(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        done.append("all")
    assert ["all"] == done


def test_two_signals_at_once_are_one() -> None:
    """The second would break into how the block ends because of the first."""
    ended: list[str] = []

    @heard()
    def pressed_twice() -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)
        finally:
            os.kill(os.getpid(), signal.SIGINT)
            ended.append("in order")

    with pytest.raises(KeyboardInterrupt):
        pressed_twice()
    assert ["in order"] == ended


def test_without_a_signal_nothing_is_heard() -> None:
    """And who handled signals before does so afterwards."""
    with heard():
        pass
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
