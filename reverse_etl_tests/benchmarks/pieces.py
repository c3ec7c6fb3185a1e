"""Everything in pieces: 100 million rows read piece by piece, and 20 million sent by one ``reverse-etl run``.

    python -m reverse_etl_tests.benchmarks.pieces [simulated|real|parallel] [ROWS [ROWS_OF_A_PIECE]]

``simulated`` reads rows that DuckDB makes up into changesets, piece after piece as the state database says, and takes
them for delivered: every row once, and the memory of the process after the second and the last piece. ``real`` sends
the rows of a DuckDB file to an HTTP sink, a process of its own that counts them. ``parallel`` reads halves of a table
of PostgreSQL and MariaDB by two sessions in two threads, in turn with one session that reads all of it. Times are
processor seconds, but for the ratios of ``parallel``.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset.extract import Before, extract
from reverse_etl.changeset.pieces import InPieces
from reverse_etl.config.inline import parse_sync
from reverse_etl.plugins import load
from reverse_etl.report import Counts, PieceOf, RunReport, Status
from reverse_etl.sources import connect, dialect
from reverse_etl.state.home import Home
from reverse_etl.state.pieces import reading_under_way
from reverse_etl.state.runs import Reading, begin_run, close_run
from reverse_etl.state.store import open_store
from reverse_etl.state.syncs import last_sync_time
from reverse_etl_tests.benchmarks.engines import ENGINES
from reverse_etl_tests.benchmarks.memory import peak_mb
from reverse_etl_tests.benchmarks.reading import to_parquet
from reverse_etl_tests.project import Project

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

ROWS = {"simulated": 100_000_000, "real": 20_000_000, "parallel": 1_000_000}
PIECE = 5_000_000
TURNS = 5

_SYNC = "SELECT id, plan FROM {} WHERE updated_at >= {{{{last_sync_time}}}}"
_MADE_UP = (
    "(SELECT range AS id, CASE range % 3 WHEN 0 THEN 'free' WHEN 1 THEN 'pro' ELSE 'team' END AS plan, "
    "100 AS updated_at FROM range({}))"
)
_REGION = b'{"region": "us", "environment_id": 7}'
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"


def simulated(rows: int, piece: int) -> None:
    """Reads all pieces in this process, and prints what that took."""
    # As a run has it that reads from a database.
    pa.set_memory_pool(pa.system_memory_pool())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "empty.db"
        duckdb.connect(path).close()
        database = load("reverse_etl.sources", "duckdb").Config(name="shop", type="duckdb", path=path)
        keys = {"database": "shop", "workspace": "main", "schedule": "manual", "people": {}, "failed_rows": "carry"}
        asked = {"query": _SYNC.format(_MADE_UP.format(rows)), "pieces": {"by": "id", "rows": piece}}
        sync = parse_sync("people", {**keys, **asked})
        home = Home.at(Path(folder) / "home")
        store = open_store(home.state_url)
        peaks, counted, summed, number = [], 0, 0, 0
        began = time.process_time()
        while not last_sync_time(store, sync.name):
            number += 1
            run_id, at = f"r{number}", datetime.now(UTC)
            under_way = reading_under_way(store, sync.name)
            begin_run(store, run_id, root_run_id=run_id, sync=sync.name, workspace="main", started_at=at, since=0)
            of_run = home.run_folder(sync.name, run_id)
            in_pieces = InPieces("id", piece, under_way.piece if under_way else None)
            with connect(database) as session:
                facts = extract(sync, session, of_run, before=Before(), dialect=dialect(database), pieces=in_pieces)
            assert facts.piece is not None
            found = facts.streams["rows"].rows
            for batch in of_run.parts("rows").batches(["id"]):
                summed += pc.sum(batch.column("id")).as_py()
            counted += found
            report = RunReport(
                sync.name, run_id, Status.COMPLETED, at, streams={"rows": Counts(found, found)},
                piece=PieceOf(facts.piece.number, facts.piece.of),
            )  # fmt: skip
            close_run(
                store, report, root_run_id=run_id, workspace="main", failed_rows=(), read=Reading(piece=facts.piece),
                new_last_sync_time=facts.next_last_sync_time,
            )  # fmt: skip
            shutil.rmtree(of_run.path)
            peaks.append(peak_mb())
        took = time.process_time() - began
    assert (rows, rows * (rows - 1) // 2) == (counted, summed)
    print(
        f"simulated: {rows:,} rows in {number} pieces, each once: {took:.0f} s of processor time, "
        f"{1e6 * took / rows:.2f} µs a row; peak {peaks[1]:.0f} MB after 2 pieces, {peaks[-1]:.0f} MB after all"
    )


class Sink(asyncio.Protocol):
    """Says which workspace it is, counts the people of each request, and takes them."""

    def __init__(self, people: Synchronized[int]) -> None:
        self._people = people
        self._head, self._body, self._left = b"", bytearray(), 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remembers where to answer."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Takes a part of a request; requests follow each other."""
        if not self._left:
            self._head += data
            head, found, body = self._head.partition(b"\r\n\r\n")
            if not found:
                return
            lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            self._left = int(lengths[0].split(b":")[1]) if lengths else 0
            self._head, data = b"", body
        self._body += data
        self._left -= len(data)
        if self._left == 0:
            self._people.value += self._body.count(b'"action":"identify"')
            answer = b"{}" if self._body else _REGION
            self._body.clear()
            self._transport.write(_HEAD % len(answer) + answer)


