"""When to ask again after an answer that settles nothing, and when to give up."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar, cast

from tenacity import AsyncRetrying, RetryCallState, retry_if_result, wait_random_exponential

from reverse_etl.destinations.base import TryAgain
from reverse_etl.destinations.rate_limit import Clock
from reverse_etl.errors import ConfigError, WorkspaceUnavailableError

Settled = TypeVar("Settled")

BUDGET_VARIABLE: Final = "REVERSE_ETL_RETRY_BUDGET_S"


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long to wait and how long to go on. All in seconds.

    Attributes:
        base_s: The first wait is random between 0 and this; each further one up to twice as long (full jitter).
        most_s: Longest wait of our own choice.
        most_asked_s: Longest wait that a ``Retry-After`` can ask for.
        budget_s: After so long without any settled answer the run gives up.
    """

    base_s: float = 0.5
    most_s: float = 30.0
    most_asked_s: float = 300.0
    budget_s: float = 600.0

    @classmethod
    def from_environment(cls) -> RetryPolicy:
        """The policy with the budget that ``REVERSE_ETL_RETRY_BUDGET_S`` sets, if it does.

        Raises:
            ConfigError: The variable is not a number of seconds.
        """
        text = os.environ.get(BUDGET_VARIABLE, "")
        if not text:
            return cls()
        try:
            budget_s = float(text)
        except ValueError:
            budget_s = -1.0
        if not 0 <= budget_s < float("inf"):
            raise ConfigError(f"{BUDGET_VARIABLE} is not a number of seconds.", hint=f"Example: {BUDGET_VARIABLE}=600")
        return cls(budget_s=budget_s)


class Patience:
    """The retry budget of one run, shared by all its requests.

    Args:
        policy: How long to wait.
        name: What messages call the destination: ``workspace main``.
        clock: Time.
    """

    def __init__(self, policy: RetryPolicy, *, name: str, clock: Clock) -> None:
        self._policy = policy
        self._name = name
        self._clock = clock
        self._settled_at = clock.now()
        self._jittered = wait_random_exponential(multiplier=policy.base_s, max=policy.most_s)
        self.retries = 0

    async def until_settled(
        self,
        ask: Callable[[], Awaitable[Settled | TryAgain]],
        *,
        on_trouble: Callable[[TryAgain], None] | None = None,
    ) -> Settled:
        """Asks until the answer is something else than ``TryAgain``.

        Args:
            ask: Sends one request.
            on_trouble: Told of each ``TryAgain`` before the wait.

        Raises:
            WorkspaceUnavailableError: Waiting once more would go over the budget.
        """
        began_at = self._clock.now()

        def spent(state: RetryCallState) -> bool:
            # Not from the last settled answer alone: nothing may have been asked since.
            waited_s = self._clock.now() - max(began_at, self._settled_at)
            return waited_s + state.upcoming_sleep > self._policy.budget_s

        def give_up(state: RetryCallState) -> None:
            waited_s = self._clock.now() - max(began_at, self._settled_at)
            raise WorkspaceUnavailableError(
                f"{self._name} gave no usable answer for {waited_s:.0f} s: {_trouble(state).cause}.",
                hint="Rows without an answer count as undelivered; run the sync again when the workspace answers.",
            )

        async def asked() -> Settled | TryAgain:
            # tenacity awaits only what it sees to be a coroutine function, which a lambda is not.
            return await ask()

        def before_sleep(state: RetryCallState) -> None:
            self.retries += 1
            if on_trouble is not None:
                on_trouble(_trouble(state))

        retrying = AsyncRetrying(
            sleep=self._clock.sleep,
            wait=self._wait_s,
            stop=spent,
            retry=retry_if_result(lambda answer: isinstance(answer, TryAgain)),
            before_sleep=before_sleep,
            retry_error_callback=give_up,
        )
        answer: Settled = cast("Settled", await retrying(asked))
        self._settled_at = self._clock.now()
        return answer

    def _wait_s(self, state: RetryCallState) -> float:
        asked_s = min(_trouble(state).after_s or 0.0, self._policy.most_asked_s)
        return max(asked_s, self._jittered(state))


def _trouble(state: RetryCallState) -> TryAgain:
    return cast("TryAgain", state.outcome.result() if state.outcome else TryAgain("no answer"))
