"""Connections that are kept open: used again, opened anew when they are gone, and never in each other's way."""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from reverse_etl.http.pool import Pool
from reverse_etl_tests.destinations.scripted import HANG_UP, Asked, Said, Script, ScriptedServer, scripted_server


@asynccontextmanager
async def client_of(script: Script) -> AsyncIterator[tuple[httpx.AsyncClient, ScriptedServer]]:
    """A client with a pool, and the server that it asks."""
    trusted = ssl.create_default_context()
    async with (
        scripted_server(script) as server,
        httpx.AsyncClient(transport=Pool(trusted), base_url=server.url, trust_env=False) as client,
    ):
        yield client, server


async def at_once(client: httpx.AsyncClient, count: int) -> None:
    """So many requests that are open together."""
    await asyncio.gather(*(client.post("/", content=b"x") for _ in range(count)))


def test_a_request_costs_the_same_beside_many_idle_connections() -> None:
    """Calls of functions are counted: with 40 idle connections as many as with one, within a tenth."""

    async def calls(idle: int) -> int:
        made = 0

        def count(_frame: object, event: str, _argument: object) -> None:
            nonlocal made
            made += event == "call"

        async with client_of(lambda _: Said()) as (client, server):
            await at_once(client, idle)
            assert idle == server.accepted
            sys.setprofile(count)
            try:
                for _ in range(3):
                    await client.post("/", content=b"x")
            finally:
                sys.setprofile(None)
            assert idle == server.accepted
        return made

    assert asyncio.run(calls(40)) < asyncio.run(calls(1)) * 1.1


def test_what_was_used_last_is_used_first() -> None:
    """One request after the other keeps to one connection, so that the others can be let go."""

    async def run() -> None:
        async with client_of(lambda _: Said()) as (client, server):
            await at_once(client, 5)
            ports = []
            for _ in range(5):
                async with client.stream("POST", "/", content=b"x") as answer:
                    ports.append(answer.extensions["network_stream"].get_extra_info("client_addr"))
                    await answer.aread()
            assert (1, 5) == (len(set(ports)), server.accepted)

    asyncio.run(run())


def test_a_connection_without_an_answer_is_not_used_again() -> None:
    """The server hangs up: that request fails, its place is free, and the next one has a new connection."""
    asked = 0

    def script(_: Asked) -> Said | None:
        nonlocal asked
        asked += 1
        return HANG_UP if asked == 1 else Said()

    async def run() -> None:
        async with client_of(script) as (client, server):
            with pytest.raises(httpx.RemoteProtocolError):
                await client.post("/", content=b"x")
            for _ in range(2):
                assert 200 == (await client.post("/", content=b"x")).status_code
            assert 2 == server.accepted

    asyncio.run(run())


def test_a_canceled_request_leaves_no_answer_behind() -> None:
    """Its answer may still come: the connection is closed, and the next request gets its own answer on a new one."""
    arrived: asyncio.Event

    def script(asked: Asked) -> Said:
        arrived.set()
        return Said(body=asked.body)

    async def run() -> None:
        nonlocal arrived
        arrived = asyncio.Event()
        async with client_of(script) as (client, server):
            first = asyncio.create_task(client.post("/", content=b"first"))
            await arrived.wait()
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            assert first.cancelled()
            assert b"second" == (await client.post("/", content=b"second")).content
            assert 2 == server.accepted

    asyncio.run(run())


def test_an_answer_that_is_left_unread_blocks_no_other() -> None:
    """A stream that was left has its connection closed; a request beside it has one of its own."""

    async def run() -> None:
        async with client_of(lambda _: Said(body=b"x" * 1_000_000)) as (client, server):
            async with client.stream("POST", "/", content=b"x"):
                assert 1_000_000 == len((await client.post("/", content=b"y")).content)
            assert 2 == server.accepted
            assert 1_000_000 == len((await client.post("/", content=b"z")).content)
            await client.post("/", content=b"z")
            assert 3 == server.accepted

    asyncio.run(run())
