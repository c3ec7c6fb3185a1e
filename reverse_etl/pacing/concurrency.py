"""Several things at once: where the first failure is the failure, and how many when the other side is in trouble."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final

from reverse_etl.pacing.rate_limit import Clock

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
        per_second: Most requests a second; ``share`` never means less than one of them.
        clock: Time.

    Attributes:
        share: What is allowed now of what is allowed while all is well: 1 at most. The rate follows it too.
    """

    def __init__(self, most: int, *, per_second: float, clock: Clock) -> None:
        self.share = 1.0
        self._most = most
        self._least_share = min(1.0, 1.0 / max(float(most), per_second))
        self._clock = clock
        self._slowed_at = float("-inf")
        self._open = 0
        self._waiting: list[asyncio.Future[None]] = []

    @property
    def allowed(self) -> int:
        """Requests that may be open now; at least one."""
        return max(1, int(self.share * self._most + 1e-9))

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Holds one of the places while the block lasts; waits for it."""
        while self._open >= self.allowed:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1
            self._wake()

    def slow_down(self) -> None:
        """An answer was trouble: too many requests, a server's fault, none in time."""
        now = self._clock.now()
        if now - self._slowed_at >= TROUBLE_LASTS_S:
            self._slowed_at = now
            self.share = max(self._least_share, self.share / 2)

    def speed_up(self) -> None:
        """An answer was one: as many of them as may be open now allow one more."""
        self.share = min(1.0, self.share + 1.0 / (self._most * self.allowed))
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for turn in waiting:
            if not turn.done():
                turn.set_result(None)
