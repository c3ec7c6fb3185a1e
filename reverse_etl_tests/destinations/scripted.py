"""A real HTTP server that answers as a function says, and a clock that runs as fast as it is asked."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from reverse_etl.pacing.rate_limit import Clock

HANG_UP = None


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it arrived; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Said:
    """One answer."""

    status: int = 200
    body: bytes = b"{}\n"
    headers: dict[str, str] = field(default_factory=dict)


Script = Callable[[Asked], Said | None]


@dataclass(slots=True)
class ScriptedServer:
    """A server in progress; ``requests`` are those that arrived whole, in order, on ``accepted`` connections."""

    url: str = ""
    accepted: int = 0
    requests: list[Asked] = field(default_factory=list)


@asynccontextmanager
async def scripted_server(
    script: Script, *, tls: ssl.SSLContext | None = None, after_s: float = 0.0
) -> AsyncIterator[ScriptedServer]:
    """Serves until the block ends. A script that returns ``HANG_UP`` closes the connection without an answer."""
    running = ScriptedServer()
    connections: set[asyncio.StreamWriter] = set()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        connections.add(writer)
        running.accepted += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode("latin-1").split("\r\n")
                method, path, _ = lines[0].split(" ")
                headers = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in lines[1:] if line)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                asked = Asked(method, path, headers, body)
                running.requests.append(asked)
                said = script(asked)
                await asyncio.sleep(after_s)
                if said is HANG_UP:
                    break
                extra = "".join(f"{name}: {value}\r\n" for name, value in said.headers.items())
                start = f"HTTP/1.1 {said.status} X\r\ncontent-length: {len(said.body)}\r\n{extra}\r\n"
                writer.write(start.encode("latin-1") + said.body)
                await writer.drain()
        except (asyncio.CancelledError, asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=2**20, ssl=tls)
    running.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield running
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks)
        # Over TLS a close waits for the other side: what is still open with the loop is found unclosed in a later test.
        for writer in connections:
            writer.transport.abort()
        await server.wait_closed()
        await asyncio.sleep(0)


@asynccontextmanager
async def dripping_server(part: str) -> AsyncIterator[str]:
    """A server whose answers never end: their ``head`` or their ``body`` comes a byte at a time. Gives its address."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n" + (b"\r\n" if part == "body" else b"x: "))
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.01)
        except (asyncio.CancelledError, asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await server.wait_closed()


@dataclass(slots=True)
class FastClock:
    """Time that passes only by sleeping, at once.

    Attributes:
        now_s: What the clock shows.
        slept_s: Every sleep, in order.
    """

    now_s: float = 1000.0
    slept_s: list[float] = field(default_factory=list)

    def clock(self) -> Clock:
        """The clock as the code under test takes it."""
        return Clock(lambda: self.now_s, self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        until = self.now_s + seconds
        await asyncio.sleep(0)
        # Who began to sleep meanwhile slept at the same time.
        self.now_s = max(self.now_s, until)
