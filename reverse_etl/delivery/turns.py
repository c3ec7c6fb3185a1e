"""When a request may leave: a place among those that are open, a turn of the rate, and turns of what it is about.

The rules are in ``pacing``; what a request is and what becomes of it is in ``sender``.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from reverse_etl.destinations.base import TryAgain
from reverse_etl.destinations.request_powers import PacesKeys
from reverse_etl.pacing.concurrency import InFlight
from reverse_etl.pacing.rate_limit import RateLimit
from reverse_etl.pacing.shared_rate import SharedRate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from reverse_etl.destinations.base import Answer, Destination, Limits
    from reverse_etl.pacing.rate_limit import Clock
    from reverse_etl.pacing.retry import Patience
    from reverse_etl.pacing.shared_rate import Reserve

SLOW_ANSWER_S: Final = 5.0
"""An answer that takes longer is trouble: the destination is asked less, though it did answer."""

IN_FLIGHT_BYTES: Final = 20_000_000
"""What the requests that are open carry together at most, where their number follows the answers."""

_LANES_OF_FIRST: Final = 2
"""Times as many lanes as requests at first: each has a request that is being filled, and its memory."""

_OF_AN_ANSWER: Final = 0.25
"""Where this share of an answer's time is spent without a request, or for the rate, more places change nothing."""

_BURST_S: Final = 0.1


def most_in_flight(limits: Limits) -> int:
    """How many requests may be open at once."""
    most, first = limits.max_requests_in_flight, limits.in_flight_at_first
    return most if first is None else min(most, max(first, IN_FLIGHT_BYTES // limits.max_request_bytes))


def lanes_of(limits: Limits) -> int:
    """Lanes of rows that must keep their order; each has one request open at most."""
    most, first = most_in_flight(limits), limits.in_flight_at_first
    return most if first is None else min(most, first * _LANES_OF_FIRST)


@dataclass(slots=True)
class Leave:
    """A request that may leave now.

    Attributes:
        at: When.
        waited_s: For the rate's turn.
        series: The window's, at that time.
    """

    at: float
    waited_s: float
    series: int


class Turns:
    """The turns of one delivery.

    Args:
        destination: Where requests go.
        patience: The run's; long waits for a turn are reported there.
        clock: Time.
        reserve: Where turns are shared with other processes; None: this delivery has the rate limit for itself.

    Attributes:
        workers: Requests open at once, at most.
        in_flight: How many may be open now.
    """

    def __init__(
        self, destination: Destination, patience: Patience, *, clock: Clock, reserve: Reserve | None = None
    ) -> None:
        limits = destination.limits
        rate, waits = limits.requests_per_second, partial(_report_wait, patience, destination.name)
        self.workers = most_in_flight(limits)
        self.in_flight = InFlight(self.workers, at_first=limits.in_flight_at_first, per_second=rate, clock=clock)
        self._clock = clock
        self._rate = RateLimit(rate, burst_s=_BURST_S, clock=clock, share=lambda: self.in_flight.share, waits=waits)
        self._shared = SharedRate(rate, reserve, clock=clock, waits=waits) if reserve else None
        self._paces = destination if isinstance(destination, PacesKeys) else None
        self._key_rates: dict[str, RateLimit] = {}
        self._took_s = 0.0

    async def turn(self) -> None:
        """Returns when a request may leave as far as the rate is concerned."""
        await self._rate.turn()
        if self._shared is not None:
            await self._shared.turn()

    @asynccontextmanager
    async def leave(self, items: Sequence[bytes]) -> AsyncIterator[Leave]:
        """Waits until a request with these items may leave; it has its place while the block lasts."""
        # What the request is about comes first: a place is one that others could have.
        await self._turns_of_keys(items)
        async with self.in_flight.place():
            asked_at = self._clock.now()
            await self.turn()
            now = self._clock.now()
            yield Leave(now, now - asked_at, self.in_flight.window.series)

    def idled(self, seconds: float) -> None:
        """Takes note of how long a place was free because there was no request for it."""
        if seconds > self._took_s * _OF_AN_ANSWER and not self.in_flight.is_waited_for():
            self.in_flight.window.begin_round()

    def answered(self, leave: Leave, answer: Answer) -> None:
        """Takes note of an answer, and of how long it took."""
        took_s = self._took_s = self._clock.now() - leave.at
        if took_s > SLOW_ANSWER_S:
            self.in_flight.slow_down()
        elif not isinstance(answer, TryAgain):
            self.in_flight.speed_up(took_s, series=leave.series, paced=leave.waited_s > took_s * _OF_AN_ANSWER)

    def slow_down(self, trouble: TryAgain) -> None:
        """Asks less after trouble, and nothing for as long as the destination asked to wait."""
        self.in_flight.slow_down()
        if trouble.slow_down and trouble.after_s:
            self._rate.pause(trouble.after_s)

    async def _turns_of_keys(self, items: Sequence[bytes]) -> None:
        if self._paces is None:
            return
        for key in self._paces.pace_keys(items):
            rate = self._key_rates.get(key)
            if rate is None:
                per_second = self._paces.requests_per_second_per_key
                rate = self._key_rates[key] = RateLimit(per_second, clock=self._clock)
            await rate.turn()


def _report_wait(patience: Patience, name: str, seconds: float) -> None:
    patience.waits.report(seconds, f"for the rate limit of {name}")
