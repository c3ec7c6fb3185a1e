"""People of 10 columns, already extracted and checked, delivered to a local HTTP sink with the settings as shipped.

    python -m reverse_etl_tests.benchmarks.deliver_bench [ROWS] [LATENCY_MS ...]
    python -m reverse_etl_tests.benchmarks.deliver_bench refused [ROWS]

For each latency: rows/s, how full requests are, and the peak memory over that of a bare interpreter. The sink is a
process of its own that reads each request and answers 200 after the latency; each delivery is one too, so that making
the rows does not count as its memory. The rate limit is shared through a state database, as in a run.

``refused`` compares the processor's time for a row that is accepted with that for one that is refused, where every
answer refuses every row: all for one reason, each with a message of its own, each with one that repeats its value.
All are measured in turn, five times, and the ratio to an accepted row of the same turn is printed: median, least, most.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import product
from multiprocessing.connection import Connection
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from reverse_etl.changeset.parts import Parts, with_row_numbers
from reverse_etl.delivery.deliver import Delivered, deliver
from reverse_etl.destinations.customerio.destination import open_destination
from reverse_etl.destinations.customerio.workspace import WorkspaceConfig
from reverse_etl.state.rate_slots import RateSlots
from reverse_etl.state.store import open_store
from reverse_etl_tests.destinations.customerio.configs import sync, workspace

ROWS = 1_000_000
LATENCIES_MS = [0.0, 50.0, 200.0]
BATCH_ROWS = 50_000
_BARE = "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
_REFUSALS = ["", "is no address", "refused as number {n}", "{email} is no address"]
"""Every row accepted; refused for one reason; with a message of its own; with one that repeats its value."""

_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 3\r\n\r\n{}\n"


class Sink(asyncio.Protocol):
    """Counts bytes up to the end of each request and answers."""

    def __init__(self, latency_s: float, refusal: str = "") -> None:
        self._latency_s = latency_s
        self._refusal = refusal
        self._head = b""
        self._body = bytearray()
        self._body_left = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remembers where to answer."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Takes a piece of a request; requests follow each other, never overlap."""
        if self._body_left:
            self._body_left -= len(data)
            body = data
        else:
            self._head += data
            head, found, body = self._head.partition(b"\r\n\r\n")
            if not found:
                return
            lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            self._body_left = int(lengths[0].split(b":")[1]) - len(body)
            self._head = b""
        if self._refusal:
            self._body += body
        if self._body_left == 0:
            answer = refused(bytes(self._body), self._refusal) if self._refusal else _ANSWER
            self._body.clear()
            asyncio.get_running_loop().call_later(self._latency_s, self._transport.write, answer)


def refused(body: bytes, refusal: str) -> bytes:
    """An answer 207 that refuses every item; ``{n}`` and ``{email}`` of the message are the item's."""
    items = orjson.loads(body)["batch"]
    errors = [
        {"batch_index": at, "reason": "invalid", "field": "email", "message": _message(refusal, at, item)}
        for at, item in enumerate(items)
    ]
    content = orjson.dumps({"errors": errors})
    return b"HTTP/1.1 207 X\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(content), content)


def _message(refusal: str, at: int, item: dict[str, Any]) -> str:
    return refusal.format(n=f"{item['identifiers']['id']}-{at}", email=item["attributes"]["email"])


def serve(latency_s: float, told: Connection, refusal: str = "") -> None:
    """Serves until the process is ended."""

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(lambda: Sink(latency_s, refusal), "127.0.0.1", 0)
        told.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


def people(rows: int) -> Iterator[pa.RecordBatch]:
    """Rows like those of a shop's customers."""
    random = np.random.default_rng(0)
    for start in range(0, rows, BATCH_ROWS):
        numbers = range(start, min(start + BATCH_ROWS, rows))
        yield pa.RecordBatch.from_pydict(
            {
                "id": [f"c{n}" for n in numbers],
                "email": [f"user{n}@example.com" for n in numbers],
                "first_name": [f"First {n % 5000}" for n in numbers],
                "last_name": [f'Last "{n}"' if n % 50 == 0 else f"Lást {n % 9000}" for n in numbers],
                "plan": ["free" if n % 3 else None for n in numbers],
                "age": random.integers(18, 90, len(numbers)),
                "score": random.random(len(numbers)),
                "active": random.random(len(numbers)) > 0.5,
                "orders": random.integers(0, 1000, len(numbers)),
                "created_at": pa.array(random.integers(0, 2**31, len(numbers)) * 1_000_000, pa.timestamp("us", "UTC")),
            }
        )


