"""Whatever ``Retry-After`` says, and whichever request is answered so: the run waits 300 s an answer, 600 s in all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from reverse_etl.destinations.customerio import environment, lookup
from reverse_etl.destinations.customerio.client import Client
from reverse_etl.destinations.customerio.connection_check import steps
from reverse_etl.errors import DestinationUnavailableError
from reverse_etl.pacing.retry import Patience, RetryPolicy
from reverse_etl_tests.destinations.customerio.configs import workspace
from reverse_etl_tests.destinations.scripted import FastClock
from reverse_etl_tests.servers.sandbox import RunningSandbox

Ask = Callable[[Client, Patience], Awaitable[Any]]

SAYS: dict[str | int, float] = {
    "Wed, 21 Oct 2015 07:28:00 GMT": 30,
    "Fri, 31 Dec 9999 23:59:59 GMT": 300,
    "-5": 30,
    "1.5": 30,
    "0": 30,
    86_400: 300,
    "9" * 400: 300,
    "soon": 30,
    "NaN": 30,
    "7, 7": 30,
}
"""What the header says, and the longest wait after one such answer."""

ASKS: dict[str, tuple[str, Ask]] = {
    "the region": ("/api/v1/accounts/region", partial(lookup.require_region, region="us")),
    "object types": ("/v1/object_types", lookup.object_types),
    "who exists": ("/v1/customers/attributes", partial(lookup.existing_people, identifiers=["1"], id_type="id")),
}


def waited(sandbox: RunningSandbox, ask: Ask) -> tuple[float, str]:
    """How long asking took, by a clock that jumps over every wait, and why it was given up; empty where not."""
    time = FastClock()

    async def asked() -> None:
        async with Client(workspace(sandbox.url), clock=time.clock()) as client:
            await ask(client, Patience(RetryPolicy(), name="workspace main", clock=time.clock()))

    try:
        asyncio.run(asked())
    except DestinationUnavailableError as error:
        return time.now_s - 1000, error.message
    return time.now_s - 1000, ""


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("says", SAYS, ids=lambda says: str(says)[:30])
@pytest.mark.parametrize("asks", ASKS)
def test_one_answer_holds_no_run_back_for_long(
    sandbox: RunningSandbox, asks: str, says: str | int, status: int
) -> None:
    """The Track API's and the App API's: then the request is asked again."""
    path, ask = ASKS[asks]
    sandbox.faults([{"match": {"path": path}, "do": {"status": status, "retry_after": says}}])
    waited_s, why = waited(sandbox, ask)
    assert waited_s <= SAYS[says]
    assert not why


@pytest.mark.parametrize("asks", ASKS)
@pytest.mark.parametrize("says", [86_400, "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_workspace_that_always_asks_for_a_day_ends_the_run(
    sandbox: RunningSandbox, asks: str, says: str | int
) -> None:
    """After 600 s."""
    path, ask = ASKS[asks]
    sandbox.faults([{"match": {"path": path}, "always": True, "do": {"status": 429, "retry_after": says}}])
    waited_s, why = waited(sandbox, ask)
    assert 300 <= waited_s <= 600
    assert "HTTP 429" in why


@pytest.mark.parametrize("path", ["/api/v1/accounts/region", "/v1/object_types", "/v1/segments"])
def test_a_test_connection_does_not_wait_for_it(sandbox: RunningSandbox, path: str) -> None:
    """Somebody sits before it: the step says how long the workspace asked to wait."""
    sandbox.faults([{"match": {"path": path}, "always": True, "do": {"status": 429, "retry_after": 86_400}}])
    *_, last = steps(workspace(sandbox.url))
    assert not last.ok
    assert "workspace main asked to wait 300 s, longer than the 10 s that a run waits: HTTP 429" in last.detail


def test_who_a_workspace_is_can_be_asked_without_waiting(sandbox: RunningSandbox) -> None:
    """A run without rows to send does not wait to know."""
    path = "/api/v1/accounts/region"
    sandbox.faults([{"match": {"path": path}, "always": True, "do": {"status": 429, "retry_after": 86_400}}])
    time = FastClock()
    assert asyncio.run(environment.ask_once(workspace(sandbox.url), clock=time.clock())) is None
    assert [] == time.slept_s
