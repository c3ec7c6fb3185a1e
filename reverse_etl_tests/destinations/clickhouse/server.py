"""The tests' ClickHouse as a place to write to, and the suites' tables as ClickHouse has them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final

import clickhouse_connect
import pytest

from reverse_etl.config.environment import EnvText, Secret
from reverse_etl.destinations._sql.config import Rows
from reverse_etl.destinations._sql.table import opened
from reverse_etl.destinations.clickhouse.config import Config
from reverse_etl.destinations.clickhouse.destination import ClickhouseTable
from reverse_etl.pacing.retry import Patience
from reverse_etl_tests.destinations.sql.tables import Prepared, SqlServer
from reverse_etl_tests.servers.clickhouse import PASSWORD, PASSWORD_VARIABLE, ClickhouseServer

DATABASE = "crm"
USER = "writer"
_CREATE: Final = re.compile(r"\s*CREATE TABLE (?P<name>`[^`]+`|\w+) \((?P<columns>.*)\)\s*$", re.S)
_UPDATE: Final = re.compile(r"\s*UPDATE (\w+) SET (.*)", re.S)
_KEY: Final = re.compile(r"(?:^|, )PRIMARY KEY \(([^)]*)\)$")
_CHECK: Final = re.compile(r"\s*CHECK \(([^()]+)\)")
_TYPES: Final = {"date": "Date32", "varchar(40)": "varchar(40)"}


@dataclass(slots=True)
class Clickhouse(SqlServer):
    """ClickHouse; ``settings`` are added to the destination's entry, ``engine`` is that of its tables."""

    running: ClickhouseServer
    port: int
    client: Any
    settings: dict[str, Any] = field(default_factory=dict)
    engine: str = "ReplacingMergeTree"
    kind: ClassVar[str] = "clickhouse"
    database: ClassVar[str] = DATABASE
    user: ClassVar[str] = USER
    password: ClassVar[str] = PASSWORD
    password_variable: ClassVar[str] = PASSWORD_VARIABLE

    @property
    def ca_file(self) -> Path:
        """The server's."""
        assert self.running.ca_file is not None
        return self.running.ca_file

    def run(self, sql: str) -> None:
        """As the owner; tables of the suites become those of ClickHouse (``as_clickhouse``)."""
        for statement in sql.split(";"):
            if statement.strip():
                self.client.command(as_clickhouse(statement, self.engine))

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        """As the owner, what is newest of each row; date-times are in UTC."""
        return [
            tuple(map(_zoned, row))
            for row in self.client.query(sql, settings={"final": "Replacing" in self.engine}).result_rows
        ]

    def config(self, **settings: Any) -> Config:
        """The entry ``crm`` of ``destinations``."""
        entry = {
            "name": "crm",
            "host": EnvText(self.running.host),
            "port": self.port,
            "database": EnvText(DATABASE),
            "user": EnvText(USER),
            "password": Secret(f"${{{PASSWORD_VARIABLE}}}"),
            "ca_file": self.running.ca_file,
        }
        return Config(**(entry | self.settings | settings))

    def open(
        self, rows: dict[str, Any], columns: Sequence[str], patience: Patience, **settings: Any
    ) -> AbstractAsyncContextManager[Prepared]:
        """The destination, over TLS."""
        return opened(ClickhouseTable(self.config(**settings), Rows.model_validate(rows), columns, patience=patience))


def as_clickhouse(sql: str, engine: str) -> str:
    """A table of the suites: sorted by its key, each other column empty where it may be, checks with names.

    Without a key it is sorted by its first column. A check that is NULL holds, as in other engines. There are neither
    unique columns nor references.
    """
    if update := _UPDATE.match(sql):
        sets, _, where = update[2].partition(" WHERE ")
        return f"ALTER TABLE {update[1]} UPDATE {sets} WHERE {where or 1} SETTINGS mutations_sync = 1"
    found = _CREATE.match(sql)
    if found is None:
        return sql
    columns, key = found["columns"], ""
    if together := _KEY.search(columns):
        columns, key = columns[: together.start()], together[1]
    checks = _CHECK.findall(columns)
    parts = re.split(r", (?![^(]*\))", _CHECK.sub("", columns))
    parts = [part for part in parts if part.strip() and not part.startswith("FOREIGN KEY")]
    names = [part.split("`")[1] if part.startswith("`") else part.split()[0] for part in parts]
    alone = next((name for name, part in zip(names, parts, strict=True) if "PRIMARY KEY" in part), names[0])
    keys = [name.strip() for name in (key or alone).split(",")]
    made = [_column(part, nullable=name not in keys) for name, part in zip(names, parts, strict=True)]
    made += [f"CONSTRAINT check_{number} CHECK ifNull({check}, 1)" for number, check in enumerate(checks)]
    return (
        f"CREATE TABLE {found['name']} ({', '.join(made)}) ENGINE = {engine} ORDER BY ({', '.join(keys)}) "
        "SETTINGS non_replicated_deduplication_window = 100"
    )


def _column(text: str, *, nullable: bool) -> str:
    needed = "NOT NULL" in text
    text = re.sub(r" ?(?:PRIMARY KEY|UNIQUE|NOT NULL|NULL)", "", text).strip()
    name, _, kind = text.rpartition("` ") if text.startswith("`") else text.partition(" ")
    name = f"{name}`" if text.startswith("`") else name
    kind = _TYPES.get(kind.strip(), kind.strip())
    return f"{name} Nullable({kind})" if nullable and not needed else f"{name} {kind}"


def _zoned(value: Any) -> Any:
    """A date-time in UTC."""
    return value.replace(tzinfo=dt.UTC) if isinstance(value, dt.datetime) and value.tzinfo is None else value


@pytest.fixture
def server(clickhouse: ClickhouseServer) -> Iterator[Clickhouse]:
    """An empty database, gone afterwards."""
    with emptied(clickhouse) as empty:
        yield empty


@contextmanager
def emptied(running: ClickhouseServer) -> Iterator[Clickhouse]:
    """An empty database of a server, with what goes wrong forgotten."""
    if running.plain_port:
        running.recover()
    user, password = running.owner
    secure = {"secure": True, "ca_cert": str(running.ca_file)} if running.ca_file else {"secure": True}
    client = clickhouse_connect.get_client(
        host=running.host, port=running.port, username=user, password=password, autogenerate_session_id=False, **secure
    )
    try:
        _make(client, real=not running.plain_port)
        client.database = DATABASE
        yield Clickhouse(running, running.port, client)
    finally:
        client.database = None
        client.command(f"DROP DATABASE IF EXISTS {DATABASE}")
        client.close()


def _make(client: Any, *, real: bool) -> None:
    client.command(f"DROP DATABASE IF EXISTS {DATABASE}")
    client.command(f"CREATE DATABASE {DATABASE}")
    if real:
        client.command(f"DROP USER IF EXISTS {USER}")
        client.command(f"CREATE USER {USER} IDENTIFIED BY '{PASSWORD}'")
        client.command(f"GRANT SELECT, INSERT, ALTER DELETE ON {DATABASE}.* TO {USER}")
