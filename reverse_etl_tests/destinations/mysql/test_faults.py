"""MariaDB in trouble, and the way to it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
import pytest

from reverse_etl.errors import DestinationUnavailableError
from reverse_etl_tests.destinations.mysql.faulty import FaultyMysql
from reverse_etl_tests.destinations.mysql.server import ACCOUNT, DATABASE, USER, Mysql, emptied
from reverse_etl_tests.destinations.sql.conformance import PEOPLE, TABLE
from reverse_etl_tests.destinations.sql.faults import SECTION, Back, SqlFaults, through
from reverse_etl_tests.destinations.sql.tables import Delivery, delivered
from reverse_etl_tests.servers.cut import SERVER, Moment, cut
from reverse_etl_tests.servers.mariadb import MariadbServer

RUINS = {
    "DROP TABLE customers": "error 1146",
    "ALTER TABLE customers DROP COLUMN score": "error 1054",
    # A session keeps the rights on a database that it began with.
    f"REVOKE INSERT ON {DATABASE}.* FROM {ACCOUNT}; KILL USER {USER}": "error 1142",
}


class TestFaults(SqlFaults):
    """As the suite says."""

    goodbye_bytes = 5
    ruins: ClassVar[Mapping[str, str]] = RUINS

    @pytest.fixture
    def server(self, server: Mysql) -> FaultyMysql:
        """In trouble on purpose."""
        return FaultyMysql(server.running, server.port)

    @pytest.fixture(params=[*FaultyMysql.troubles])
    def trouble(self, request: pytest.FixtureRequest) -> str:
        """An error's code."""
        return str(request.param)

    @pytest.fixture(params=[*RUINS])
    def ruin(self, request: pytest.FixtureRequest) -> str:
        """A statement."""
        return str(request.param)


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


@pytest.mark.thorough
def test_a_replica_that_lags_is_not_asked_what_became_of_a_commit(
    server: Mysql, as_mysql: MariadbServer, tmp_path: Path
) -> None:
    """It does not have the rows; they are there once, though they are appended."""
    table = "CREATE TABLE customers (n int AUTO_INCREMENT PRIMARY KEY, id bigint, score int)"
    server.run(table)
    for replica in emptied(as_mysql):
        replica.run(f"{table}; SET GLOBAL read_only = ON")
        try:
            with cut(server.port) as relay:
                fail_over = partial(setattr, relay, "upstream", replica.port)
                fail_back = partial(setattr, relay, "upstream", server.port)
                relay.moments = [Moment(0, SERVER, FaultyMysql.commit, 1, act=fail_over)]
                delivery = through(relay, server, tmp_path, Back(fail_back), write="append")
                assert 6 == delivery.deliver().counts.delivered
        finally:
            replica.run("SET GLOBAL read_only = OFF")
    assert [(6, 6)] == server.fetch("SELECT count(*), count(DISTINCT id) FROM customers")
