"""Connections that end at any point, servers that are in trouble: the table and the ledger agree afterwards.

Subclass it beside each suite, and give the server as the fixture ``server``.
"""

from __future__ import annotations

import asyncio
import threading
import time
from abc import ABC
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pytest

from reverse_etl.config.environment import EnvText
from reverse_etl.errors import DestinationRefusedError, DestinationUnavailableError
from reverse_etl.pacing.retry import RetryPolicy
from reverse_etl.report import Outcome
from reverse_etl_tests.destinations.scripted import FastClock
from reverse_etl_tests.destinations.sql.conformance import PEOPLE, TABLE
from reverse_etl_tests.destinations.sql.faulty import FaultyServer
from reverse_etl_tests.destinations.sql.tables import Delivery, Prepared, SqlServer, delivered
from reverse_etl_tests.servers.cut import CLIENT, SERVER, Cut, Moment, cut

ROWS = 40
BATCH = pa.RecordBatch.from_pydict({"id": list(range(1, ROWS + 1)), "score": [7] * ROWS})
SECTION = {"table": "customers", "identify_by": "id"}


class Waits(FastClock):
    """Gives the server's own processes, which end what was cut, a moment of the real time."""

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(0.02)
        await super()._sleep(seconds)


class Back(Waits):
    """The name leads to another server after some waits."""

    def __init__(self, act: Callable[[], object]) -> None:
        super().__init__()
        self._act = act

    async def _sleep(self, seconds: float) -> None:
        await super()._sleep(seconds)
        if len(self.slept_s) == 3:
            self._act()


def through(relay: Cut, server: SqlServer, folder: Path, clock: FastClock, **rows: Any) -> Delivery:
    """Two slices of three rows, on their way through a relay."""
    batch = pa.RecordBatch.from_pydict({"id": [1, 2, 3, 4, 5, 6], "score": [7] * 6})
    entry = {"tls": "disable", "ca_file": None, "rows_per_transaction": 3, "port": relay.port}
    settings = {**entry, "host": EnvText("127.0.0.1")}
    return Delivery(server, folder, [batch], {"table": "customers", **rows}, settings, time=clock)


