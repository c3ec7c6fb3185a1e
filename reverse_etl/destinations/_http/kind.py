"""What every service gives as a kind of destination: who is there, asked by a run or step by step by a person."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from reverse_etl.errors import CallsUsedUpError, DestinationError, DestinationUnavailableError, UnauthorizedError
from reverse_etl.pacing.rate_limit import Clock
from reverse_etl.pacing.retry import Patience, RetryPolicy
from reverse_etl.report import Step

if TYPE_CHECKING:
    from reverse_etl.changeset.recipient import Recipient
    from reverse_etl.destinations._http.config import ServiceConfig

_ONCE: Final = RetryPolicy(budget_s=0.0)
_AT_MOST_S: Final = 10.0
_WAITED_FOR: Final = RetryPolicy(most_s=2.0, budget_s=10.0)
"""A person is waiting: a service that does not answer for ten seconds counts as away."""


class Client(Protocol):
    """A connection to a service that can be asked who is there."""

    async def who_is_there(self, patience: Patience) -> str:
        """The account, as the service calls it; empty where it does not say. Raises DestinationError."""
        ...


_Client = TypeVar("_Client", bound=Client)
_Config = TypeVar("_Config", bound="ServiceConfig")

Opens = Callable[[_Config, Clock], AbstractAsyncContextManager[_Client]]
"""Opens a connection; nothing is asked yet."""


async def ask(config: _Config, opens: Opens[_Config, _Client], there: Recipient, clock: Clock | None) -> Recipient:
    """The account that answers, as it identifies itself. Raises DestinationError."""
    return await _asked(config, opens, there, RetryPolicy.from_environment(), clock or Clock())


async def ask_once(
    config: _Config, opens: Opens[_Config, _Client], there: Recipient, clock: Clock | None
) -> Recipient | None:
    """The same without waiting for one that is away; None where it does not identify itself at once."""
    try:
        async with asyncio.timeout(_AT_MOST_S):
            return await _asked(config, opens, there, _ONCE, clock or Clock())
    except (DestinationError, TimeoutError):
        return None


async def _asked(
    config: _Config, opens: Opens[_Config, _Client], there: Recipient, policy: RetryPolicy, clock: Clock
) -> Recipient:
    async with opens(config, clock) as client:
        name = await client.who_is_there(Patience(policy, name=config.label, clock=clock))
        return replace(there, environment=name)


def steps(
    config: _Config,
    opens: Opens[_Config, _Client],
    *,
    more: Callable[[_Client, Patience], Coroutine[None, None, list[Step]]] | None = None,
) -> Iterator[Step]:
    """What ``test-connection`` does: it connects, and asks who is there.

    Args:
        config: The service.
        opens: Opens a connection.
        more: What is asked beyond that.

    Yields:
        Steps that worked and, if one did not, that one with its fix as the last.

    Raises:
        ConfigError: An environment variable is not set, or the address is no https address.
    """
    secure = config.base_url().startswith("https:")
    with asyncio.Runner() as runner:
        context = opens(config, Clock())
        client = runner.run(context.__aenter__())
        patience = Patience(_WAITED_FOR, name=config.label, clock=Clock())
        try:
            name = runner.run(client.who_is_there(patience))
            yield Step("connection", True, "answers over TLS" if secure else "answers, without TLS")
            yield Step("credentials", True, "accepted")
            if name:
                yield Step("account", True, name)
            yield from runner.run(more(client, patience)) if more is not None else ()
        except DestinationError as error:
            yield Step(_step_of(error), False, error.message, error.hint)
        finally:
            runner.run(context.__aexit__(None, None, None))


def _step_of(error: DestinationError) -> str:
    if isinstance(error, UnauthorizedError):
        return "credentials"
    away = isinstance(error, DestinationUnavailableError) and not isinstance(error, CallsUsedUpError)
    return "connection" if away else "answer"
