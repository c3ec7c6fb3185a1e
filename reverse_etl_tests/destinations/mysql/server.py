"""The tests' MariaDB as a place to write to, with a user who may do no more than that."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pymysql  # type: ignore[import-untyped]
import pytest
from pymysql.constants import CLIENT, FIELD_TYPE  # type: ignore[import-untyped]

from reverse_etl.config.environment import EnvText, Secret
from reverse_etl.destinations._sql.config import Rows
from reverse_etl.destinations._sql.table import opened
from reverse_etl.destinations.mysql.config import Config
from reverse_etl.destinations.mysql.destination import MysqlTable
from reverse_etl.pacing.retry import Patience
from reverse_etl_tests.destinations.sql.tables import Prepared, SqlServer
from reverse_etl_tests.servers.mariadb import (
    INSTALL,
    PASSWORD,
    PASSWORD_VARIABLE,
    MariadbServer,
    find_programs,
    mariadb_server,
)

DATABASE = "crm"
USER = "writer"
ACCOUNT = f"'{USER}'@'%'"
GRANT = f"GRANT SELECT, INSERT, UPDATE, CREATE TEMPORARY TABLES ON {DATABASE}.* TO {ACCOUNT}"
EMPTY = f"DROP DATABASE IF EXISTS {DATABASE}; DROP USER IF EXISTS {ACCOUNT}"
WRITER = f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4; CREATE USER {ACCOUNT} IDENTIFIED BY '{PASSWORD}'; {GRANT}"
"""The least that a user needs for tables that are made later."""


@dataclass(slots=True)
class Mysql(SqlServer):
    """MariaDB; ``settings`` are added to the destination's entry."""

    running: MariadbServer
    port: int
    settings: dict[str, Any] = field(default_factory=dict)
    kind: ClassVar[str] = "mysql"
    database: ClassVar[str] = DATABASE
    user: ClassVar[str] = USER
    password: ClassVar[str] = PASSWORD
    password_variable: ClassVar[str] = PASSWORD_VARIABLE

    @property
    def ca_file(self) -> Path:
        """The server's."""
        return self.running.ca_file

    def run(self, sql: str, *, database: str | None = DATABASE) -> None:
        """As root."""
        with self.session(database) as session, session.cursor() as cursor:
            cursor.execute(sql)
            while cursor.nextset():
                pass

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        """As root; what has a zone is in UTC."""
        with self.session() as session, session.cursor() as cursor:
            cursor.execute("SET time_zone = '+00:00'")
            cursor.execute(sql)
            zoned = [column[1] == FIELD_TYPE.TIMESTAMP for column in cursor.description]
            return [tuple(map(_zoned, row, zoned)) for row in cursor.fetchall()]

    @contextmanager
    def session(self, database: str | None = DATABASE) -> Iterator[Any]:
        """A connection of root, in autocommit mode."""
        with pymysql.connect(
            **self.running.login, database=database, autocommit=True, client_flag=CLIENT.MULTI_STATEMENTS,
            charset="utf8mb4",
        ) as connection:  # fmt: skip
            yield connection

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
        """The destination, over TLS, as a user who may write to the tables of ``crm``."""
        return opened(MysqlTable(self.config(**settings), Rows.model_validate(rows), columns, patience=patience))


def _zoned(value: Any, zoned: bool) -> Any:
    return value.replace(tzinfo=dt.UTC) if zoned and value is not None else value


@pytest.fixture
def server(mariadb: MariadbServer) -> Iterator[Mysql]:
    """An empty database, gone afterwards."""
    yield from emptied(mariadb)


@pytest.fixture(scope="session")
def as_mysql() -> Iterator[MariadbServer]:
    """A MariaDB that calls itself MySQL 8.0: what is MariaDB's alone is not used."""
    programs = find_programs()
    if programs is None:
        pytest.skip(INSTALL)
    with pytest.MonkeyPatch.context() as patch, mariadb_server(programs, version="8.0.36") as running:
        patch.setenv(PASSWORD_VARIABLE, PASSWORD)
        yield running


def emptied(running: MariadbServer) -> Iterator[Mysql]:
    """An empty database of a server, gone afterwards."""
    empty = Mysql(running, running.port)
    empty.run(f"{EMPTY}; {WRITER}", database=None)
    yield empty
    empty.run(EMPTY, database=None)
