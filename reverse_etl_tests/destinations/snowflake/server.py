"""The tests' Snowflake as a place to write to, with a user who may do no more than that."""

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
from reverse_etl.destinations.snowflake.config import Config
from reverse_etl.destinations.snowflake.destination import SnowflakeTable
from reverse_etl.pacing.retry import Patience
from reverse_etl_tests.destinations.sql.tables import Prepared, SqlServer
from reverse_etl_tests.servers._snowflake_answers import WRITTEN
from reverse_etl_tests.servers._snowflake_login import ACCOUNT
from reverse_etl_tests.servers.snowflake import PASSWORD, PASSWORD_VARIABLE, WRITER, SnowflakeServer

ROLE = "CRM_WRITER"
GRANTS = f"""
GRANT SELECT, INSERT, UPDATE ON FUTURE TABLES IN SCHEMA CRM.PUBLIC TO ROLE {ROLE};
GRANT CREATE TABLE, CREATE STAGE ON SCHEMA CRM.PUBLIC TO ROLE {ROLE}
"""
"""The least that a role needs for tables that are made later."""
FORGET = ";".join(
    f"REVOKE ALL ON {what} FROM ROLE {ROLE}"
    for what in ("SCHEMA CRM.PUBLIC", "ALL TABLES IN SCHEMA CRM.PUBLIC", "TABLE CRM.PUBLIC.CUSTOMERS")
)


@dataclass(slots=True)
class Snowflake(SqlServer):
    """The counterpart of Snowflake; ``settings`` are added to the destination's entry.

    Attributes:
        owner: A cursor of who owns the tables.
    """

    running: SnowflakeServer
    port: int
    owner: Any
    settings: dict[str, Any] = field(default_factory=dict)
    kind: ClassVar[str] = "snowflake"
    database: ClassVar[str] = WRITTEN
    user: ClassVar[str] = WRITER
    password: ClassVar[str] = PASSWORD
    password_variable: ClassVar[str] = PASSWORD_VARIABLE

    @property
    def ca_file(self) -> Path:
        """The server's."""
        return self.running.ca_file

    def run(self, sql: str) -> None:
        """As owner, one statement after the other; fakesnow takes a column ``at`` for a keyword."""
        for statement in filter(str.strip, sql.replace("(at ", '("AT" ').replace("(at,", '("AT",').split(";")):
            self.owner.execute(statement)

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        """As owner, in UTC."""
        self.owner.execute(sql)
        return [tuple(row) for row in self.owner.fetchall()]

    def empty(self) -> None:
        """Drops what is there."""
        for kind in ("VIEW", "TABLE"):
            for row in self.fetch(f"SHOW {kind}S IN SCHEMA CRM.PUBLIC"):
                self.owner.execute(f'DROP {kind} "{row[1]}"')

    def config(self, **settings: Any) -> Config:
        """The entry ``crm`` of ``destinations``."""
        entry = {
            "name": "crm",
            "account": EnvText(ACCOUNT),
            "host": EnvText("127.0.0.1"),
            "port": self.port,
            "protocol": "http",
            "database": EnvText(self.database),
            "warehouse": EnvText("SYNC_WH"),
            "user": EnvText(self.user),
            "password": Secret(f"${{{PASSWORD_VARIABLE}}}"),
        }
        return Config(**(entry | self.settings | settings))

    def open(
        self, rows: dict[str, Any], columns: Sequence[str], patience: Patience, **settings: Any
    ) -> AbstractAsyncContextManager[Prepared]:
        """The destination, as a user who may write to the tables of ``PUBLIC``."""
        return opened(SnowflakeTable(self.config(**settings), Rows.model_validate(rows), columns, patience=patience))


@pytest.fixture(scope="session")
def owner(snowflake: SnowflakeServer) -> Iterator[Any]:
    """Who owns the tables."""
    with snowflake.admin(WRITTEN) as cursor:
        yield cursor


@pytest.fixture
def server(snowflake: SnowflakeServer, owner: Any) -> Iterator[Snowflake]:
    """An empty database, again empty afterwards."""
    empty = Snowflake(snowflake, snowflake.port, owner)
    empty.empty()
    empty.run(FORGET + ";" + GRANTS)
    yield empty
    snowflake.behave()
    empty.empty()
