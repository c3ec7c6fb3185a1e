"""Waits grow, obey ``Retry-After``, and end with the budget."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from reverse_etl.destinations.base import Accepted, TryAgain
from reverse_etl.destinations.retry import BUDGET_VARIABLE, Patience, RetryPolicy
from reverse_etl.errors import ConfigError, UnauthorizedError, WorkspaceUnavailableError
from reverse_etl_tests.destinations.scripted import FastClock

Ask = Callable[[], Awaitable[Accepted | TryAgain]]


def answering(*answers: Accepted | TryAgain) -> Ask:
    """Gives the answers in turn, the last one for ever."""
    left = list(answers)

    async def ask() -> Accepted | TryAgain:
        return left.pop(0) if len(left) > 1 else left[0]

    return ask


def test_waits_are_random_and_their_bound_doubles_up_to_the_most() -> None:
    """Full jitter: the n-th wait lies between 0 and 0.5 s * 2 ** (n - 1), at most 30 s."""
    time = FastClock()
    patience = Patience(RetryPolicy(), name="workspace main", clock=time.clock())
    answers = [TryAgain("HTTP 503")] * 12
    assert Accepted() == asyncio.run(patience.until_settled(answering(*answers, Accepted())))
    bounds = [min(30.0, 0.5 * 2**n) for n in range(12)]
    assert 12 == len(time.slept_s) == patience.retries
    assert all(0 <= slept <= bound for slept, bound in zip(time.slept_s, bounds, strict=True))
    assert len(set(time.slept_s)) > 1


def test_retry_after_is_the_least_wait_up_to_its_cap() -> None:
    """7 s are waited as asked; an hour is cut to 300 s."""
    time = FastClock()
    patience = Patience(RetryPolicy(), name="workspace main", clock=time.clock())
    trouble = [TryAgain("HTTP 429", after_s=7, slow_down=True), TryAgain("HTTP 429", after_s=3600, slow_down=True)]
    asyncio.run(patience.until_settled(answering(*trouble, Accepted())))
    assert [7, 300] == time.slept_s


def test_the_budget_ends_the_asking_and_the_error_says_the_last_cause() -> None:
    """Never more than the budget is waited without a settled answer; 7 retries of 80 s fit in 600 s."""
    time = FastClock()
    patience = Patience(RetryPolicy(), name="workspace main", clock=time.clock())
    with pytest.raises(WorkspaceUnavailableError, match=r"workspace main gave no usable answer for 560 s: HTTP 503"):
        asyncio.run(patience.until_settled(answering(TryAgain("HTTP 503", after_s=80))))
    assert 560 == time.now_s - 1000


def test_a_settled_answer_of_anyone_renews_the_budget() -> None:
    """Two requests share the patience: while one gets through, the other goes on."""
    time = FastClock()
    patience = Patience(RetryPolicy(budget_s=100), name="workspace main", clock=time.clock())

    async def both() -> Accepted:
        async def others() -> None:
            for _ in range(6):
                await patience.until_settled(answering(TryAgain("HTTP 503", after_s=10), Accepted()))

        stubborn = patience.until_settled(answering(*[TryAgain("HTTP 503", after_s=30)] * 5, Accepted()))
        answer, _ = await asyncio.gather(stubborn, others())
        return answer

    assert Accepted() == asyncio.run(both())
    assert time.now_s - 1000 > 100


def test_quiet_time_does_not_use_up_the_budget() -> None:
    """The first request after an hour without any still has its whole budget."""
    time = FastClock()
    patience = Patience(RetryPolicy(), name="workspace main", clock=time.clock())
    time.now_s += 3600
    assert Accepted() == asyncio.run(patience.until_settled(answering(TryAgain("HTTP 503"), Accepted())))


def test_errors_are_not_retried() -> None:
    """Refused credentials end the asking at once."""
    time = FastClock()
    patience = Patience(RetryPolicy(), name="workspace main", clock=time.clock())

    async def ask() -> Accepted | TryAgain:
        raise UnauthorizedError("no")

    with pytest.raises(UnauthorizedError):
        asyncio.run(patience.until_settled(ask))
    assert [] == time.slept_s


def test_the_budget_can_be_set_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds; anything else is a configuration error that names the variable."""
    monkeypatch.delenv(BUDGET_VARIABLE, raising=False)
    assert RetryPolicy() == RetryPolicy.from_environment()
    monkeypatch.setenv(BUDGET_VARIABLE, "1.5")
    assert RetryPolicy(budget_s=1.5) == RetryPolicy.from_environment()
    for wrong in ("soon", "-1", "inf", "nan"):
        monkeypatch.setenv(BUDGET_VARIABLE, wrong)
        with pytest.raises(ConfigError, match=BUDGET_VARIABLE):
            RetryPolicy.from_environment()
