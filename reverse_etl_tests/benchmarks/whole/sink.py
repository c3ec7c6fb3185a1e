"""A workspace that counts what it is sent and answers after a while, faster than what it measures.

A process of its own. Bodies are received into one buffer a connection and never parsed: an operation is one
``"identifiers"`` in it, which is a search through memory. How fast that is shows ``floor``, whose bodies are ready.

``python -m reverse_etl_tests.benchmarks.whole.sink [LATENCY_S]`` prints its port and serves until it is ended.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, cast

OPERATION: Final = b'"identifiers"'
_HEAD_BYTES: Final = 16_384
_REGION: Final = {"region": "us", "data_center": "us", "environment_id": "123457"}
"""Source: Track API OpenAPI, August 2026, ``GET /api/v1/accounts/region``."""


@dataclass(slots=True)
class Counts:
    """What has arrived since it was last asked to begin anew.

    Attributes:
        requests: Those that carry rows.
        operations: Rows.
        body_bytes: Of those requests, without their heads.
        cpu_s: This process's own.
    """

    requests: int = 0
    operations: int = 0
    body_bytes: int = 0
    cpu_s: float = 0.0


class _Connection(asyncio.BufferedProtocol):
    """Receives into one buffer: the head of a request, then its body over it."""

    def __init__(self, counts: Counts, latency_s: float) -> None:
        self._counts, self._latency_s = counts, latency_s
        self._buffer = bytearray(_HEAD_BYTES)
        self._at, self._body_begins, self._ends = 0, 0, 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's own signature
        return memoryview(self._buffer)[self._at :]

    def buffer_updated(self, nbytes: int) -> None:
        self._at += nbytes
        while True:
            if not self._ends and not self._head_is_there():
                return
            if self._at < self._ends:
                return
            self._answer()

    def _head_is_there(self) -> bool:
        found = self._buffer.find(b"\r\n\r\n", 0, self._at)
        if found < 0:
            return False
        head = self._buffer[:found].lower()
        _, named, rest = head.partition(b"content-length:")
        length = int(rest.split(b"\r\n", 1)[0]) if named else 0
        self._body_begins, self._ends = found + 4, found + 4 + length
        if self._ends > len(self._buffer):
            self._buffer = self._buffer[: self._at] + bytearray(self._ends - self._at)
        return True

    def _answer(self) -> None:
        line = bytes(self._buffer[: self._buffer.find(b"\r\n")]).decode("ascii")
        method, path, _ = line.split(" ")
        if method in ("POST", "PUT") and not path.startswith("/_"):
            self._counts.requests += 1
            self._counts.body_bytes += self._ends - self._body_begins
            self._counts.operations += self._buffer.count(OPERATION, self._body_begins, self._ends) or 1
            answer, latency_s = b"{}", self._latency_s
        else:
            answer, latency_s = json.dumps(self._told(path)).encode(), 0.0
        left = self._buffer[self._ends : self._at]
        self._buffer[: len(left)] = left
        self._at, self._ends = len(left), 0
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(answer)
        if latency_s:
            asyncio.get_running_loop().call_later(latency_s, self._transport.write, head + answer)
        else:
            self._transport.write(head + answer)

    def _told(self, path: str) -> dict[str, Any]:
        if path == "/api/v1/accounts/region":
            return _REGION
        if path == "/_begin":
            self._counts.requests = self._counts.operations = self._counts.body_bytes = 0
        return {
            "requests": self._counts.requests,
            "operations": self._counts.operations,
            "body_bytes": self._counts.body_bytes,
            "cpu_s": time.process_time(),
        }


@dataclass(frozen=True, slots=True)
class Sink:
    """A running one, seen from outside.

    Attributes:
        port: On 127.0.0.1.
    """

    port: int

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def begin(self) -> Counts:
        """Counts from 0 again; ``cpu_s`` is that up to now."""
        return self._told("/_begin")

    def counts(self) -> Counts:
        """What has arrived since."""
        return self._told("/_counts")

    def _told(self, path: str) -> Counts:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self.url + path, timeout=30) as answer:
            return Counts(**json.load(answer))


@contextmanager
def running_sink(latency_s: float = 0.0) -> Iterator[Sink]:
    """Starts one on a free port and ends it, whatever happens."""
    command = [sys.executable, "-m", __name__, str(latency_s)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Sink(int(process.stdout.readline()))
        finally:
            process.kill()


async def _serve(latency_s: float) -> None:
    counts = Counts()
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(counts, latency_s), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1]) if len(sys.argv) > 1 else 0.0))