def main() -> None:
    """Prints one line for each latency."""
    arguments = sys.argv[1:]
    refusals = _REFUSALS if arguments[:1] == ["refused"] else [""]
    arguments = arguments[1:] if refusals is _REFUSALS else arguments
    rows = int(arguments[0]) if arguments else ROWS
    latencies_ms = [float(text) for text in arguments[1:]] or ([0.0] if refusals is _REFUSALS else LATENCIES_MS)
    processes = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        writer = processes.Process(target=_write, args=(Path(folder), rows))
        writer.start()
        writer.join()
        worked: SimpleQueue[float] = processes.SimpleQueue()
        worked_s: dict[str, list[float]] = {refusal: [] for refusal in refusals}
        times = 5 if refusals is _REFUSALS else 1
        for _, latency_ms, refusal in product(range(times), latencies_ms, refusals):
            ours, theirs = processes.Pipe()
            sink = processes.Process(target=serve, args=(latency_ms / 1000, theirs, refusal), daemon=True)
            sink.start()
            bench = processes.Process(
                target=measure, args=(Path(folder), rows, latency_ms, ours.recv(), refusal, worked)
            )
            bench.start()
            bench.join()
            sink.terminate()
            if bench.exitcode:
                sys.exit(bench.exitcode)
            worked_s[refusal].append(worked.get())
    for refusal in refusals[1:]:
        ratios = [one / accepted for one, accepted in zip(worked_s[refusal], worked_s[""], strict=True)]
        print(f"{refusal}: {median(ratios):.2f} times ({min(ratios):.2f} to {max(ratios):.2f}) an accepted row's CPU")


def measure(folder: Path, rows: int, latency_ms: float, port: int, refusal: str, worked: SimpleQueue[float]) -> None:
    """Delivers once, in a process of its own, prints the line, and tells the seconds of the processor."""
    parts = Parts(folder / "rows", "rows")
    for left in ("journal.jsonl", "outcomes.npy"):
        (parts.folder / left).unlink(missing_ok=True)
    defaults = {
        name: WorkspaceConfig.model_fields[name].default
        for name in ("requests_per_second", "max_requests_in_flight", "max_items_per_request")
    }
    config = workspace(f"http://127.0.0.1:{port}", **defaults)
    url = f"sqlite:///{folder / f'state-{latency_ms}.db'}"
    open_store(url)
    pace = RateSlots(url, config.name)

    async def run() -> tuple[float, float, Delivered]:
        async with open_destination(sync(people={}), config) as destination:
            began, worked = time.perf_counter(), time.process_time()
            delivered = await deliver(
                parts, parts.outcomes(rows), destination, reserve=pace.reserve, identified_by=("id",)
            )
            return time.perf_counter() - began, time.process_time() - worked, delivered

    took_s, worked_s, delivered = asyncio.run(run())
    worked.put(worked_s)
    counts = delivered.counts
    if (counts.refused if refusal else counts.delivered) != rows:
        sys.exit("not all rows were delivered, or refused")
    status = Path("/proc/self/status").read_text().splitlines()
    peak_kb = next(line.split()[1] for line in status if line.startswith("VmHWM"))
    bare = subprocess.run([sys.executable, "-c", _BARE], capture_output=True, text=True, check=True)
    print(
        f"{rows:,} rows x 10 columns, {refusal or 'accepted'}, {latency_ms:.0f} ms: {rows / took_s:,.0f} rows/s "
        f"({took_s:.2f} s, {worked_s / rows * 1e6:.2f} us of CPU a row), "
        f"{delivered.requests} requests of {rows / delivered.requests:,.0f} rows, {delivered.fullness:.1%} full, "
        f"peak {(int(peak_kb) - int(bare.stdout)) / 1024:.0f} MB over the bare interpreter"
    )


def _write(folder: Path, rows: int) -> None:
    Parts(folder / "rows", "rows").write(with_row_numbers(people(rows)))


if __name__ == "__main__":
    main()
