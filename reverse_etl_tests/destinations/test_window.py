"""The number of requests in flight is found by trying: as many as get more done, and no more."""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from reverse_etl.pacing.concurrency import InFlight
from reverse_etl.pacing.window import Window
from reverse_etl_tests.destinations.scripted import FastClock

MOST, AT_FIRST = 40, 8


@dataclass(slots=True)
class Service:
    """A service as a queue: each answer takes a while, and it begins no more than so many a second.

    Attributes:
        latency_s: Of an answer that waits for nothing.
        per_second: Answers; None for any number.
        spread: Of the latency, as a share of it.
        now_s: Time.
        largest: Most requests that were open at once.
    """

    latency_s: float
    per_second: float | None = None
    spread: float = 0.0
    now_s: float = 0.0
    largest: int = 0

    def answers(self, window: Window, requests: int, *, full: bool = True, seed: int = 0) -> float:
        """Sends requests as fast as the window lets, and returns the seconds that it took."""
        chance = random.Random(seed)  # noqa: S311 - the same each time
        began_at = free_at = self.now_s
        opened: list[tuple[float, float, int]] = []
        while requests or opened:
            while requests and len(opened) < window.size:
                free_at = max(free_at, self.now_s) + (1 / self.per_second if self.per_second else 0)
                took_s = self.latency_s * (1 + chance.uniform(-self.spread, self.spread))
                heapq.heappush(opened, (max(free_at, self.now_s) + took_s, self.now_s, window.series))
                requests -= 1
            self.largest = max(self.largest, len(opened))
            self.now_s, sent_at, series = heapq.heappop(opened)
            window.answered(self.now_s - sent_at, series=series)
            if not requests or not full:
                window.begin_round()
        return self.now_s - began_at


@settings(max_examples=25, deadline=None)
@given(st.floats(0.001, 2.0), st.floats(0.0, 0.5), st.integers(0, 10**6))
def test_a_service_that_takes_any_number_gets_all_that_may_be_open(latency_s: float, spread: float, seed: int) -> None:
    """However long an answer takes, the window grows to its limit, and the way there is short."""
    window, service = Window(MOST, at_first=AT_FIRST), Service(latency_s, spread=spread)
    took_s = service.answers(window, 2_000, seed=seed)
    assert MOST == window.size
    assert took_s < 1.3 * 2_000 * latency_s / MOST + 20 * latency_s


@settings(max_examples=25, deadline=None)
@given(st.floats(0.001, 1.0), st.floats(1.0, 2_000.0), st.integers(0, 10**6))
def test_a_service_at_its_limit_is_not_asked_more_at_once(latency_s: float, per_second: float, seed: int) -> None:
    """Nearly all that it can do is done, with at most twice as many open as that needs, but for one trial."""
    window, service = Window(MOST, at_first=AT_FIRST), Service(latency_s, per_second, spread=0.1)
    took_s = service.answers(window, 2_000, seed=seed)
    needed = max(AT_FIRST, latency_s * per_second + 1)
    assert window.size <= 2.5 * needed
    assert service.largest <= 4.5 * needed
    possible_s = max(2_000 / per_second, 2_000 * latency_s / MOST)
    assert took_s < 1.7 * possible_s + 20 * latency_s


def test_a_window_that_is_not_full_does_not_grow() -> None:
    """Where rows come more slowly than answers, or the rate limit holds requests back, more places change nothing."""
    window = Window(MOST, at_first=AT_FIRST)
    Service(0.1).answers(window, 1_000, full=False)
    assert AT_FIRST == window.size


def test_a_service_that_becomes_slow_is_asked_less_at_once_and_more_when_it_is_quick_again() -> None:
    """The window falls where answers take much longer and get less done, and grows again."""
    window, service = Window(MOST, at_first=AT_FIRST), Service(0.1)
    service.answers(window, 400)
    assert MOST == window.size
    service.per_second = 4
    service.answers(window, 400)
    assert window.size <= 2 * AT_FIRST
    service.per_second = None
    service.answers(window, 4_000)
    assert MOST == window.size


def test_trouble_ends_a_trial() -> None:
    """Trouble while more are tried gives them up, and nothing is tried for a while; the least stays open."""
    window = Window(MOST, at_first=AT_FIRST)
    Service(0.1).answers(window, 2 * AT_FIRST)
    assert 2 * AT_FIRST == window.size
    window.trouble()
    assert AT_FIRST == window.size
    Service(0.1).answers(window, 4 * AT_FIRST)
    assert AT_FIRST == window.size


def test_a_window_of_one_size_stays() -> None:
    """Without a number to begin with, all that may be open are, as before and always."""
    window = Window(4)
    Service(0.1).answers(window, 100)
    assert (4, 0) == (window.size, window.series)


def test_places_follow_the_window_and_trouble_halves_what_it_has() -> None:
    """What trouble leaves is a share of the window as it has grown."""
    time = FastClock()
    limit = InFlight(MOST, at_first=AT_FIRST, per_second=100, clock=time.clock())
    assert AT_FIRST == limit.allowed
    for _ in range(AT_FIRST):
        limit.speed_up(0.1, series=limit.window.series)
    assert 2 * AT_FIRST == limit.allowed
    for _ in range(2 * AT_FIRST):
        limit.speed_up(0.1, series=limit.window.series)
    limit.slow_down()
    assert (AT_FIRST, 0.5) == (limit.allowed, limit.share)
