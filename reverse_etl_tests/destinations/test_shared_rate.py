"""Processes that reserve their turns in one place never have more of them than the limit."""

from __future__ import annotations

import asyncio
import gc
import threading
from dataclasses import dataclass, field

import pytest

from reverse_etl.errors import StateError
from reverse_etl.pacing import shared_rate
from reverse_etl.pacing.shared_rate import SharedRate
from reverse_etl_tests.destinations.scripted import FastClock


@dataclass(slots=True)
class Place:
    """Where turns are counted, on a fast clock.

    Attributes:
        asked: How many turns each reservation asked for.
        gone: Whether it refuses.
    """

    time: FastClock
    asked: list[int] = field(default_factory=list)
    next_at: float = 0.0
    gone: bool = False

    def reserve(self, turns: int, per_second: float) -> float:
        """Moves the next free turn on."""
        self.asked.append(turns)
        if self.gone:
            raise StateError("the state database is gone.")
        first = max(self.next_at, self.time.now_s)
        self.next_at = first + turns / per_second
        return first - self.time.now_s


def taken(rate: SharedRate, time: FastClock, count: int) -> list[float]:
    """When so many turns came, in seconds from the start."""

    async def take() -> list[float]:
        at = []
        for _ in range(count):
            await rate.turn()
            at.append(time.now_s - 1000)
        return at

    return asyncio.run(take())


def test_a_process_alone_has_the_whole_rate_with_few_calls() -> None:
    """300 turns at 100 a second take three seconds; reservations grow to a quarter of a second's worth."""
    time = FastClock()
    place = Place(time)
    at = taken(SharedRate(100, place.reserve, clock=time.clock()), time, 300)
    assert [n / 100 for n in range(300)] == pytest.approx(at)
    assert [1, 2, 4, 8, 16, 25, 25] == place.asked[:7]
    assert len(place.asked) <= 3 * 4 + 5


def test_two_processes_together_have_the_rate_of_one() -> None:
    """200 turns of two processes at 100 a second: two seconds, about half for each, no two at once."""
    time = FastClock()
    place = Place(time)

    async def check() -> list[float]:
        rates = [SharedRate(100, place.reserve, clock=time.clock()) for _ in range(2)]
        at: list[float] = []

        async def take(rate: SharedRate) -> None:
            for _ in range(100):
                await rate.turn()
                at.append(time.now_s - 1000)

        await asyncio.gather(*map(take, rates))
        return at

    assert 1.99 <= max(asyncio.run(check())) + 0.001


def test_turns_that_were_missed_are_not_made_up_for() -> None:
    """After a pause of a minute the reserved turns are gone, and fewer are asked for."""
    time = FastClock()
    place = Place(time)
    rate = SharedRate(100, place.reserve, clock=time.clock())
    taken(rate, time, 20)
    asked = len(place.asked)
    time.now_s += 60
    taken(rate, time, 1)
    assert place.asked[asked - 1] > place.asked[asked]


def test_without_the_database_a_fraction_of_the_rate_is_left() -> None:
    """A quarter of 100 a second; after five seconds the place is asked again and gives the whole rate."""
    time = FastClock()
    place = Place(time, gone=True)
    rate = SharedRate(100, place.reserve, clock=time.clock())
    at = taken(rate, time, 26)
    assert [n / 25 for n in range(26)] == pytest.approx(at)
    assert 1 == len(place.asked)
    place.gone = False
    taken(rate, time, 150)
    began = time.now_s
    taken(rate, time, 100)
    assert 1 == pytest.approx(time.now_s - began, abs=0.1)


def test_a_database_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turns come at the fraction meanwhile, one reservation stays under way, and its answer counts when it comes."""
    monkeypatch.setattr(shared_rate, "ANSWER_WITHIN_S", 0.01)
    time = FastClock()
    place = Place(time)
    may_answer = threading.Event()
    calls = []

    def hangs(turns: int, per_second: float) -> float:
        calls.append(turns)
        may_answer.wait(60)
        return place.reserve(turns, per_second)

    async def check() -> None:
        rate = SharedRate(100, hangs, clock=time.clock())
        for _ in range(3):
            await rate.turn()
        assert (1, 0) == (len(calls), len(place.asked))
        time.now_s += 5
        await rate.turn()
        assert 1 == len(calls)
        may_answer.set()
        while not place.asked:
            await asyncio.sleep(0.001)
        time.now_s += 5
        await rate.turn()
        assert (1, [1]) == (len(calls), place.asked)

    asyncio.run(check())


@pytest.mark.thorough
def test_a_reservation_that_fails_when_no_task_waits_for_it_causes_no_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A run that ends while its last reservation hangs, and then fails, leaves nothing unread for asyncio to log."""
    monkeypatch.setattr(shared_rate, "ANSWER_WITHIN_S", 0.01)
    time = FastClock()
    may_answer = threading.Event()
    complaints: list[str] = []

    def fails_late(turns: int, per_second: float) -> float:
        may_answer.wait(60)
        raise StateError("the state database is locked by another process.")

    async def check() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, told: complaints.append(told["message"]))
        rate = SharedRate(100, fails_late, clock=time.clock())
        await rate.turn()
        (under_way,) = asyncio.all_tasks() - {asyncio.current_task()}
        may_answer.set()
        await asyncio.wait({under_way})
        del rate, under_way
        gc.collect()

    asyncio.run(check())
    assert [] == complaints
