"""The tests' Snowflake as a place to write to, with a user who may do no more than that."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from reverse_etl.config.environment import EnvText, Secret
from reverse_etl.destinations._sql.config import Rows
from reverse_etl.destinations._sql.table import opened
from reverse_etl.destinations.snowflake.config import Config
from reverse_etl.destinations.snowflake.destination import SnowflakeTable
from reverse_etl.pacing.retry import Patience
from reverse_etl.sources.snowflake.login import log_in
from reverse_etl_tests.destinations.sql.tables import Prepared, SqlServer
from reverse_etl_tests.servers._snowflake_answers import WRITTEN
from reverse_etl_tests.servers._snowflake_login import ACCOUNT
from reverse_etl_tests.servers.snowflake import PASSWORD, PASSWORD_VARIABLE, WRITER, SnowflakeServer

REAL = "TEST_SNOWFLAKE_DESTINATION_URL"
"""Holds the URL of a schema of a real account, which the suite of ``test_conformance`` then runs against."""
_REAL_PASSWORD = "TEST_SNOWFLAKE_DESTINATION_PASSWORD"

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


class Account(Snowflake):
    """A schema of a real account, whose tables are dropped; the user of its URL owns them and writes to them."""

    @classmethod
    @contextmanager
    def at(cls, url: str) -> Iterator[Account]:
        """Logs in. ``snowflake://user:password@account/database/schema?warehouse=...&role=...``."""
        entry = entry_of(url)
        connection, _ = log_in(Config(**entry), "the tests' account")
        with closing(connection), connection.cursor() as cursor:
            yield cls(SnowflakeServer(443, 443, 0, Path(), Path(), "", ""), 443, cursor, entry)

    def run(self, sql: str) -> None:
        """But for grants: the user owns what it makes."""
        kept = [each for each in sql.split(";") if not each.lstrip().startswith(("GRANT", "REVOKE"))]
        Snowflake.run(self, ";".join(kept))

    def empty(self) -> None:
        """Drops what is there."""
        schema = f"{self.settings['database'].resolve()}.{self.settings['schema'].resolve()}"
        for kind in ("VIEW", "TABLE"):
            for row in self.fetch(f"SHOW {kind}S IN SCHEMA {schema}"):
                self.owner.execute(f'DROP {kind} "{row[1]}"')

    def config(self, **settings: Any) -> Config:
        """The entry ``crm`` of ``destinations``."""
        return Config(**(self.settings | settings))


def entry_of(url: str) -> dict[str, Any]:
    """The keys of an entry of ``destinations``, from the URL of an account; its password goes into a variable."""
    parts = urlsplit(url)
    database, _, schema = parts.path.strip("/").partition("/")
    os.environ[_REAL_PASSWORD] = unquote(parts.password or "")
    texts = {"account": parts.hostname, "user": unquote(parts.username or ""), "database": database, "schema": schema}
    texts |= dict(parse_qsl(parts.query))
    return {"name": "crm", "password": Secret(f"${{{_REAL_PASSWORD}}}")} | {
        key: EnvText(text) for key, text in texts.items() if text
    }


@pytest.fixture(scope="session")
def owner(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Who owns the tables."""
    if os.environ.get(REAL):
        yield None
        return
    with request.getfixturevalue("snowflake").admin(WRITTEN) as cursor:
        yield cursor


@pytest.fixture
def server(request: pytest.FixtureRequest, owner: Any) -> Iterator[Snowflake]:
    """An empty database, again empty afterwards."""
    if url := os.environ.get(REAL):
        with Account.at(url) as account:
            account.empty()
            yield account
            account.empty()
        return
    snowflake: SnowflakeServer = request.getfixturevalue("snowflake")
    empty = Snowflake(snowflake, snowflake.port, owner)
    empty.empty()
    empty.run(FORGET + ";" + GRANTS)
    yield empty
    snowflake.behave()
    empty.empty()
