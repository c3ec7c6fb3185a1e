"""Long waits, reported to those who watch a run: what for, and how long."""

from __future__ import annotations

from typing import Final

from reverse_etl.pacing.rate_limit import Clock
from reverse_etl.progress import Waiting, emit

VISIBLE_S: Final = 3.0
"""Shorter waits are not worth a word."""


class Waits:
    """The waits of one run at one destination; several requests that wait for the same are reported once.

    Args:
        where: The destination, as messages call it: ``workspace main``.
        clock: Time.
    """

    def __init__(self, where: str, *, clock: Clock) -> None:
        self._where = where
        self._clock = clock
        self._reported: dict[str, float] = {}

    async def wait(self, seconds: float, why: str) -> None:
        """Waits this many seconds, and reports the wait where they are many."""
        self.report(seconds, why)
        await self._clock.sleep(seconds)

    def report(self, seconds: float, why: str, *, at_most: bool = False) -> None:
        """Reports that the run waits this many seconds from now on.

        Args:
            seconds: How long; up to ``VISIBLE_S`` nothing is reported.
            why: The rest of the sentence: ``because workspace main asked for it (HTTP 429)``.
            at_most: Whether it may end earlier.
        """
        until = self._clock.now() + seconds
        if seconds <= VISIBLE_S or until <= self._reported.get(why, float("-inf")) + VISIBLE_S:
            return
        # What may end at any time may begin again soon, and is worth another word then.
        self._reported[why] = self._clock.now() if at_most else until
        up_to = "up to " if at_most else ""
        sentence = f"Waits {up_to}{seconds:.0f} s {why}."
        emit(Waiting(sentence, where=self._where, why=why, lasts_s=seconds, at_most=at_most))
