"""Waits grow, obey ``Retry-After``, and end with the budget."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from reverse_etl.destinations.base import Accepted, TryAgain
from reverse_etl.errors import ConfigError, DestinationUnavailableError, UnauthorizedError
from reverse_etl.pacing.retry import BUDGET_VARIABLE, Patience, RetryPolicy
from reverse_etl.progress import Progress, Waiting, listening
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
    with pytest.raises(DestinationUnavailableError, match=r"workspace main gave no usable answer for 560 s: HTTP 503"):
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


def test_a_run_that_is_held_back_again_and_again_ends() -> None:
    """Each request is settled after a wait of 60 s that the workspace asked for: after ten of them the run gives up."""
    time = FastClock()
    patience = Patience(RetryPolicy(), name="workspace main", clock=time.clock())
    trouble = TryAgain("HTTP 429", after_s=60, slow_down=True)

    async def many() -> None:
        for _ in range(23):
            await patience.until_settled(answering(trouble, Accepted()))

    with pytest.raises(
        DestinationUnavailableError, match=r"asked the run to wait for more than 600 s in all: HTTP 429"
    ):
        asyncio.run(many())
    assert 600 == time.now_s - 1000


def test_a_run_that_is_held_back_now_and_then_goes_on() -> None:
    """Waits of 5 s that are asked for, between work of 20 s each, never end a run."""
    time = FastClock()
    patience = Patience(RetryPolicy(), name="workspace main", clock=time.clock())

    async def many() -> None:
        for _ in range(200):
            time.now_s += 20
            await patience.until_settled(answering(TryAgain("HTTP 429", after_s=5, slow_down=True), Accepted()))

    asyncio.run(many())
    assert 5000 == time.now_s - 1000


def test_waits_of_several_requests_at_once_count_once() -> None:
    """Eight requests that are asked to wait for 300 s at the same time hold the run back for 300 s, not for 2,400."""
    time = FastClock()
    patience = Patience(RetryPolicy(), name="workspace main", clock=time.clock())
    asked = asyncio.Event()

    async def ask(answers: list[Accepted | TryAgain]) -> Accepted | TryAgain:
        await asked.wait()
        return answers.pop(0)

    async def all_at_once() -> list[Accepted]:
        waiting = [
            patience.until_settled(partial(ask, [TryAgain("HTTP 503", after_s=300), Accepted()])) for _ in range(8)
        ]
        asked.set()
        return list(await asyncio.gather(*waiting))

    assert [Accepted()] * 8 == asyncio.run(all_at_once())


@pytest.mark.parametrize(("after_s", "told"), [(None, 0), (3, 0), (4, 1), (240, 1), (86_400, 1)])
def test_a_wait_over_3_s_is_reported(after_s: float | None, told: int) -> None:
    """With how long it takes and why, and once however many requests wait."""
    time = FastClock()
    patience = Patience(RetryPolicy(base_s=0.1), name="workspace main", clock=time.clock())
    heard: list[Progress | Waiting] = []

    async def several() -> None:
        trouble = TryAgain("HTTP 429", after_s=after_s, slow_down=True)
        await asyncio.gather(*(patience.until_settled(answering(trouble, Accepted())) for _ in range(3)))

    with listening(heard.append):
        asyncio.run(several())
    seconds = min(after_s or 0, 300)
    why = "because workspace main asked for it (HTTP 429)"
    assert [Waiting(f"Waits {seconds} s {why}.", "workspace main", why, seconds)][:told] == heard[:1]
    assert (told > 0) == (len(heard) > 0)


def test_a_workspace_that_was_never_reached_is_given_up_within_15_s() -> None:
    """Refused at once or after 10 s each: the run ends, and says what is wrong."""
    for takes_s in (0.0, 10.0):
        time = FastClock()
        patience = Patience(RetryPolicy(), name="workspace main", clock=time.clock())

        async def ask(clock: FastClock = time, takes_s: float = takes_s) -> TryAgain:
            clock.now_s += takes_s
            return TryAgain("connection refused", away=True)

        with pytest.raises(DestinationUnavailableError, match="workspace main cannot be reached: connection refused"):
            asyncio.run(patience.until_settled(ask))
        assert 15 >= time.now_s - 1000
