"""How many requests may be open follows how the other side does."""

from __future__ import annotations

import asyncio

from reverse_etl.pacing.concurrency import InFlight
from reverse_etl_tests.destinations.scripted import FastClock


def test_trouble_halves_and_success_adds_one_a_round() -> None:
    """8, 4, 2, 1 and never less; then 2, 3, 4 ... 8 and never more."""
    time = FastClock()
    limit = InFlight(8, per_second=100, clock=time.clock())
    seen = [limit.allowed]
    for _ in range(5):
        time.now_s += 1
        limit.slow_down()
        seen.append(limit.allowed)
    assert [8, 4, 2, 1, 1, 1] == seen
    limit.share = 1 / 8
    rounds = []
    for _ in range(9):
        for _ in range(limit.allowed):
            limit.speed_up()
        rounds.append(limit.allowed)
    assert [2, 3, 4, 5, 6, 7, 8, 8, 8] == rounds
    assert 1.0 == limit.share


def test_requests_that_fail_together_are_one_trouble() -> None:
    """Eight answers of 503 within a second halve once."""
    time = FastClock()
    limit = InFlight(8, per_second=100, clock=time.clock())
    for _ in range(8):
        limit.slow_down()
    assert (4, 0.5) == (limit.allowed, limit.share)


def test_the_rate_never_falls_below_one_request_a_second() -> None:
    """The least share of 100 requests a second is a hundredth, of one every ten seconds it is all."""
    time = FastClock()
    for per_second, least in ((100, 0.01), (0.1, 0.5)):
        limit = InFlight(2, per_second=per_second, clock=time.clock())
        for _ in range(20):
            time.now_s += 1
            limit.slow_down()
        assert least == limit.share


def test_no_more_than_allowed_are_open_and_all_have_their_turn() -> None:
    """After trouble two of four may be open; with success the others follow."""
    limit = InFlight(4, per_second=100, clock=FastClock().clock())

    async def check() -> tuple[int, int]:
        limit.slow_down()
        done = asyncio.Event()
        is_open, most, finished = 0, 0, 0

        async def one() -> None:
            nonlocal is_open, most, finished
            async with limit.place():
                is_open += 1
                most = max(most, is_open)
                await done.wait()
                is_open -= 1
            finished += 1

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one()) for _ in range(6)]
            while is_open < 2:
                await asyncio.sleep(0)
            for _ in range(20):
                await asyncio.sleep(0)
            tasks[-1].cancel()
            before = most
            done.set()
        return before, finished

    assert (2, 5) == asyncio.run(check())
