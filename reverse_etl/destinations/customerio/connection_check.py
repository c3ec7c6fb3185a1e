"""What works between here and a workspace, step by step, for ``reverse-etl test-connection``."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from reverse_etl.destinations.customerio import lookup
from reverse_etl.destinations.customerio.client import Client
from reverse_etl.errors import DestinationError, DestinationUnavailableError, UnauthorizedError
from reverse_etl.http.proxies import proxy_for
from reverse_etl.pacing.rate_limit import Clock
from reverse_etl.pacing.retry import Patience, RetryPolicy
from reverse_etl.report import Step

if TYPE_CHECKING:
    from reverse_etl.destinations.customerio.workspace import WorkspaceConfig

_POLICY: Final = RetryPolicy(most_s=2.0, budget_s=10.0)
"""A person is waiting: a workspace that does not answer for ten seconds counts as away."""


def steps(workspace: WorkspaceConfig, *, policy: RetryPolicy = _POLICY) -> Iterator[Step]:
    """Connects step by step; each step is tried when it is asked for.

    Args:
        workspace: The workspace.
        policy: How long each request is tried again.

    Yields:
        Steps that worked and, if one did not, that one with its fix as the last.

    Raises:
        ConfigError: An environment variable is not set, or an address is no https address.
    """
    address = urlsplit(workspace.track_base_url())
    where = f"workspace {workspace.name}"
    proxy = proxy_for(workspace.track_base_url(), where=where) if workspace.proxy else None
    first = _host(address.hostname or "") if proxy is None else Step("way out", True, f"through {proxy}")
    yield first
    if not first.ok:
        return
    with asyncio.Runner() as runner:
        client = Client(workspace)
        patience = Patience(policy, name=f"workspace {workspace.name}", clock=Clock())
        try:
            runner.run(lookup.require_region(client, patience, workspace.region))
            yield Step("connection", True, "answers over TLS" if address.scheme == "https" else "answers, without TLS")
            yield Step("Track API credentials", True, "accepted")
            yield Step("region", True, workspace.region)
            yield from _app_steps(client, patience, runner)
        except DestinationError as error:
            yield Step(_step_of(error), False, error.message, error.hint)
        finally:
            runner.run(client.close())


def _host(host: str) -> Step:
    try:
        socket.getaddrinfo(host, None)
    except socket.gaierror as error:
        hint = "Check the network, and region and track_url of the workspace in connections.yaml."
        return Step("host name", False, f"{host}: {error.strerror}", hint)
    return Step("host name", True, host)


def _app_steps(client: Client, patience: Patience, runner: asyncio.Runner) -> Iterator[Step]:
    if not client.has_app_key:
        hint = "Segments by name and `write: add_only` need one; object types are not checked without."
        yield Step("App API key", True, "not set", hint)
        return
    types = runner.run(lookup.object_types(client, patience))
    yield Step("App API key", True, "accepted")
    yield Step("object types", True, lookup.named(types))
    listed = runner.run(patience.until_settled(partial(client.ask, "App", "GET", "/v1/segments")))
    segments = lookup.entries(listed, "segments", workspace=client.workspace)
    manual = sum(segment.get("type") == "manual" for segment in segments)
    yield Step("segments", True, f"{len(segments)}, of which {manual} manual")


def _step_of(error: DestinationError) -> str:
    if isinstance(error, UnauthorizedError):
        return "App API key" if "App API" in error.message else "Track API credentials"
    return "connection" if isinstance(error, DestinationUnavailableError) else "answer"
