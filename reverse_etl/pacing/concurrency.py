"""Several things at once: where the first failure is the failure, and how many when the other side is in trouble."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final

from reverse_etl.pacing.rate_limit import Clock
from reverse_etl.pacing.window import Window

TROUBLE_LASTS_S: Final = 1.0
"""Trouble within this many seconds is the same trouble: requests that were open together fail together."""


async def together(coroutines: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Runs all of them at once; the first that fails cancels the others and its own error is raised, not a group."""
    try:
        async with asyncio.TaskGroup() as group:
            for coroutine in coroutines:
                group.create_task(coroutine)
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


class InFlight:
    """How many requests may be open at once: half as many with each trouble, one more with each round without.

    Args:
        most: Open at once while all is well.
        at_first: With how many it begins; more are tried while they get more done (``window``). None: with ``most``.
        per_second: Most requests a second; ``share`` never means less than one of them.
        clock: Time.

    Attributes:
        share: What is allowed now of what is allowed while all is well: 1 at most. The rate follows it too.
        window: What is allowed while all is well.
    """

    def __init__(self, most: int, *, at_first: int | None = None, per_second: float, clock: Clock) -> None:
        self.share = 1.0
        self.window = Window(most, at_first=at_first)
        self._least_share = min(1.0, 1.0 / max(float(most), per_second))
        self._clock = clock
        self._slowed_at = float("-inf")
        self._open = 0
        self._waiting: list[asyncio.Future[None]] = []
        self._idle: list[asyncio.Future[None]] = []
        self._all = False

    @property
    def allowed(self) -> int:
        """Requests that may be open now; at least one."""
        return max(1, int(self.share * self.window.size + 1e-9))

    async def until_window_is_over(self, number: int) -> None:
        """Returns when the window is larger than this number, or will not grow any more (``open_all``)."""
        while number >= self.window.size and not self._all:
            await _woken(self._idle)

    def is_waited_for(self) -> bool:
        """Whether a request waits for a place."""
        return bool(self._waiting)

    def open_all(self) -> None:
        """Nothing more is to come: who waits for the window to grow need not."""
        self._all = True
        _wake(self._idle)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Holds one of the places while the block lasts; waits for it."""
        while self._open >= self.allowed:
            await _woken(self._waiting)
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1
            _wake(self._waiting)

    def slow_down(self) -> None:
        """An answer was trouble: too many requests, a server's fault, none in time."""
        now = self._clock.now()
        if now - self._slowed_at >= TROUBLE_LASTS_S:
            self._slowed_at = now
            self.window.trouble()
            self.share = max(self._least_share, self.share / 2)

    def speed_up(self, took_s: float = 0.0, *, series: int = -1, paced: bool = False) -> None:
        """An answer was one: as many of them as may be open now allow one more.

        Args:
            took_s: As ``Window.answered`` takes it.
            series: Of the window, as it was when the request was sent.
            paced: Whether the rate limit held it back: then places are not what is short.
        """
        if paced or self.share < 1.0:
            self.window.begin_round()
        else:
            self.window.answered(took_s, series=series)
        self.share = min(1.0, self.share + 1.0 / (self.window.size * self.allowed))
        _wake(self._waiting)
        if series != self.window.series:
            _wake(self._idle)


async def _woken(waiting: list[asyncio.Future[None]]) -> None:
    turn = asyncio.get_running_loop().create_future()
    waiting.append(turn)
    await turn


def _wake(waiting: list[asyncio.Future[None]]) -> None:
    for turn in waiting:
        if not turn.done():
            turn.set_result(None)
    waiting.clear()
