"""A private server of each engine that rows are delivered to, and the tables that they are timed on.

* ``plain``: 10 columns, of which one is the primary key.
* ``constrained``: the same with a unique column, a reference and a check, which 1 % of the rows may break.
* ``keyless``: the same without the primary key; a row's key is unique nowhere.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from reverse_etl_tests.destinations.clickhouse.server import Clickhouse, emptied
from reverse_etl_tests.destinations.mysql import server as mysql
from reverse_etl_tests.destinations.mysql.server import Mysql
from reverse_etl_tests.destinations.postgres.server import EMPTY, WRITER, Postgres
from reverse_etl_tests.servers import mariadb
from reverse_etl_tests.servers.clickhouse import clickhouse_server
from reverse_etl_tests.servers.postgres import find_binaries, postgres_server

_PLANS = ", ".join(f"('plan {n}')" for n in range(10))
_TABLE = """
CREATE TABLE customers (id bigint {key}, email {{text}} {unique}, first {{text}}, last {{text}}, plan {{short}},
  city varchar(40), note {{text}} NOT NULL, score int {check}, balance numeric(12,2), seen {{instant}} {reference});
"""
_CONSTRAINTS = {
    "unique": "UNIQUE",
    "check": "CHECK (score < 1000000)",
    "reference": ", FOREIGN KEY (plan) REFERENCES plans (name)",
}
_WITHOUT = dict.fromkeys(_CONSTRAINTS, "")
_AROUND = (
    f"CREATE TABLE plans (name {{short}} PRIMARY KEY); INSERT INTO plans VALUES {_PLANS};",
    "INSERT INTO customers (id, email, note) VALUES (-1, 'taken@example.com', '');",
)
TABLES = {
    "plain": _TABLE.format(key="PRIMARY KEY", **_WITHOUT),
    "constrained": _TABLE.format(key="PRIMARY KEY", **_CONSTRAINTS).join(_AROUND),
    "keyless": _TABLE.format(key="", **_CONSTRAINTS).join(_AROUND),
}
CLICKHOUSE_TABLE = """
CREATE TABLE crm.customers (id Int64, email String, first String, last String, plan LowCardinality(String),
  city Nullable(String), note String, score Int32, balance Nullable(Decimal(12, 2)), seen DateTime,
  CONSTRAINT few CHECK score < 1000000) ENGINE = ReplacingMergeTree ORDER BY id
"""


class Place(ABC):
    """A private server of one engine, and a database of it that is made empty.

    Attributes:
        server: What is written to.
        tables: Those that there are.
        bad: The kind of rows of which 1 % is bad.
    """

    server: Any
    tables: ClassVar[Sequence[str]] = ("plain", "constrained", "keyless")
    bad: ClassVar[str] = "bad"

    @abstractmethod
    def empty(self) -> None:
        """Nothing but a user who may write to what is made later."""

    @abstractmethod
    def make(self, table: str) -> None:
        """The table ``customers``, as one of ``tables``."""

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

    def make(self, table: str) -> None:
        """As above."""
        self.server.run(TABLES[table].format(text="text", short="text", instant="timestamptz"))

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

    def make(self, table: str) -> None:
        """As above."""
        types = {"text": "varchar(60)", "short": "varchar(20)", "instant": "timestamp NULL"}
        self.server.run(TABLES[table].format(**types))

    def cpu_s(self) -> float:
        """As above."""
        return _cpu_s(self.server.running.pid, 11)


@dataclass(slots=True)
class ClickhousePlace(Place):
    """ClickHouse's engine behind an HTTP interface, whose time is the server's too."""

    server: Clickhouse
    tables: ClassVar[Sequence[str]] = ("constrained",)
    bad: ClassVar[str] = "bad check"

    def empty(self) -> None:
        """As above."""
        self.server.client.command("DROP DATABASE IF EXISTS crm")
        self.server.client.command("CREATE DATABASE crm")

    def make(self, table: str) -> None:  # noqa: ARG002 - it has one
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
