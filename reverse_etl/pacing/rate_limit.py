"""How fast requests may follow each other. How many may be open at once is in ``concurrency``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """Time as an argument.

    Attributes:
        now: Seconds, never going back.
        sleep: Waits this many seconds.
    """

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class RateLimit:
    """A token bucket: turns are handed out in the order in which they are asked for.

    Args:
        per_second: Turns a second in the long run.
        burst_s: Seconds' worth of unused turns that may be made up for at once.
        clock: Time.
        share: Asked at each turn how much of the rate is allowed, 1 for all of it.
        waits: Called with each wait for a turn, in seconds, except while everybody pauses.
    """

    def __init__(
        self,
        per_second: float,
        *,
        burst_s: float = 0.0,
        clock: Clock | None = None,
        share: Callable[[], float] = lambda: 1.0,
        waits: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._per_second = per_second
        self._share = share
        self._waits = waits
        self._burst_s = burst_s
        self._clock = clock or Clock()
        self._next_at = self._clock.now()
        self._paused_until = self._next_at

    async def turn(self) -> None:
        """Returns when the caller may send one request."""
        now = self._clock.now()
        at = max(self._next_at, now - self._burst_s)
        self._next_at = at + 1.0 / (self._per_second * self._share())
        if now >= self._paused_until:
            self._waits(at - now)
        while (wait_s := max(at, self._paused_until) - self._clock.now()) > 0:
            await self._clock.sleep(wait_s)

    def pause(self, seconds: float) -> None:
        """No turn is given for this long; a shorter pause does not end a longer one."""
        self._paused_until = max(self._paused_until, self._clock.now() + seconds)
        self._next_at = max(self._next_at, self._paused_until)
