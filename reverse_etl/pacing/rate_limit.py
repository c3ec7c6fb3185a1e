"""How fast requests may follow each other. How many may be open at once is in ``concurrency``."""

from __future__ import annotations

import asyncio
import time
from collections import deque
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
        at_once: How many turns need no gap between them when none was given for as long as these take. The later
            ones are spread, so that in as long as these take there are never more, whatever a network delays.
        clock: Time.
        share: Asked at each turn how much of the rate is allowed, 1 for all of it.
        waits: Called with each wait for a turn, in seconds, except while everybody pauses.
    """

    def __init__(
        self,
        per_second: float,
        *,
        burst_s: float = 0.0,
        at_once: int = 1,
        clock: Clock | None = None,
        share: Callable[[], float] = lambda: 1.0,
        waits: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._per_second = per_second
        self._share = share
        self._waits = waits
        self._burst_s = burst_s
        self._clock = clock or Clock()
        self._paused_until = self._clock.now()
        self._at_once = at_once
        # When each of the last turns may be followed by the one that is ``at_once`` later.
        self._free_at = deque([self._paused_until] * at_once)
        self._without_gap = at_once
        self._spread_at = self._paused_until

    async def turn(self) -> None:
        """Returns when the caller may send one request."""
        now = self._clock.now()
        gap_s = 1.0 / (self._per_second * self._share())
        if now >= self._free_at[-1]:
            self._without_gap = self._at_once
        at = max(self._free_at.popleft(), now - self._burst_s)
        if not self._without_gap:
            at = max(at, self._spread_at)
        self._without_gap = max(0, self._without_gap - 1)
        self._spread_at = at + gap_s
        self._free_at.append(at + self._at_once * gap_s)
        if now >= self._paused_until:
            self._waits(at - now)
        while (wait_s := max(at, self._paused_until) - self._clock.now()) > 0:
            await self._clock.sleep(wait_s)

    def pause(self, seconds: float) -> None:
        """No turn is given for this long; a shorter pause does not end a longer one."""
        self._paused_until = max(self._paused_until, self._clock.now() + seconds)
        self._free_at = deque(max(at, self._paused_until) for at in self._free_at)
        self._spread_at = max(self._spread_at, self._paused_until)
        self._without_gap = 0
