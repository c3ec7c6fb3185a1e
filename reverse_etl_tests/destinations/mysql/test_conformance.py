"""MySQL is put through the suite for database destinations, with a real MariaDB.

What other engines have and this one does not: deferred constraints (InnoDB checks each statement), triggers that leave
a row out without an error, array columns, identity columns that refuse values, row-level security, schemas.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import ClassVar

import pytest

from reverse_etl_tests.destinations.mysql.server import ACCOUNT, DATABASE, Mysql, emptied
from reverse_etl_tests.destinations.sql.ahead import SqlLooksAhead
from reverse_etl_tests.destinations.sql.conformance import SqlConformance
from reverse_etl_tests.destinations.sql.edges import SqlEdges
from reverse_etl_tests.destinations.sql.tables import SqlServer
from reverse_etl_tests.destinations.sql.triggers import SqlTriggers
from reverse_etl_tests.servers.mariadb import MariadbServer
from reverse_etl_tests.sources.test_mysql import EVERYTHING_BUT_TLS, greeting

_COUNTS = """
CREATE TABLE IF NOT EXISTS writes (id bigint);
CREATE OR REPLACE TRIGGER count_insert AFTER INSERT ON customers FOR EACH ROW INSERT INTO writes VALUES (new.id);
CREATE OR REPLACE TRIGGER count_update AFTER UPDATE ON customers FOR EACH ROW INSERT INTO writes VALUES (new.id);
"""
_REFUSES = """
CREATE TRIGGER refuse_{event} BEFORE {event} ON customers FOR EACH ROW IF new.score < 0 THEN
SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not below zero'; END IF;
"""


class TestMysql(SqlConformance):
    """Over TLS, as a user who may do no more than write."""

    grant_delete = f"GRANT DELETE ON customers TO {ACCOUNT}"
    revoke_all_but_insert = f"REVOKE SELECT, UPDATE ON {DATABASE}.* FROM {ACCOUNT}"
    types: ClassVar[Mapping[str, str]] = {
        "varchar(40)": "varchar(40)",
        "text": "text",
        "double precision": "double",
        "timestamp": "datetime(6)",
        "timestamp with time zone": "timestamp(6)",
        "json": "json",
    }
    last_instant: ClassVar[dt.datetime] = dt.datetime(2038, 1, 19, 3, 14, 7, 999_999, tzinfo=dt.UTC)

    def make_constrained(self, server: SqlServer, key: str) -> None:
        """As the suite says."""
        server.run(
            "DROP TABLE IF EXISTS customers, plans; CREATE TABLE plans (id int PRIMARY KEY); INSERT INTO plans VALUES "
            f"(1); CREATE TABLE customers (id bigint {key}, score int CHECK (score < 900), plan int, "
            "email varchar(40) UNIQUE, note varchar(40) NOT NULL, FOREIGN KEY (plan) REFERENCES plans (id)); "
            f"INSERT INTO customers VALUES (100, 1, 1, 'taken@x', 'theirs'); {_REFUSES.format(event='INSERT')}"
            f"{_REFUSES.format(event='UPDATE')}"
        )

    def count_writes(self, server: SqlServer) -> None:
        """By triggers."""
        server.run(_COUNTS)

    def writes(self, server: SqlServer) -> int:
        """What they wrote down."""
        ((count,),) = server.fetch("SELECT count(*) FROM writes")
        return int(count)

    def quoted(self, name: str) -> str:
        """In backticks."""
        return "`" + name.replace("`", "``") + "`"


@pytest.mark.thorough
class TestAsMysql(TestMysql):
    """The same with the statements for MySQL, which has no blocks: bad rows are found by halves."""

    @pytest.fixture
    def server(self, as_mysql: MariadbServer) -> Iterator[Mysql]:
        """A MariaDB that calls itself MySQL."""
        yield from emptied(as_mysql)


class TestEdges(SqlEdges):
    """Likewise."""

    double = "double"
    holds_nul = True
    quote = "`"
    grant_delete = f"GRANT DELETE ON {{}} TO {ACCOUNT}"
    without_tls = greeting(EVERYTHING_BUT_TLS)


class TestLooksAhead(SqlLooksAhead):
    """As the suite says."""


class TestTriggers(SqlTriggers):
    """As the suite says."""

    fills = (
        "CREATE TRIGGER fill BEFORE INSERT ON customers FOR EACH ROW "
        "IF NEW.score > 1 THEN SET NEW.plan = coalesce(NEW.plan, 'free'); END IF"
    )
