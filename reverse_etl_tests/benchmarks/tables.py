"""Rows of 10 columns, extracted and checked, delivered to a table of a private server of each engine as shipped.

    python -m reverse_etl_tests.benchmarks.tables [ROWS [postgres|mysql|clickhouse]]

For each state of the table: wall time, the processor's time here and on the server, rows for each second of both, and
the peak of the memory here.
Each delivery is a process of its own. Of ``1 % bad``, a third each breaks a check, a reference and a unique value, and
ends with that constraint in the ledger; of ClickHouse, all break a check. The server does not wait for its disk (fsync
is off); TLS is on.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pytest

from reverse_etl_tests.benchmarks.memory import peak_mb
from reverse_etl_tests.destinations.clickhouse.server import Clickhouse, emptied
from reverse_etl_tests.destinations.mysql import server as mysql
from reverse_etl_tests.destinations.mysql.server import Mysql
from reverse_etl_tests.destinations.postgres.server import EMPTY, WRITER, Postgres
from reverse_etl_tests.destinations.sql.tables import Delivery, SqlServer
from reverse_etl_tests.servers import mariadb
from reverse_etl_tests.servers.clickhouse import ClickhouseServer, clickhouse_server
from reverse_etl_tests.servers.postgres import PostgresServer, find_binaries, postgres_server

ROWS = 100_000
BATCH_ROWS = 25_000
COLUMNS = ["first", "last", "plan", "city", "note"]
_PLANS = ", ".join(f"('plan {n}')" for n in range(10))
TABLE = f"""
CREATE TABLE plans (name {{short}} PRIMARY KEY); INSERT INTO plans VALUES {_PLANS};
CREATE TABLE customers (id bigint {{key}}, email {{text}} UNIQUE, first {{text}}, last {{text}}, plan {{short}},
  city varchar(40), note {{text}} NOT NULL, score int CHECK (score < 1000000), balance numeric(12,2), seen {{instant}},
  FOREIGN KEY (plan) REFERENCES plans (name));
INSERT INTO customers (id, email, note) VALUES (-1, 'taken@example.com', '');
"""
CLICKHOUSE_TABLE = """
CREATE TABLE crm.customers (id Int64, email String, first String, last String, plan LowCardinality(String),
  city Nullable(String), note String, score Int32, balance Nullable(Decimal(12, 2)), seen DateTime,
  CONSTRAINT few CHECK score < 1000000) ENGINE = ReplacingMergeTree ORDER BY id
"""
CASES = {
    "new": "",
    "the same": "",
    "1 in 10 changed": "changed",
    "1 % bad, new": "bad",
    "new, no unique key": "",
    "the same, no unique key": "",
}


def batch(first: int, rows: int, kind: str) -> pa.RecordBatch:
    """Rows ``first`` to ``first + rows``, some of them changed or bad."""
    numbers = np.arange(first, first + rows)
    texts = {name: [f"{name} {n % 10 if name == 'plan' else n}" for n in numbers] for name in COLUMNS}
    emails = [f"person{n}@example.com" for n in numbers]
    scores = (numbers % 1000).astype(np.int64)
    if kind == "changed":
        scores[::10] += 1
    if kind.startswith("bad"):
        for place in range(0, rows, 100):
            why = place // 100 % 3 if kind == "bad" else 0
            if why == 0:
                scores[place] = 1_000_000
            elif why == 1:
                texts["plan"][place] = "none"
            else:
                emails[place] = "taken@example.com"
    at = pa.array(numbers * 1_000_000 + 1_700_000_000_000_000, pa.timestamp("us", "UTC"))
    return pa.RecordBatch.from_pydict(
        {"id": numbers, "email": emails, **texts, "score": scores, "balance": numbers / 100, "seen": at}
    )


class Place(ABC):
    """A private server of one engine, and a database of it that is made empty.

    Attributes:
        server: What is written to.
        bad: The kind of rows of which 1 % is bad.
    """

    server: Any
    bad: ClassVar[str] = "bad"

    @abstractmethod
    def empty(self) -> None:
        """Nothing but a user who may write to what is made later."""

    @abstractmethod
    def make(self, *, key: str) -> None:
        """The table, whose key is ``key``: ``PRIMARY KEY``, or nothing."""

    @abstractmethod
    def cpu_s(self) -> float:
        """What connections that are over took of the server's processors."""


@dataclass(slots=True)
class PostgresPlace(Place):
    """PostgreSQL."""

    server: Postgres

    def empty(self) -> None:
        """As above."""
        self.server.run(EMPTY + WRITER)

    def make(self, *, key: str) -> None:
        """As above."""
        self.server.run(TABLE.format(key=key, text="text", short="text", instant="timestamptz"))

    def cpu_s(self) -> float:
        """As above."""
        pid = (self.server.running.folder / "data" / "postmaster.pid").read_text().splitlines()[0]
        return _cpu_s(int(pid), 13)


@dataclass(slots=True)
class MysqlPlace(Place):
    """MariaDB."""

    server: Mysql

    def empty(self) -> None:
        """As above."""
        self.server.run(f"{mysql.EMPTY}; {mysql.WRITER}", database=None)

    def make(self, *, key: str) -> None:
        """As above."""
        self.server.run(TABLE.format(key=key, text="varchar(60)", short="varchar(20)", instant="timestamp NULL"))

    def cpu_s(self) -> float:
        """As above."""
        return _cpu_s(self.server.running.pid, 11)


