"""Connections that end at any point, servers that are in trouble: the table and the ledger agree afterwards."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pytest

from reverse_etl.config.environment import EnvText
from reverse_etl.errors import DestinationRefusedError, DestinationUnavailableError
from reverse_etl.pacing.retry import RetryPolicy
from reverse_etl.report import Outcome
from reverse_etl_tests.destinations.postgres.server import Postgres
from reverse_etl_tests.destinations.scripted import FastClock
from reverse_etl_tests.destinations.sql.conformance import PEOPLE, TABLE
from reverse_etl_tests.destinations.sql.tables import Delivery, delivered
from reverse_etl_tests.servers.postgres import USER, standby_of

ROWS = 40
BATCH = pa.RecordBatch.from_pydict({"id": list(range(1, ROWS + 1)), "score": [7] * ROWS})


@dataclass(slots=True)
class Cut:
    """A relay that closes the first connection after so many bytes, one way or the other.

    Attributes:
        after: Bytes that the client (or the server) sends before the cut; None never cuts.
        side: Whose bytes count, 0 the client's, 1 the server's.
        passed: How many of each have passed on the first connection.
        connections: How many there were.
    """

    upstream: int
    after: int | None = None
    side: int = 0
    port: int = 0
    passed: list[int] = field(default_factory=lambda: [0, 0])
    connections: int = 0

    def serve(self, listener: socket.socket) -> None:
        """Accepts until the listener is closed."""
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", self.upstream))
                self.connections += 1
                counted = self.connections == 1
                threading.Thread(target=self._connect, args=(near, far, counted), daemon=True).start()

    def _connect(self, near: socket.socket, far: socket.socket, counted: bool) -> None:
        with near, far:
            back = threading.Thread(target=self._pass_on, args=(far, near, 1 if counted else None), daemon=True)
            back.start()
            self._pass_on(near, far, 0 if counted else None)
            back.join()

    def _pass_on(self, source: socket.socket, target: socket.socket, side: int | None) -> None:
        with suppress(OSError):
            while piece := source.recv(65_536):
                if side is not None:
                    if side == self.side and self.after is not None:
                        piece = piece[: max(0, self.after - self.passed[side])]
                    self.passed[side] += len(piece)
                target.sendall(piece)
                if side is not None and side == self.side and self.passed[side] == self.after:
                    break
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextmanager
def cut(upstream: int, after: int | None = None, side: int = 0) -> Iterator[Cut]:
    """Opens one."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        relay = Cut(upstream, after, side, listener.getsockname()[1])
        threading.Thread(target=relay.serve, args=(listener,), daemon=True).start()
        yield relay
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


def added(server: Postgres, folder: Path, *, after: int | None, side: int) -> Cut:
    """Adds rows in slices of ten through a connection that is cut.

    ``add_only``: a slice that was committed and is written again would be called excluded.
    """
    server.run("TRUNCATE customers")
    with cut(server.running.port, after, side) as relay:
        settings = {"tls": "disable", "ca_file": None, "rows_per_transaction": 10, "port": relay.port}
        section = {"table": "customers", "identify_by": "id", "write": "add_only"}
        delivery = Delivery(server, folder, [BATCH], section, settings | {"host": EnvText("127.0.0.1")})
        delivery.deliver(policy=RetryPolicy(away_s=600))
    assert list(range(1, ROWS + 1)) == delivery.numbers(Outcome.DELIVERED)
    assert [(ROWS,)] == server.fetch("SELECT count(*) FROM customers WHERE score = 7")
    return relay


def sampled(server: Postgres, folder: Path, points: int) -> None:
    """Cuts after evenly spread bytes of either side, the last COMMIT and its answer among them."""
    server.run("CREATE TABLE customers (id bigint PRIMARY KEY, score int CHECK (score < 9))")
    whole = added(server, folder / "whole", after=None, side=0)
    assert 1 == whole.connections
    for side in (0, 1):
        # The client's last five bytes say that it goes.
        last = whole.passed[side] - (5 if side == 0 else 0) - 1
        for point in range(1, points + 1):
            after = last * point // points
            relay = added(server, folder / f"{side}-{point}", after=after, side=side)
            assert 2 <= relay.connections, f"not cut after {after} of {whole.passed[side]} bytes of side {side}"


def test_a_connection_that_is_cut_anywhere_loses_and_doubles_nothing(server: Postgres, tmp_path: Path) -> None:
    """Login, stage, statement, COMMIT and its answer: rows are there, and delivered, not mistaken for others'."""
    sampled(server, tmp_path, 9)


@pytest.mark.thorough
def test_a_connection_that_is_cut_at_many_more_places(server: Postgres, tmp_path: Path) -> None:
    """The same at 150 places of either side."""
    sampled(server, tmp_path, 150)


