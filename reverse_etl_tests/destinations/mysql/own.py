"""A MySQL or MariaDB of your own in the place of the tests': what the suites for destinations write to.

``TEST_MYSQL_DESTINATION_URL=mysql://root:password@host:3306?ca_file=/path``: a user who may make databases and users,
and an authority where the system's do not know the server. The database ``crm`` and the user ``writer`` are made and
removed again; where one of them is there already, no test runs. Tests that end servers need one on this machine.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pymysql  # type: ignore[import-untyped]
import pytest

from reverse_etl_tests.servers.mariadb import PASSWORD, PASSWORD_VARIABLE, MariadbServer

URL_VARIABLE = "TEST_MYSQL_DESTINATION_URL"


@dataclass(slots=True)
class OwnMysql(MariadbServer):
    """It, as a user who may do everything.

    Attributes:
        owner: Who that is, with ``password``.
    """

    owner: str = ""
    password: str = ""

    @property
    def login(self) -> dict[str, Any]:
        """How PyMySQL gets there."""
        who = {"host": self.host, "port": self.port, "user": self.owner, "password": self.password}
        return who | ({"ssl": {"ca": str(self.ca_file)}} if self.ca_file else {})


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariadbServer]:
    """The server that the URL names, without a database ``crm`` and a user ``writer``."""
    from reverse_etl_tests.destinations.mysql.server import DATABASE, USER

    url = urlsplit(os.environ[URL_VARIABLE])
    [ca_file] = parse_qs(url.query).get("ca_file", [""])
    server = OwnMysql(
        port=url.port or 3306, pid=0, ca_file=Path(ca_file) if ca_file else None, folder=Path(),
        host=str(url.hostname), owner=unquote(url.username or ""), password=unquote(url.password or ""),
    )  # fmt: skip
    with pymysql.connect(**server.login) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = %s", [DATABASE])
        assert cursor.fetchone() == (0,), f"the server has a database {DATABASE} already"
        cursor.execute("SELECT COUNT(*) FROM mysql.user WHERE user = %s", [USER])
        assert cursor.fetchone() == (0,), f"the server has a user {USER} already"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PASSWORD_VARIABLE, PASSWORD)
        yield server
