"""The tests' MariaDB in trouble."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from reverse_etl_tests.destinations.mysql.server import ACCOUNT, DATABASE, EMPTY, USER, WRITER, Mysql
from reverse_etl_tests.destinations.sql.faulty import FaultyServer
from reverse_etl_tests.servers.cut import Cut
from reverse_etl_tests.servers.mariadb import MariadbServer

ONCE = """
CREATE TABLE {table}_calls (n int AUTO_INCREMENT PRIMARY KEY) ENGINE = Aria;
CREATE TRIGGER {table}_once AFTER INSERT ON {table} FOR EACH ROW BEGIN
INSERT INTO {table}_calls VALUES (); IF LAST_INSERT_ID() <= {times} THEN {what}; END IF; END;
"""
"""What Aria counts is not rolled back."""
COUNTS = """
CREATE TABLE {counts} (id varchar(40));
CREATE TRIGGER {table}_added AFTER INSERT ON {table} FOR EACH ROW INSERT INTO {counts} VALUES (new.id);
CREATE TRIGGER {table}_changed AFTER UPDATE ON {table} FOR EACH ROW INSERT INTO {counts} VALUES (new.id);
"""


@dataclass(slots=True)
class FaultyMysql(Mysql, FaultyServer):
    """A server of its own."""

    commit: ClassVar[bytes] = b"\3COMMIT"
    lasting: ClassVar[str] = "1021"
    troubles: ClassVar[Mapping[str, str]] = {
        "1205": "locked",
        "1213": "a deadlock",
        "1021": "the server's disk is full",
        "1041": "memory",
        "1053": "shutting down",
        "1290": "replica",
        "1317": "ended the statement",
        "1969": "max_statement_time",
    }

    def raise_first(self, times: int, trouble: str, *, table: str = "customers") -> None:
        """By a trigger."""
        what = f"SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = {trouble}"
        self.run(ONCE.format(table=table, times=times, what=what))

    def end_first_sessions(self, times: int, *, table: str = "customers") -> None:
        """By a trigger, which the user who made it may let do so."""
        self.run(ONCE.format(table=table, times=times, what="KILL CONNECTION CONNECTION_ID()"))

    def calm(self, table: str) -> None:
        """Drops the trigger."""
        self.run(f"DROP TRIGGER {table}_once")

    def count_writes(self, table: str, counts: str) -> None:
        """By triggers."""
        self.run(COUNTS.format(table=table, counts=counts))

    @contextmanager
    def other_writer(self, *, yields: bool = False) -> Iterator[Callable[[str], Any]]:  # noqa: ARG002
        """Root; in a deadlock, the server ends the smaller transaction."""
        with self.session() as session, session.cursor() as cursor:
            cursor.execute("BEGIN")
            yield cursor.execute

    def grant_delete(self, table: str) -> None:
        """Lets the writer delete rows of a table."""
        self.run(f"GRANT DELETE ON {table} TO {ACCOUNT}")

    def waits(self) -> bool:
        """As InnoDB counts them; its list of transactions is a copy, which who reads it often keeps from renewal."""
        ((_, waiting),) = self.fetch("SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'")
        return int(waiting) > 0

    def sessions(self) -> int:
        """As the server lists them."""
        ((count,),) = self.fetch(f"SELECT count(*) FROM information_schema.processlist WHERE user = '{USER}'")
        return int(count)

    def left_behind(self) -> list[str]:
        """Temporary tables are a session's, and gone with it."""
        tables = self.fetch(f"SELECT table_name FROM information_schema.tables WHERE table_schema = '{DATABASE}'")
        return [name for (name,) in tables if name.startswith("reverse_etl")]

    def crash(self) -> None:
        """It is killed, and started again."""
        self.running.crash()

    def demote(self, relay: Cut) -> None:  # noqa: ARG002 - it is the same server
        """It becomes a replica."""
        self.run("SET GLOBAL read_only = ON")

    def promote(self, relay: Cut) -> None:  # noqa: ARG002
        """It becomes the primary server again."""
        self.run("SET GLOBAL read_only = OFF")


def faulty(running: MariadbServer) -> FaultyMysql:
    """A server with an empty database."""
    server = FaultyMysql(running, running.port)
    server.run(f"{EMPTY}; {WRITER}", database=None)
    # What is committed stays committed, however the server ends.
    server.run("SET GLOBAL innodb_flush_log_at_trx_commit = 2")
    return server
