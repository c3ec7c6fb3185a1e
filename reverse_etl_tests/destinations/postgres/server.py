"""The tests' PostgreSQL as a place to write to, with a user who may do no more than that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest

from reverse_etl.config.environment import EnvText, Secret
from reverse_etl.destinations._sql.config import Rows
from reverse_etl.destinations._sql.table import opened
from reverse_etl.destinations.postgres.config import Config
from reverse_etl.destinations.postgres.destination import PostgresTable
from reverse_etl.pacing.retry import Patience
from reverse_etl_tests.destinations.sql.tables import Prepared, SqlServer
from reverse_etl_tests.servers.postgres import DATABASE, PASSWORD, PASSWORD_VARIABLE, USER, PostgresServer

WRITER = f"""
GRANT USAGE ON SCHEMA public TO {USER};
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE ON TABLES TO {USER};
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE ON SEQUENCES TO {USER};
"""
"""The least that a user needs for tables that are made later; TEMPORARY is everybody's by default."""

EMPTY = """
DROP SCHEMA public CASCADE; CREATE SCHEMA public; DROP SCHEMA IF EXISTS crm CASCADE;
"""


@dataclass(slots=True)
class Postgres(SqlServer):
    """PostgreSQL; ``settings`` are added to the destination's entry."""

    running: PostgresServer
    port: int
    settings: dict[str, Any] = field(default_factory=dict)
    kind: ClassVar[str] = "postgres"
    database: ClassVar[str] = DATABASE
    user: ClassVar[str] = USER
    password: ClassVar[str] = PASSWORD
    password_variable: ClassVar[str] = PASSWORD_VARIABLE

    @property
    def ca_file(self) -> Path:
        """The server's."""
        return self.running.ca_file

    def run(self, sql: str) -> None:
        """As superuser."""
        with self.running.admin() as admin:
            admin.execute(sql)

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        """As superuser, in UTC."""
        with self.running.admin() as admin:
            admin.execute("SET TimeZone = 'UTC'")
            return admin.execute(sql).fetchall()

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
        """The destination, over TLS, as a user who may write to the tables of ``public``."""
        return opened(PostgresTable(self.config(**settings), Rows.model_validate(rows), columns, patience=patience))


@pytest.fixture
def server(postgres: PostgresServer) -> Iterator[Postgres]:
    """An empty database, again empty afterwards."""
    empty = Postgres(postgres, postgres.port)
    empty.run(EMPTY + WRITER)
    yield empty
    empty.run(EMPTY)
