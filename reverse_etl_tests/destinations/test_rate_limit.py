"""Turns come at the rate that is asked for, and pauses hold for everybody."""

from __future__ import annotations

import asyncio

import pytest

from reverse_etl.pacing.rate_limit import RateLimit
from reverse_etl_tests.destinations.scripted import FastClock


def test_turns_come_at_the_rate() -> None:
    """Ten a second: the first at once, the 21st two seconds later."""
    time = FastClock()
    limit = RateLimit(10, clock=time.clock())

    async def take() -> list[float]:
        taken = []
        for _ in range(21):
            await limit.turn()
            taken.append(time.now_s - 1000)
        return taken

    assert [n / 10 for n in range(21)] == pytest.approx(asyncio.run(take()))


def test_unused_turns_are_made_up_for_within_the_burst_only() -> None:
    """After a quiet minute a burst of 0.2 s gives two extra turns at once, not six hundred."""
    time = FastClock()
    limit = RateLimit(10, burst_s=0.2, clock=time.clock())

    async def take() -> list[float]:
        time.now_s += 60
        began = time.now_s
        taken = []
        for _ in range(5):
            await limit.turn()
            taken.append(time.now_s - began)
        return taken

    assert [0, 0, 0, 0.1, 0.2] == pytest.approx(asyncio.run(take()))


def test_a_few_turns_need_no_gap_and_no_second_has_more() -> None:
    """Nine in any second: nine at once, the next ones spread from a second later; nine again after a pause."""
    time = FastClock()
    limit = RateLimit(9, at_once=9, clock=time.clock())

    async def take(turns: int) -> list[float]:
        taken = []
        for _ in range(turns):
            await limit.turn()
            taken.append(time.now_s - 1000)
        return taken

    first = asyncio.run(take(20))
    assert [0.0] * 9 + [1 + n / 9 for n in range(11)] == pytest.approx(first)
    time.now_s += 0.5
    early = asyncio.run(take(9))
    assert all(later - earlier > 0.99 for earlier, later in zip([*first, *early], [*first, *early][9:], strict=False))
    time.now_s += 1
    assert 1 == len(set(asyncio.run(take(9))))


def test_a_pause_ends_what_needs_no_gap() -> None:
    """Where a server asked for a pause, turns are spread after it."""
    time = FastClock()
    limit = RateLimit(9, at_once=9, clock=time.clock())

    async def take() -> list[float]:
        limit.pause(5)
        taken = []
        for _ in range(3):
            await limit.turn()
            taken.append(time.now_s - 1000)
        return taken

    assert [5, 5 + 1 / 9, 5 + 2 / 9] == pytest.approx(asyncio.run(take()))


def test_a_pause_holds_for_those_who_already_wait() -> None:
    """A turn that was due in 0.1 s comes after a pause of 5 s; a shorter pause later does not end it."""
    time = FastClock()
    limit = RateLimit(10, clock=time.clock())

    async def take() -> float:
        await limit.turn()
        waiting = asyncio.create_task(limit.turn())
        limit.pause(5)
        limit.pause(1)
        await waiting
        return time.now_s - 1000

    assert 5 == pytest.approx(asyncio.run(take()))
