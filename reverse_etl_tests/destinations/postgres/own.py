"""A PostgreSQL of your own in the place of the tests': what the suites for destinations write to.

``TEST_POSTGRES_DESTINATION_URL=postgres://owner:password@host:5432/postgres?ca_file=/path``: a superuser, and an
authority where the system's do not know the server. The database ``shop`` and the user ``reader`` are made and removed
again; where one of them is there already, no test runs. Tests that end connections or servers need one on this machine.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import psycopg
import pytest

from reverse_etl_tests.servers.postgres import DATABASE, PASSWORD, PASSWORD_VARIABLE, USER, PostgresServer

URL_VARIABLE = "TEST_POSTGRES_DESTINATION_URL"


@dataclass(frozen=True, slots=True)
class OwnPostgres(PostgresServer):
    """It, as its superuser.

    Attributes:
        owner: Who that is, with ``password``.
    """

    owner: str = ""
    password: str = ""

    def session(self, database: str = DATABASE) -> psycopg.Connection[Any]:
        """A connection in autocommit mode, to be closed by whoever asks for it."""
        tls = {"sslrootcert": str(self.ca_file)} if self.ca_file else {}
        return psycopg.connect(
            host=self.host, port=self.port, user=self.owner, password=self.password, dbname=database, autocommit=True,
            sslmode="verify-full" if self.ca_file else "require", **tls,
        )  # fmt: skip


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """The server that the URL names, with an empty database ``shop`` and a user ``reader``."""
    url = urlsplit(os.environ[URL_VARIABLE])
    [ca_file] = parse_qs(url.query).get("ca_file", [""])
    server = OwnPostgres(
        port=url.port or 5432, ca_file=Path(ca_file) if ca_file else None, folder=Path(), host=str(url.hostname),
        owner=unquote(url.username or ""), password=unquote(url.password or ""),
    )  # fmt: skip
    first = url.path.strip("/") or "postgres"
    with server.admin(first) as admin:
        admin.execute(f"CREATE DATABASE {DATABASE} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'")
        try:
            admin.execute(f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'")
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv(PASSWORD_VARIABLE, PASSWORD)
                yield server
        finally:
            admin.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")
            admin.execute(f"DROP ROLE IF EXISTS {USER}")