class SqlFaults(ABC):
    """What goes wrong between us and the server.

    Attributes:
        goodbye_bytes: What the client sends last, to say that it goes.
        ruins: Statements that leave no way to write, each with words of the error.
    """

    goodbye_bytes: ClassVar[int]
    ruins: ClassVar[Mapping[str, str]]

    def test_a_connection_that_is_cut_anywhere_loses_and_doubles_nothing(
        self, server: FaultyServer, tmp_path: Path
    ) -> None:
        """Login, stage, statement, COMMIT and its answer: rows are there, and delivered, not mistaken for others'."""
        self._sampled(server, tmp_path, 9)

    def test_trouble_of_the_server_is_tried_again(self, server: FaultyServer, tmp_path: Path, trouble: str) -> None:
        """It is no row's fault: the slice is rolled back and written again."""
        server.run(TABLE)
        server.raise_first(2, trouble)
        delivery = Delivery(server, tmp_path, [pa.RecordBatch.from_pydict(PEOPLE)], SECTION)
        assert (3, 2) == (delivery.deliver().counts.delivered, server.fetch("SELECT count(*) FROM customers")[0][0] - 1)

    def test_a_session_that_the_server_ends_is_made_again(self, server: FaultyServer, tmp_path: Path) -> None:
        """In the middle of a statement, as when an administrator restarts the server."""
        server.run(TABLE)
        server.end_first_sessions(2)
        delivery = delivered(server, tmp_path, PEOPLE)
        assert [1, 2, 3] == delivery.numbers(Outcome.DELIVERED)

    @pytest.mark.thorough
    def test_trouble_that_lasts_uses_up_the_budget(self, server: FaultyServer, tmp_path: Path) -> None:
        """Rows are undelivered, the reason is named, and nothing was written."""
        server.run(TABLE)
        server.raise_first(1_000_000, server.lasting)
        delivery = Delivery(server, tmp_path, [pa.RecordBatch.from_pydict(PEOPLE)], SECTION)
        with pytest.raises(DestinationUnavailableError, match=server.troubles[server.lasting]):
            delivery.deliver()
        assert ([1, 2, 3], []) == (delivery.numbers(Outcome.UNDELIVERED), server.fetch("SELECT * FROM customers"))

    @pytest.mark.thorough
    def test_a_row_that_is_locked_is_waited_for_no_longer_than_lock_timeout(
        self, server: FaultyServer, tmp_path: Path
    ) -> None:
        """Then the slice is written again; it arrives once the other transaction has ended."""
        server.run(TABLE)
        server.run("INSERT INTO customers VALUES (2, 'b@x', 0, NULL)")
        with server.other_writer() as other:
            other("UPDATE customers SET score = 1 WHERE id = 2")

            class Ends(FastClock):
                async def _sleep(self, seconds: float) -> None:
                    other("ROLLBACK")
                    await super()._sleep(seconds)

            delivery = Delivery(
                server, tmp_path, [pa.RecordBatch.from_pydict(PEOPLE)], SECTION, {"lock_timeout": "1s"}, time=Ends()
            )
            assert 1 == delivery.deliver().retries
        assert [(20,)] == server.fetch("SELECT score FROM customers WHERE id = 2")

    def test_an_interrupt_ends_what_the_server_is_waited_for(self, server: FaultyServer, tmp_path: Path) -> None:
        """At once, however long the lock; the slice is written afterwards as if nothing had been."""
        server.run(TABLE)
        server.run("INSERT INTO customers VALUES (2, 'b@x', 0, NULL)")
        delivery = Delivery(server, tmp_path, [pa.RecordBatch.from_pydict(PEOPLE)], SECTION, {"lock_timeout": "60s"})
        done = []

        async def interrupted(destination: Prepared) -> None:
            batch = destination.fit(next(delivery.parts.batches())).batch
            writing = asyncio.create_task(destination.write(batch))
            await asyncio.sleep(0.3)
            began = time.monotonic()
            writing.cancel()
            await asyncio.wait({writing})
            done.append((writing.cancelled(), time.monotonic() - began < 30))
            other("ROLLBACK")

        with server.other_writer() as other:
            other("UPDATE customers SET score = 1 WHERE id = 2")
            delivery.deliver(around=interrupted)
        assert [(True, True)] == done
        assert [(1, 10), (2, 20), (3, 30)] == server.fetch("SELECT id, score FROM customers ORDER BY id")

    @pytest.mark.thorough
    def test_a_deadlock_with_another_writer_ends_well(self, server: FaultyServer, tmp_path: Path) -> None:
        """One of both is the server's victim: where it is ours, the slice is written again."""
        server.run(TABLE)
        server.run("INSERT INTO customers VALUES (1, 'a@x', 0, NULL), (3, 'c@x', 0, NULL)")
        with server.other_writer() as other:
            other("UPDATE customers SET note = 'theirs' WHERE id = 3")

            def cross() -> None:
                with suppress(Exception):
                    other("UPDATE customers SET note = 'theirs' WHERE id = 1")
                    other("COMMIT")

            crossing = threading.Timer(0.2, cross)
            crossing.start()
            delivery = delivered(server, tmp_path, PEOPLE)
            crossing.join()
        assert [1, 2, 3] == delivery.numbers(Outcome.DELIVERED)
        assert [(1, 10), (2, 20), (3, 30)] == server.fetch("SELECT id, score FROM customers ORDER BY id")

    def test_what_changes_after_the_start_ends_the_run(self, server: FaultyServer, tmp_path: Path, ruin: str) -> None:
        """The table, a column or a right is gone: no row is to blame, all are undelivered."""
        server.run(TABLE)
        delivery = Delivery(server, tmp_path, [pa.RecordBatch.from_pydict(PEOPLE)], SECTION)

        async def ruined(_: object) -> None:
            server.run(ruin)

        with pytest.raises(DestinationRefusedError, match=self.ruins[ruin]):
            delivery.deliver(around=ruined)
        assert [1, 2, 3] == delivery.numbers(Outcome.UNDELIVERED)

    def _sampled(self, server: FaultyServer, folder: Path, points: int) -> None:
        """Cuts after evenly spread bytes of either side, the last COMMIT and its answer among them."""
        server.run("CREATE TABLE customers (id bigint PRIMARY KEY, score int CHECK (score < 9))")
        (whole,) = self._added(server, folder / "whole", None).connections
        for side in (CLIENT, SERVER):
            last = whole.passed[side] - (self.goodbye_bytes if side == CLIENT else 0) - 1
            for point in range(1, points + 1):
                moment = Moment(last * point // points, side)
                relay = self._added(server, folder / f"{side}-{point}", moment)
                assert 2 <= len(relay.connections), f"not cut: {moment} of {whole.passed[side]} bytes"

    def _added(self, server: FaultyServer, folder: Path, moment: Moment | None) -> Cut:
        """Adds rows in slices of ten through a connection that is cut.

        ``add_only``: a slice that was committed and is written again would be called excluded.
        """
        server.run("TRUNCATE TABLE customers")
        with cut(server.port, moment) as relay:
            settings = {"tls": "disable", "ca_file": None, "rows_per_transaction": 10, "port": relay.port}
            section = {**SECTION, "write": "add_only"}
            settings["host"] = EnvText("127.0.0.1")
            delivery = Delivery(server, folder, [BATCH], section, settings, time=Waits())
            delivery.deliver(policy=RetryPolicy(away_s=600))
        assert list(range(1, ROWS + 1)) == delivery.numbers(Outcome.DELIVERED)
        assert [(ROWS,)] == server.fetch("SELECT count(*) FROM customers WHERE score = 7")
        return relay
