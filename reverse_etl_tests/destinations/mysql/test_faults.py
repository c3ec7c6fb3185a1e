"""MariaDB in trouble, and the way to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pytest

from reverse_etl.errors import DestinationUnavailableError
from reverse_etl_tests.destinations.mysql.server import ACCOUNT, DATABASE, USER, Mysql
from reverse_etl_tests.destinations.sql.conformance import PEOPLE, TABLE
from reverse_etl_tests.destinations.sql.faults import SECTION, SqlFaults
from reverse_etl_tests.destinations.sql.tables import Delivery, SqlServer, delivered

ONCE = """
CREATE TABLE calls (n int AUTO_INCREMENT PRIMARY KEY) ENGINE = Aria;
CREATE TRIGGER once AFTER INSERT ON customers FOR EACH ROW BEGIN
INSERT INTO calls VALUES (); IF LAST_INSERT_ID() <= {times} THEN {what}; END IF; END;
"""
"""What Aria counts is not rolled back."""
TROUBLES = {
    "1205": "locked",
    "1213": "a deadlock",
    "1021": "the server's disk is full",
    "1041": "memory",
    "1053": "shutting down",
    "1290": "replica",
    "1317": "ended the statement",
    "1969": "max_statement_time",
}
RUINS = {
    "DROP TABLE customers": "error 1146",
    "ALTER TABLE customers DROP COLUMN score": "error 1054",
    # A session keeps the rights on a database that it began with.
    f"REVOKE INSERT ON {DATABASE}.* FROM {ACCOUNT}; KILL USER {USER}": "error 1142",
}


class TestFaults(SqlFaults):
    """As the suite says."""

    troubles: ClassVar[Mapping[str, str]] = TROUBLES
    lasting = "1021"
    goodbye_bytes = 5
    many_places = 60
    ruins: ClassVar[Mapping[str, str]] = RUINS

    @pytest.fixture(params=[*TROUBLES])
    def trouble(self, request: pytest.FixtureRequest) -> str:
        """An error number."""
        return str(request.param)

    @pytest.fixture(params=[*RUINS])
    def ruin(self, request: pytest.FixtureRequest) -> str:
        """A statement."""
        return str(request.param)

    def raise_first(self, server: SqlServer, times: int, trouble: str) -> None:
        """By a trigger."""
        server.run(ONCE.format(times=times, what=f"SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = {trouble}"))

    def end_first_sessions(self, server: SqlServer, times: int) -> None:
        """By a trigger, which the user who made it may let do so."""
        server.run(ONCE.format(times=times, what="KILL CONNECTION CONNECTION_ID()"))

    @contextmanager
    def other_writer(self, server: Mysql) -> Iterator[Callable[[str], Any]]:  # type: ignore[override]
        """Root."""
        with server.session() as session, session.cursor() as cursor:
            cursor.execute("BEGIN")
            yield cursor.execute


def test_a_replica_is_not_written_to(server: Mysql, tmp_path: Path) -> None:
    """It says so, and which server to name."""
    server.run(TABLE)
    server.run("SET GLOBAL read_only = ON")
    try:
        with pytest.raises(DestinationUnavailableError, match="replica"):
            delivered(server, tmp_path, PEOPLE)
    finally:
        server.run("SET GLOBAL read_only = OFF")


def test_a_server_that_becomes_a_replica_is_waited_for(server: Mysql, tmp_path: Path) -> None:
    """After the start; rows are undelivered where it stays one."""
    server.run(TABLE)
    delivery = Delivery(server, tmp_path, [pa.RecordBatch.from_pydict(PEOPLE)], SECTION)

    async def demoted(_: object) -> None:
        server.run("SET GLOBAL read_only = ON")

    try:
        with pytest.raises(DestinationUnavailableError, match="replica"):
            delivery.deliver(around=demoted)
    finally:
        server.run("SET GLOBAL read_only = OFF")
