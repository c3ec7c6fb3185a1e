"""The page beside another program: its port, and its end."""

from __future__ import annotations

import socket

import httpx
import pytest

from reverse_etl.errors import ConfigError
from reverse_etl.syncs_page.server import HOST, listen, serving
from reverse_etl_tests.syncs_page.served import Page


def test_a_port_in_use_is_refused_only_where_it_was_asked_for() -> None:
    """By default the page is where it can be; nobody needs to choose a second port to start Dagster."""
    with socket.create_server((HOST, 0)) as other:
        taken = other.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {taken} cannot be listened on.*--syncs-port"):
            listen(taken, beside=3000)
        with listen(None, beside=taken - 1) as found:
            assert found.getsockname()[1] not in (0, taken)


def test_the_page_is_there_until_the_block_ends(page: Page) -> None:
    """Then nothing listens any more."""
    listener = listen(0, beside=3000)
    with serving(page.app, listener) as address:
        answer = httpx.get(address, trust_env=False)
        assert (200, True) == (answer.status_code, "<title>Syncs</title>" in answer.text)
    assert -1 == listener.fileno()