ONCE = """
CREATE SEQUENCE calls; GRANT USAGE ON calls TO reader;
CREATE FUNCTION once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN IF nextval('calls') <= 2 THEN {what}; END IF; RETURN NULL; END $$;
CREATE TRIGGER once AFTER INSERT ON customers FOR EACH ROW EXECUTE FUNCTION once();
"""
TROUBLES = {
    "40001": "another transaction was in the way",
    "40P01": "a deadlock",
    "53200": "memory",
    "57P03": "starting",
    "25006": "standby",
}


@pytest.mark.parametrize("state", TROUBLES)
def test_trouble_of_the_server_is_tried_again(server: Postgres, tmp_path: Path, state: str) -> None:
    """It is no row's fault: the slice is rolled back and written again."""
    server.run(TABLE + ";" + ONCE.format(what=f"RAISE SQLSTATE '{state}'"))
    delivery = Delivery(
        server, tmp_path, [pa.RecordBatch.from_pydict(PEOPLE)], {"table": "customers", "identify_by": "id"}
    )
    assert (3, 2) == (delivery.deliver().counts.delivered, server.fetch("SELECT count(*) FROM customers")[0][0] - 1)


def test_a_session_that_the_server_ends_is_made_again(server: Postgres, tmp_path: Path) -> None:
    """In the middle of a statement, as when an administrator restarts the server."""
    server.run(TABLE + ";" + ONCE.format(what="PERFORM pg_terminate_backend(pg_backend_pid())"))
    delivery = delivered(server, tmp_path, PEOPLE)
    assert [1, 2, 3] == delivery.numbers(Outcome.DELIVERED)


def test_trouble_that_lasts_uses_up_the_budget(server: Postgres, tmp_path: Path) -> None:
    """Rows are undelivered, the reason is named, and nothing was written."""
    server.run(TABLE + ";" + ONCE.format(what="RAISE SQLSTATE '53100'").replace("<= 2", "> 0"))
    delivery = Delivery(
        server, tmp_path, [pa.RecordBatch.from_pydict(PEOPLE)], {"table": "customers", "identify_by": "id"}
    )
    with pytest.raises(DestinationUnavailableError, match="the server's disk is full"):
        delivery.deliver()
    assert ([1, 2, 3], []) == (delivery.numbers(Outcome.UNDELIVERED), server.fetch("SELECT * FROM customers"))


def test_a_row_that_is_locked_is_waited_for_no_longer_than_lock_timeout(server: Postgres, tmp_path: Path) -> None:
    """Then the slice is written again; it arrives once the other transaction has ended."""
    server.run(TABLE + "; INSERT INTO customers VALUES (2, 'b@x', 0)")
    with closing(server.running.session()) as other:
        other.execute("BEGIN; UPDATE customers SET score = 1 WHERE id = 2")

        class Ends(FastClock):
            async def _sleep(self, seconds: float) -> None:
                other.execute("ROLLBACK")
                await super()._sleep(seconds)

        section = {"table": "customers", "identify_by": "id"}
        delivery = Delivery(server, tmp_path, [pa.RecordBatch.from_pydict(PEOPLE)], section, {"lock_timeout": "1s"})
        delivery.time = Ends()
        assert 1 == delivery.deliver().retries
    assert [(20,)] == server.fetch("SELECT score FROM customers WHERE id = 2")


@pytest.mark.parametrize(
    ("ruin", "state"),
    [
        ("DROP TABLE customers", "42P01"),
        ("ALTER TABLE customers DROP COLUMN score", "42703"),
        (f"REVOKE INSERT ON customers FROM {USER}", "42501"),
    ],
)
def test_what_changes_after_the_start_ends_the_run(server: Postgres, tmp_path: Path, ruin: str, state: str) -> None:
    """The table, a column or a right is gone: no row is to blame, all are undelivered."""
    server.run(TABLE)
    delivery = Delivery(
        server, tmp_path, [pa.RecordBatch.from_pydict(PEOPLE)], {"table": "customers", "identify_by": "id"}
    )

    async def ruined(_: object) -> None:
        server.run(ruin)

    with pytest.raises(DestinationRefusedError, match=state):
        delivery.deliver(around=ruined)
    assert [1, 2, 3] == delivery.numbers(Outcome.UNDELIVERED)


@pytest.mark.thorough
def test_a_standby_is_not_written_to(server: Postgres, tmp_path: Path) -> None:
    """It says so, and which server to name."""
    server.run(TABLE)
    with standby_of(server.running) as standby:
        server.running.catch_up(standby)
        server.port = standby.port
        with pytest.raises(DestinationUnavailableError, match="standby"):
            delivered(server, tmp_path, PEOPLE)