def serve(told: Connection, people: Synchronized[int]) -> None:
    """Serves until the process is ended."""

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(lambda: Sink(people), "127.0.0.1", 0)
        told.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


def real(rows: int, piece: int) -> None:
    """Sends them, and prints what the command took."""
    processes = multiprocessing.get_context("spawn")
    people = processes.Value("q", 0)
    ours, theirs = processes.Pipe()
    sink = processes.Process(target=serve, args=(theirs, people), daemon=True)
    sink.start()
    with tempfile.TemporaryDirectory() as folder:
        with duckdb.connect(Path(folder) / "shop.db") as shop:
            shop.execute(f"CREATE TABLE customers AS FROM {_MADE_UP.format(rows)}")
        project = Project(Path(folder))
        project.connections("  shop:\n    type: duckdb\n    path: ../shop.db\n", f"http://127.0.0.1:{ours.recv()}")
        connections = project.folder / "syncs" / "connections.yaml"
        without = [line for line in connections.read_text().splitlines() if "app_" not in line]
        connections.write_text("\n".join(without))
        keys = "database: shop\nworkspace: main\nschedule: manual\npeople: {identify_by: id}\nfailed_rows: carry\n"
        more = f"pieces: {{by: id, rows: {piece}}}\nmax_rows: {rows}\nquery: {_SYNC.format('customers')}\n"
        project.write("people.yaml", keys + more)
        command = [str(Path(sys.executable).with_name("reverse-etl")), "run", "people", "--json"]
        read, write = os.pipe()
        actions = [(os.POSIX_SPAWN_DUP2, write, 1), (os.POSIX_SPAWN_CLOSE, read)]
        os.chdir(folder)
        child = os.posix_spawn(command[0], command, project.env(), file_actions=actions)
        os.close(write)
        with os.fdopen(read) as stdout:
            reports = [json.loads(line) for line in stdout]
        _, status, usage = os.wait4(child, 0)
    sink.terminate()
    assert os.waitstatus_to_exitcode(status) == 0, reports
    delivered = [report["rows"]["delivered"] for report in reports]
    assert (rows, rows) == (sum(delivered), people.value)
    took = usage.ru_utime + usage.ru_stime
    print(
        f"real: {rows:,} rows in {len(reports)} pieces, each delivered once: {took:.0f} s of processor time, "
        f"{1e6 * took / rows:.2f} µs a row; peak {usage.ru_maxrss / 1024:.0f} MB"
    )


def parallel(rows: int, _: int) -> None:
    """Prints the ratio of the time that two sessions take to that of one, of turns: median, least, most."""
    half = rows // 2
    for name in ("postgres", "mysql"):
        with ENGINES[name].filled(rows) as (config, query, environment):
            os.environ |= environment
            asked = [f"{query} WHERE id <= {half}", f"{query} WHERE id > {half}"]
            read = partial(to_parquet, config)
            read(f"{query} WHERE id <= 1000")
            ratios, processor = [], []
            for _ in range(TURNS):
                one = _timed(partial(read, query))
                with ThreadPoolExecutor(2) as threads:
                    two = _timed(partial(list, threads.map(read, asked)))
                ratios.append(two[0] / one[0])
                processor.append(two[1] / one[1])
        print(
            f"parallel: {rows:,} rows of {name} by two sessions: {median(ratios):.2f} times the time of one "
            f"({min(ratios):.2f} to {max(ratios):.2f}), {median(processor):.2f} times its processor time"
        )


def _timed(read: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock, and of this process's processor time."""
    at, worked = time.perf_counter(), time.process_time()
    read()
    return time.perf_counter() - at, time.process_time() - worked


def main(arguments: list[str]) -> None:
    """Prints a line for each."""
    which = arguments[:1] or list(ROWS)
    for name in which:
        rows = int(arguments[1]) if len(arguments) > 1 else ROWS[name]
        piece = int(arguments[2]) if len(arguments) > 2 else PIECE
        {"simulated": simulated, "real": real, "parallel": parallel}[name](rows, piece)


if __name__ == "__main__":
    main(sys.argv[1:])
