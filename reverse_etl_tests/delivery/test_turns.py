"""More requests are open where answers take long, as many as the rate and memory allow."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reverse_etl.delivery.deliver import deliver
from reverse_etl.delivery.turns import IN_FLIGHT_BYTES, lanes_of, most_in_flight
from reverse_etl.destinations.base import Accepted, Answer
from reverse_etl.pacing.rate_limit import Clock
from reverse_etl_tests.delivery.workspaces import Blocking, Run

ANSWER_S = 0.15
ROWS = 4_000


class AtOnce(ThreadPoolExecutor):
    """Calls what it is given in the thread that gives it, so that no time passes unseen."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """What came of it."""
        done: Future[Any] = Future()
        done.set_result(fn(*args, **kwargs))
        return done


class Jumping(selectors.DefaultSelector):
    """Nothing is waited for: the loop's time is moved on instead."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is there."""
        self.now_s += timeout or 0.0
        return super().select(0)


class Distant(Blocking):
    """A service each of whose answers takes a while."""

    def __init__(self, most: int, *, at_first: int | None = None, per_second: float = 1_000_000) -> None:
        super().__init__(most)
        self.limits = replace(self.limits, in_flight_at_first=at_first, requests_per_second=per_second)

    async def send(self, items: Sequence[bytes]) -> Answer:  # noqa: ARG002 - as many as are asked
        """Accepts after the while."""
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        await asyncio.sleep(ANSWER_S)
        self.open -= 1
        return Accepted()


def delivered_in_s(folder: Path, destination: Distant) -> float:
    """Seconds until everything was delivered, as the destination and the delivery see them."""
    run, selector = Run(folder, ROWS), Jumping()
    loop = asyncio.SelectorEventLoop(selector)
    loop.time = lambda: selector.now_s  # type: ignore[method-assign]
    loop.set_default_executor(AtOnce())
    with closing(loop):
        work = deliver(run.parts, run.outcomes, destination, clock=Clock(loop.time, asyncio.sleep))
        assert ROWS == loop.run_until_complete(work).counts.delivered
    return selector.now_s


def test_a_distant_service_gets_more_requests_at_once(tmp_path: Path) -> None:
    """400 requests at 150 ms: 64 at once at last instead of eight, in less than a third of the time."""
    eight, many = Distant(8), Distant(64, at_first=8)
    fixed_s, grown_s = delivered_in_s(tmp_path / "fixed", eight), delivered_in_s(tmp_path / "grown", many)
    assert (8, 64) == (eight.most_open, many.most_open)
    assert grown_s < fixed_s / 3


def test_the_rate_limit_alone_opens_no_more(tmp_path: Path) -> None:
    """Ten requests a second need two open at once at 150 ms; the window stays as it began."""
    paced = Distant(64, at_first=8, per_second=10)
    assert delivered_in_s(tmp_path, paced) > (ROWS / 10 - 8) / 10
    assert paced.most_open <= 8


@pytest.mark.parametrize(
    ("most", "at_first", "request_bytes", "expected"),
    [(64, 8, 475_000, IN_FLIGHT_BYTES // 475_000), (64, 8, 10_000, 64), (4, None, 10**9, 4), (64, 8, 10**9, 8)],
)
def test_what_is_open_is_bounded_by_its_bytes(
    most: int, at_first: int | None, request_bytes: int, expected: int
) -> None:
    """Requests that carry much are fewer; those that are open at first always may be, and a fixed number is one."""
    limits = replace(Blocking(most).limits, in_flight_at_first=at_first, max_request_bytes=request_bytes)
    assert expected == most_in_flight(limits)


def test_rows_that_keep_their_order_have_twice_as_many_lanes_as_requests_at_first() -> None:
    """A lane costs the memory of a request that is being filled."""
    limits = Blocking(64).limits
    assert (64, 16) == (lanes_of(limits), lanes_of(replace(limits, in_flight_at_first=8)))
