"""One sandbox process for the whole room, emptied before each test, and clients with and without credentials."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from reverse_etl_tests.servers.sandbox import RunningSandbox, running_sandbox

TRACK = ("sandbox", "sandbox")
APP = {"authorization": "Bearer sandbox"}
Item = dict[str, Any]
Batch = Callable[..., httpx.Response]


@pytest.fixture(scope="session")
def server() -> Iterator[RunningSandbox]:
    """A sandbox without a rate limit that keeps bodies."""
    with running_sandbox(app_rate_limit=0, keep_bodies=True) as running:
        yield running


@pytest.fixture
def sandbox(server: RunningSandbox) -> RunningSandbox:
    """The room's sandbox, empty."""
    server.reset()
    return server


@pytest.fixture(scope="session")
def clients(server: RunningSandbox) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    """Clients of both APIs, made once: making one takes longer than most tests."""
    track = httpx.Client(base_url=server.url, auth=TRACK, trust_env=False)
    with track, httpx.Client(base_url=server.url, headers=APP, trust_env=False) as app:
        yield track, app


@pytest.fixture
def track(sandbox: RunningSandbox, clients: tuple[httpx.Client, httpx.Client]) -> httpx.Client:
    """The Track API."""
    return clients[0]


@pytest.fixture
def app(sandbox: RunningSandbox, clients: tuple[httpx.Client, httpx.Client]) -> httpx.Client:
    """The App API."""
    return clients[1]


@pytest.fixture
def batch(track: httpx.Client) -> Batch:
    """Sends items as one batch."""
    return lambda *items: track.post("/api/v2/batch", json={"batch": list(items)})


def person(action: str = "identify", *, id: Any = None, email: Any = None, cio_id: Any = None, **more: Any) -> Item:  # noqa: A002 - the field's name
    """An operation on one person."""
    identifiers = {
        name: value for name, value in (("id", id), ("email", email), ("cio_id", cio_id)) if value is not None
    }
    return {"type": "person", "action": action, "identifiers": identifiers, **more}


def thing(action: str = "identify", object_id: Any = "acme", *, type_id: Any = "1", **more: Any) -> Item:
    """An operation on one object."""
    return {
        "type": "object",
        "action": action,
        "identifiers": {"object_type_id": type_id, "object_id": object_id},
        **more,
    }


def to_object(object_id: str = "acme", type_id: str = "1", **attributes: Any) -> Item:
    """A relationship as a person's operation has it."""
    identifiers = {"object_type_id": type_id, "object_id": object_id}
    return {"identifiers": identifiers, **({"relationship_attributes": attributes} if attributes else {})}


def refusals(sandbox: RunningSandbox) -> list[tuple[str, str]]:
    """Type and reason of everything accepted and then not done."""
    return [(activity["type"], activity["data"]["reason"]) for activity in sandbox.activities(refused=1)]


@pytest.fixture(scope="session")
def transport() -> Iterator[httpx.HTTPTransport]:
    """Connections that clients of stand-ins share, made once."""
    with httpx.HTTPTransport(trust_env=False) as transport:
        yield transport