@dataclass(slots=True)
class ClickhousePlace(Place):
    """ClickHouse's engine behind an HTTP interface, whose time is the server's too."""

    server: Clickhouse
    bad: ClassVar[str] = "bad check"

    def empty(self) -> None:
        """As above."""
        self.server.client.command("DROP DATABASE IF EXISTS crm")
        self.server.client.command("CREATE DATABASE crm")

    def make(self, *, key: str) -> None:  # noqa: ARG002 - each table has its key
        """As above."""
        self.server.client.command(CLICKHOUSE_TABLE)
        self.server.client.command("INSERT INTO crm.customers (id, email) VALUES (-1, 'taken@example.com')")

    def cpu_s(self) -> float:
        """As above."""
        return _cpu_s(self.server.running.pid, 11)


def _cpu_s(pid: int, first: int) -> float:
    """Two fields of a process's ``stat``, from that number on behind its name: of its own, or of its ended children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[first : first + 2])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def place(kind: str) -> Iterator[Place]:
    """Starts a server."""
    if kind == "postgres":
        binaries = find_binaries()
        assert binaries is not None
        with postgres_server(binaries) as running:
            yield PostgresPlace(Postgres(running, running.port))
    elif kind == "clickhouse":
        with clickhouse_server() as behind, emptied(behind) as database:
            yield ClickhousePlace(database)
    else:
        programs = mariadb.find_programs()
        assert programs is not None
        with mariadb.mariadb_server(programs) as server:
            yield MysqlPlace(Mysql(server, server.port))


def deliver_in(folder: str, server: SqlServer, rows: int, kind: str) -> dict[str, Any]:
    """Delivers rows that are stored before the clock starts."""
    batches = (batch(first, min(BATCH_ROWS, rows - first), kind) for first in range(0, rows, BATCH_ROWS))
    delivery = Delivery(server, Path(folder), batches, {"table": "customers", "identify_by": "id"})
    began, cpu = time.monotonic(), time.process_time()
    counts = delivery.deliver().counts
    return {
        "wall": time.monotonic() - began,
        "client": time.process_time() - cpu,
        "peak_mb": peak_mb(),
        "delivered": counts.delivered,
        "reasons": {f"{reason} {field}": n for (reason, field), n in Counter(delivery.reasons().values()).items()},
    }


def deliver_apart(server: Postgres | Mysql | Clickhouse, rows: int, kind: str) -> dict[str, Any]:
    """One delivery in a process of its own."""
    pid = getattr(server.running, "pid", 0)
    with tempfile.TemporaryDirectory() as folder:
        given = json.dumps([server.kind, folder, str(server.running.folder), server.port, pid, rows, kind])
        command = [sys.executable, "-m", "reverse_etl_tests.benchmarks.tables", "child", given]
        done: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return done


def main(rows: int = ROWS, kinds: Sequence[str] = ("postgres", "mysql", "clickhouse")) -> None:
    """Prints a line for each engine and case."""
    for kind in kinds:
        with pytest.MonkeyPatch.context() as patch, place(kind) as where:
            patch.setenv(where.server.password_variable, where.server.password)
            for case, change in CASES.items():
                if kind == "clickhouse" and "no unique" in case:
                    continue
                _measure(where, rows, case, change)


def _measure(where: Place, rows: int, case: str, change: str) -> None:
    if case.startswith(("new", "1 % bad")):
        where.empty()
        where.make(key="" if "no unique" in case else "PRIMARY KEY")
    before = where.cpu_s()
    done = deliver_apart(where.server, rows, where.bad if change == "bad" else change)
    cpu = where.cpu_s() - before
    rate = rows / (done["client"] + cpu)
    print(
        f"{where.server.kind:8} {case:26} {done['wall']:6.2f} s  {done['client']:5.2f} s here + {cpu:5.2f} s there  "
        f"{rate:9,.0f} rows/core-s  {done['peak_mb']:4.0f} MB  "
        f"{done['delivered']:,} delivered {done['reasons'] or ''}",
        flush=True,
    )


def child() -> None:
    """One delivery, for ``deliver_apart``."""
    engine, folder, of_server, port, pid, rows, kind = json.loads(sys.argv[2])
    authority = Path(of_server) / "ca.pem"
    server: Postgres | Mysql | Clickhouse
    if engine == "postgres":
        server = Postgres(PostgresServer(port, authority, Path(of_server)), port)
    elif engine == "clickhouse":
        server = Clickhouse(ClickhouseServer(port, 0, Path(of_server)), port, None)
    else:
        server = Mysql(mariadb.MariadbServer(port, pid, authority, Path(of_server)), port)
    print(json.dumps(deliver_in(folder, server, rows, kind)))


if __name__ == "__main__":
    if sys.argv[1:2] == ["child"]:
        child()
    else:
        main(*map(int, sys.argv[1:2]), *([sys.argv[2:3]] if sys.argv[2:3] else []))
