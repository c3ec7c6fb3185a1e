"""The body of a request: it arrives whole, and is not kept while its answer is waited for."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from reverse_etl.destinations._http.connection import Address, Connection
from reverse_etl.destinations._http.reply import Reply
from reverse_etl.http.request_body import RequestBody
from reverse_etl_tests.destinations.scripted import Said, scripted_server


@asynccontextmanager
async def waiting_server(answered: asyncio.Event) -> AsyncIterator[tuple[str, asyncio.Future[bytes]]]:
    """A server that answers when it is told to; its address, and the first body that arrives."""
    arrived: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        arrived.set_result(await reader.readexactly(length))
        await answered.wait()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, limit=2**22) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", arrived


def test_a_body_is_let_go_before_its_answer_comes() -> None:
    """The only reference that is left is the test's own, while the server has it whole and has not answered yet."""
    written = b"x" * 1_000_000 + b"end"
    kept = [written]
    alone = sys.getrefcount(written)

    async def run() -> None:
        answered = asyncio.Event()
        async with (
            waiting_server(answered) as (url, arrived),
            Connection("service x", [address := Address(url, "url")]) as connection,
        ):
            asked = asyncio.create_task(connection.send(address, "POST", "/", body=RequestBody(kept[0])))
            assert 1_000_003 == len(await arrived)
            async with asyncio.timeout(60):
                while sys.getrefcount(written) > alone:
                    await asyncio.sleep(0)
            answered.set()
            reply = await asked
            assert isinstance(reply, Reply)
            assert 200 == reply.status

    asyncio.run(run())


def test_its_length_is_said_and_nothing_is_chunked() -> None:
    """As for a body of bytes."""

    async def run() -> None:
        async with (
            scripted_server(lambda _: Said()) as server,
            Connection("service x", [address := Address(server.url, "url")]) as connection,
        ):
            for body in (RequestBody(b"abc"), b"abc"):
                await connection.send(address, "POST", "/", body=body)
            first, second = server.requests
            assert first == second
            assert (b"abc", "3") == (first.body, first.headers["content-length"])
            assert "transfer-encoding" not in first.headers

    asyncio.run(run())
