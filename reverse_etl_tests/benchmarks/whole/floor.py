"""The floor of a case: the driver's bare fetch of the rows, JSON of columns, bodies that are ready on raw connections.

Nothing is checked, numbered, kept, paced or remembered. ``python -m reverse_etl_tests.benchmarks.whole.floor ROWS
PORT`` in a project's folder prints what each of the three took, in seconds of the clock and of the processor.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reverse_etl.config.loader import load_project
from reverse_etl.sources import connect
from reverse_etl_tests.benchmarks import bare_loops
from reverse_etl_tests.benchmarks.whole.cases import QUERY

if TYPE_CHECKING:
    import pyarrow as pa

CONNECTIONS: Final = 8
"""As many as a workspace has requests in flight by default."""

BODY_BYTES: Final = 475_000

_AS_JSON: Final = """
SELECT to_json({'type': 'person', 'identifiers': {'id': id}, 'action': 'identify', 'attributes': people}) FROM people
"""


def bodies(row: dict[str, Any], rows: int) -> tuple[bytes, int, int]:
    """A full request of the row's likes; how many rows are in it, and in the last one."""
    operation = json.dumps(
        {"type": "person", "identifiers": {"id": row["id"]}, "action": "identify", "attributes": row},
        default=str, separators=(",", ":"),
    ).encode()  # fmt: skip
    in_one = min(rows, BODY_BYTES // (len(operation) + 1))
    return operation, in_one, rows % in_one


def posted(port: int, requests: Iterator[bytes]) -> None:
    """Sends each request and waits for its answer before the next, on each of the connections."""
    taking = threading.Lock()
    failed: list[BaseException] = []

    def work() -> None:
        try:
            with socket.create_connection(("127.0.0.1", port)) as connection:
                while True:
                    with taking:
                        request = next(requests, None)
                    if request is None:
                        return
                    connection.sendall(request)
                    if not connection.recv(4096).startswith(b"HTTP/1.1 200"):
                        raise ConnectionError("the sink refused a request")
        except OSError as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]


def request(operations: list[bytes]) -> bytes:
    """One request with those operations, head included."""
    body = b'{"batch":[' + b",".join(operations) + b"]}"
    return b"POST /api/v2/batch HTTP/1.1\r\nhost: sink\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


def all_requests(row: dict[str, Any], rows: int) -> Iterator[bytes]:
    """As many as the rows need; equal ones are made once."""
    operation, in_one, rest = bodies(row, rows)
    yield from islice(cycle([request([operation] * in_one)]), rows // in_one)
    if rest:
        yield request([operation] * rest)


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds of the clock, and of this process's processor."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def as_json(batches: Iterable[pa.RecordBatch]) -> int:
    """How many rows are operations in JSON, made by DuckDB on one thread."""
    import duckdb

    with duckdb.connect(config={"threads": 1}) as database:
        made = (database.from_arrow(batch).query("people", _AS_JSON) for batch in batches)
        return sum(len(each.to_arrow_table()) for each in made if each is not None)


def main(rows: int, port: int) -> None:
    """Prints the three."""
    warnings.simplefilter("ignore")
    config = load_project(Path("syncs")).databases["shop"]
    with connect(config) as session:
        batches = [*session.stream(QUERY)]
    [row] = batches[0].slice(length=1).to_pylist()
    bare = {"postgres": bare_loops.postgres, "mysql": bare_loops.mysql}[config.type]
    counted: list[int] = []
    fetch = timed(lambda: counted.append(bare(config, QUERY)))
    encode = timed(lambda: counted.append(as_json(batches)))
    if counted != [rows, rows]:
        sys.exit(f"the driver fetched {counted[0]:,} rows, {counted[1]:,} are JSON, of {rows:,}")
    requests = all_requests(row, rows)
    send = timed(lambda: posted(port, requests))
    print(
        json.dumps(
            {
                f"{loop}_{unit}": seconds
                for loop, took in (("fetch", fetch), ("encode", encode), ("send", send))
                for unit, seconds in zip(("s", "cpu_s"), took, strict=True)
            }
        )
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
