"""The tests' PostgreSQL in trouble."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import psycopg

from reverse_etl_tests.destinations.postgres.server import WRITER, Postgres
from reverse_etl_tests.destinations.sql.faulty import FaultyServer
from reverse_etl_tests.servers.cut import Cut
from reverse_etl_tests.servers.postgres import USER, PostgresServer

ONCE = """
CREATE SEQUENCE {table}_calls; GRANT USAGE ON {table}_calls TO {user};
CREATE FUNCTION {table}_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN IF nextval('public.{table}_calls') <= {times} THEN {what}; END IF; RETURN NULL; END $$;
CREATE TRIGGER once AFTER INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION {table}_once();
"""
COUNTS = """
CREATE TABLE {counts} (id text); GRANT INSERT ON {counts} TO {user};
CREATE FUNCTION {table}_counted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO public.{counts} VALUES (new.id); RETURN NULL; END $$;
CREATE TRIGGER counted AFTER INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION {table}_counted();
"""


@dataclass(slots=True)
class FaultyPostgres(Postgres, FaultyServer):
    """A server of its own, with a standby once that is needed."""

    standby: Callable[[], PostgresServer] | None = None
    commit: ClassVar[bytes] = b"COMMIT\0"
    lasting: ClassVar[str] = "53100"
    troubles: ClassVar[Mapping[str, str]] = {
        "40001": "another transaction was in the way",
        "40P01": "a deadlock",
        "53100": "the server's disk is full",
        "53200": "memory",
        "57P03": "starting",
        "25006": "standby",
    }

    def raise_first(self, times: int, trouble: str, *, table: str = "customers") -> None:
        """By a trigger, and a sequence, which no transaction takes back."""
        self.run(ONCE.format(table=table, user=USER, times=times, what=f"RAISE SQLSTATE '{trouble}'"))

    def end_first_sessions(self, times: int, *, table: str = "customers") -> None:
        """Likewise."""
        ends = "PERFORM pg_terminate_backend(pg_backend_pid())"
        self.run(ONCE.format(table=table, user=USER, times=times, what=ends))

    def calm(self, table: str) -> None:
        """Drops the trigger."""
        self.run(f"DROP TRIGGER once ON {table}")

    def count_writes(self, table: str, counts: str) -> None:
        """By a trigger."""
        self.run(COUNTS.format(table=table, counts=counts, user=USER))

    @contextmanager
    def other_writer(self, *, yields: bool = False) -> Iterator[Callable[[str], Any]]:
        """The superuser; who looks for a deadlock first is its victim."""
        with closing(self.running.session()) as other:
            other.execute(f"SET deadlock_timeout = '{'10ms' if yields else '1min'}'; BEGIN")
            yield other.execute

    def grant_delete(self, table: str) -> None:
        """Lets the writer delete rows of a table."""
        self.run(f"GRANT DELETE ON {table} TO {USER}")

    def waits(self) -> bool:
        """As the server lists them."""
        waiting = f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{USER}' AND wait_event_type = 'Lock'"
        return self.fetch(waiting) != [(0,)]

    def sessions(self) -> int:
        """As the server lists them."""
        ((count,),) = self.fetch(f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{USER}'")
        return int(count)

    def left_behind(self) -> list[str]:
        """Temporary tables are in the catalogue too."""
        return [name for (name,) in self.fetch("SELECT relname FROM pg_class WHERE relname LIKE 'reverse\\_etl%'")]

    def crash(self) -> None:
        """One process of it is killed: all others are ended, and the log is replayed."""
        with closing(self.running.session()) as victim:
            os.kill(victim.info.backend_pid, signal.SIGKILL)
            deadline = time.monotonic() + 30
            while True:
                try:
                    self.fetch("SELECT 1")
                    break
                except psycopg.OperationalError:
                    assert time.monotonic() < deadline, "the server does not come back"
                    time.sleep(0.01)

    def demote(self, relay: Cut) -> None:
        """The name leads to the standby."""
        assert self.standby is not None
        standby = self.standby()
        self.running.catch_up(standby)
        relay.upstream = standby.port

    def promote(self, relay: Cut) -> None:
        """It leads to the primary server again."""
        relay.upstream = self.running.port


def faulty(running: PostgresServer, standby: Callable[[], PostgresServer]) -> FaultyPostgres:
    """A server whose user may write to all tables that are made from now on; and its standby, once it is needed."""
    server = FaultyPostgres(running, running.port, standby=standby)
    server.run(WRITER)
    return server
