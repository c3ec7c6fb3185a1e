"""One sandbox for the tests of this folder, empty for each of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from reverse_etl_tests.servers.sandbox import RunningSandbox, running_sandbox


@pytest.fixture(scope="package")
def sandbox_server() -> Iterator[RunningSandbox]:
    """A process of its own; the App API's rate limit is off, because a test of it uses a fast clock."""
    with running_sandbox(keep_bodies=True, app_rate_limit=0, suppressed="error") as server:
        yield server


@pytest.fixture
def sandbox(sandbox_server: RunningSandbox) -> RunningSandbox:
    """The sandbox without people, segments, faults."""
    sandbox_server.reset()
    return sandbox_server
