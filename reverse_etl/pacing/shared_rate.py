"""One rate limit for all processes that send to a workspace: turns are reserved, a few at a time, in one place.

The caller gives the place where they are counted: ``Reserve``. While that place does not answer, a process continues
with a fraction of the limit.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from reverse_etl.errors import StateError
from reverse_etl.pacing.rate_limit import Clock

Reserve = Callable[[int, float], float]
"""Reserves turns in a row, this many and at this many a second, and returns the seconds until the first (0 or more).

It raises StateError, and may take a while: it is called beside the event loop.
"""

BLOCK_S: Final = 0.25
"""Seconds' worth of turns that are reserved at once at most: at most four reservations a second."""

ALONE_SHARE: Final = 0.25
"""The share of the limit that a process takes while turns cannot be reserved."""

ASK_AGAIN_S: Final = 5.0
"""Seconds until turns are reserved again after that failed."""

ANSWER_WITHIN_S: Final = 1.0
"""Seconds after which a reservation that is still under way counts as failed."""

_USABLE_S: Final = 0.25
"""Seconds after its time that a turn may still be taken."""


class SharedRate:
    """Turns of one process, in the order in which they are asked for.

    Args:
        per_second: The rate limit of all processes together.
        reserve: Reserves turns.
        clock: Time.
        waits: Called with each wait for a turn, in seconds.
    """

    def __init__(
        self, per_second: float, reserve: Reserve, *, clock: Clock, waits: Callable[[float], None] = lambda _: None
    ) -> None:
        self._per_second = per_second
        self._reserve = reserve
        self._clock = clock
        self._waits = waits
        self._block = max(1, int(per_second * BLOCK_S))
        self._wanted = 1
        self._asked = 0
        self._turns: deque[float] = deque()
        self._lock = asyncio.Lock()
        self._under_way: asyncio.Task[float] | None = None
        self._alone_until = float("-inf")
        self._alone_at = float("-inf")

    async def turn(self) -> None:
        """Returns when the caller may send one request."""
        async with self._lock:
            at = await self._next()
        self._waits(at - self._clock.now())
        while (wait_s := at - self._clock.now()) > 0:
            await self._clock.sleep(wait_s)

    async def _next(self) -> float:
        """When the next turn is."""
        self._forget_missed()
        while not self._turns:
            if self._clock.now() < self._alone_until or not await self._ask():
                return self._alone()
        return self._turns.popleft()

    def _forget_missed(self) -> None:
        missed = 0
        while self._turns and self._turns[0] < self._clock.now() - _USABLE_S:
            self._turns.popleft()
            missed += 1
        # Turns that are not used are lost for everybody: fewer next time, and twice as many while all are used.
        self._wanted = max(1, self._wanted // 2) if missed else self._wanted

    async def _ask(self) -> bool:
        if self._under_way is None:
            self._asked = self._wanted
            self._under_way = asyncio.create_task(asyncio.to_thread(self._reserve, self._asked, self._per_second))
            self._under_way.add_done_callback(_read)
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                wait_s = await asyncio.shield(self._under_way)
        except (StateError, TimeoutError):
            if self._under_way.done():
                self._under_way = None
            self._alone_until = self._clock.now() + ASK_AGAIN_S
            return False
        self._under_way = None
        first = self._clock.now() + wait_s
        self._turns.extend(first + number / self._per_second for number in range(self._asked))
        self._wanted = min(self._block, self._wanted * 2)
        return True

    def _alone(self) -> float:
        interval_s = 1.0 / (self._per_second * ALONE_SHARE)
        self._alone_at = max(self._alone_at + interval_s, self._clock.now())
        return self._alone_at


def _read(reservation: asyncio.Task[float]) -> None:
    """Takes note of how a reservation ended: one that fails after the run did is reported nowhere else."""
    if not reservation.cancelled():
        reservation.exception()
