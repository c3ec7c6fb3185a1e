"""When to ask again after an answer that settles nothing, and when to give up."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final, TypeVar, cast

from tenacity import AsyncRetrying, RetryCallState, retry_if_result, wait_random_exponential

from reverse_etl.errors import ConfigError, DestinationUnavailableError
from reverse_etl.pacing.rate_limit import Clock
from reverse_etl.pacing.trouble import TryAgain
from reverse_etl.pacing.waits import Waits

Settled = TypeVar("Settled")

BUDGET_VARIABLE: Final = "REVERSE_ETL_RETRY_BUDGET_S"

MOST_ASKED_S: Final = 300.0
"""Longest wait that one answer may ask for."""

_AGAIN: Final = "Try again when the destination answers."


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long to wait and how long to go on. All in seconds.

    Attributes:
        base_s: The first wait is random between 0 and this; each further one up to twice as long (full jitter).
        most_s: Longest wait of our own choice.
        most_asked_s: Longest wait that a ``Retry-After`` can ask for.
        budget_s: After so long without any settled answer the run gives up.
        most_held_s: After so long in all that the workspace asked to wait, the run gives up too, if that is more than
            half of its time.
        away_s: As ``budget_s``, while the workspace was not reached once: nothing answers at its address.
    """

    base_s: float = 0.5
    most_s: float = 30.0
    most_asked_s: float = MOST_ASKED_S
    budget_s: float = 600.0
    most_held_s: float = 600.0
    away_s: float = 15.0

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

    Attributes:
        waits: Where its waits are reported.
        retries: Requests asked again so far.
        turn: While rows are sent: returns when a further request may leave. What is asked beside, such as who is there
            already, takes its turn among the requests with rows.
    """

    def __init__(self, policy: RetryPolicy, *, name: str, clock: Clock) -> None:
        self._policy = policy
        self._name = name
        self._clock = clock
        self._began_at = self._settled_at = clock.now()
        self._held_until = self._began_at
        self._held_s = 0.0
        self._jittered = wait_random_exponential(multiplier=policy.base_s, max=policy.most_s)
        self.waits = Waits(name, clock=clock)
        self.retries = 0
        self.turn: Callable[[], Awaitable[None]] | None = None

    @classmethod
    def of_run(cls, name: str, clock: Clock | None) -> Patience:
        """A retry budget of its own, as the environment sets it. Raises ConfigError."""
        return cls(RetryPolicy.from_environment(), name=name, clock=clock or Clock())

    async def until_settled(
        self,
        ask: Callable[[], Awaitable[Settled | TryAgain]],
        *,
        on_trouble: Callable[[TryAgain], None] | None = None,
        is_paced: bool = False,
    ) -> Settled:
        """Asks until the answer is something else than ``TryAgain``.

        Args:
            ask: Sends one request.
            on_trouble: Called with each ``TryAgain`` before the wait; it asks for no more than the policy allows.
            is_paced: Whether ``ask`` takes its ``turn`` itself.

        Raises:
            DestinationUnavailableError: Waiting once more would go over the budget.
        """
        began_at = asked_at = self._clock.now()

        def waited_s() -> float:
            # Not from the last settled answer alone: nothing may have been asked since.
            return self._clock.now() - max(began_at, self._settled_at)

        def spent(state: RetryCallState) -> bool:
            trouble = _trouble(state)
            if trouble.away:
                # The next try may take as long as this one did.
                return waited_s() + state.upcoming_sleep + self._clock.now() - asked_at > self._away_s
            return waited_s() + state.upcoming_sleep > self._policy.budget_s or self._is_held(self._asked_s(trouble))

        def give_up(state: RetryCallState) -> None:
            trouble = _trouble(state)
            if (asked_s := self._asked_s(trouble)) > self._policy.budget_s:
                raise self._asked_for_too_long(trouble, asked_s)
            over = waited_s() + state.upcoming_sleep > self._policy.budget_s
            raise self._gave_up(trouble, waited_s(), held=not over)

        async def asked() -> Settled | TryAgain:
            # tenacity awaits only what it sees to be a coroutine function, which a lambda is not.
            nonlocal asked_at
            if self.turn is not None and not is_paced:
                await self.turn()
            asked_at = self._clock.now()
            return await ask()

        def before_sleep(state: RetryCallState) -> None:
            self.retries += 1
            trouble = _trouble(state)
            asked_s = self._asked_s(trouble)
            self._hold(asked_s)
            self.waits.report(state.upcoming_sleep, self._why(trouble, asked_s))
            if on_trouble is not None:
                on_trouble(trouble if trouble.after_s is None else replace(trouble, after_s=asked_s))

        retrying = AsyncRetrying(
            sleep=self._clock.sleep,
            wait=lambda state: max(self._asked_s(_trouble(state)), self._jittered(state)),
            stop=spent,
            retry=retry_if_result(lambda answer: isinstance(answer, TryAgain)),
            before_sleep=before_sleep,
            retry_error_callback=give_up,
        )
        answer: Settled = cast("Settled", await retrying(asked))
        self._settled_at = self._clock.now()
        return answer

    @property
    def _away_s(self) -> float:
        return min(self._policy.away_s, self._policy.budget_s)

    def _asked_s(self, trouble: TryAgain) -> float:
        return min(trouble.after_s or 0.0, self._policy.most_asked_s)

    def _hold(self, seconds: float) -> None:
        """Counts the time for which the workspace asks to wait; several requests may be asked at once."""
        self._held_s += self._newly_held_s(seconds)
        self._held_until = max(self._held_until, self._clock.now() + seconds)

    def _newly_held_s(self, seconds: float) -> float:
        now = self._clock.now()
        return max(0.0, now + seconds - max(self._held_until, now)) if seconds else 0.0

    def _is_held(self, seconds: float) -> bool:
        """Whether a wait that is asked for would be more of the run's time than it may be."""
        held_s = self._held_s + self._newly_held_s(seconds)
        return held_s > self._policy.most_held_s and held_s > (self._clock.now() + seconds - self._began_at) / 2

    def _why(self, trouble: TryAgain, asked_s: float) -> str:
        if asked_s:
            return f"because {self._name} asked for it ({trouble.cause})"
        return f"because {self._name} did not settle a request ({trouble.cause}), then asks again"

    def _asked_for_too_long(self, trouble: TryAgain, asked_s: float) -> DestinationUnavailableError:
        return DestinationUnavailableError(
            f"{self._name} asked to wait {asked_s:.0f} s, longer than the {self._policy.budget_s:g} s that a run "
            f"waits: {trouble.cause}.",
            hint=_AGAIN,
        )

    def _gave_up(self, trouble: TryAgain, waited_s: float, *, held: bool) -> DestinationUnavailableError:
        if trouble.away:
            return DestinationUnavailableError(
                f"{self._name} cannot be reached: {trouble.cause}.",
                hint=trouble.hint or "Check the network and the addresses in connections.yaml. Nothing was sent.",
            )
        if held:
            return DestinationUnavailableError(
                f"{self._name} asked the run to wait for more than {self._policy.most_held_s:.0f} s in all: "
                f"{trouble.cause}.",
                hint=f"{_AGAIN} If it happens often, lower requests_per_second.",
            )
        return DestinationUnavailableError(
            f"{self._name} gave no usable answer for {waited_s:.0f} s: {trouble.cause}.", hint=_AGAIN
        )


def _trouble(state: RetryCallState) -> TryAgain:
    return cast("TryAgain", state.outcome.result() if state.outcome else TryAgain("no answer"))
