"""Rows that are only added: each is there once, whatever becomes of the answer to a COMMIT or of the process.

Subclass it beside each suite, and give the server as the fixture ``server``.
"""

from __future__ import annotations

import socket
import threading
from abc import ABC
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
import pytest

from reverse_etl.config.environment import EnvText
from reverse_etl.pacing.retry import RetryPolicy
from reverse_etl.report import Outcome
from reverse_etl_tests.destinations.scripted import FastClock
from reverse_etl_tests.destinations.sql.faults import Waits
from reverse_etl_tests.destinations.sql.tables import Delivery, SqlServer

ROWS = 40
BATCH = pa.RecordBatch.from_pydict({"name": [f"page {n}" for n in range(ROWS)], "score": [7] * ROWS})


class EndedError(Exception):
    """Stands for the end of the process."""


class Ends(FastClock):
    """The process ends instead of trying again."""

    async def _sleep(self, seconds: float) -> None:  # noqa: ARG002 - it waits no longer
        raise EndedError


@contextmanager
def losing_commit(upstream: int, nth: int, *, answered: bool) -> Iterator[int]:
    """A relay that loses the nth COMMIT of its connections: before the server has it, or with the server's answer.

    Yields:
        Its port.
    """
    seen = 0
    losing = threading.Event()

    def forward(near: socket.socket, far: socket.socket) -> None:
        nonlocal seen
        with near, far:
            answers = threading.Thread(target=back, args=(near, far), daemon=True)
            answers.start()
            with suppress(OSError):
                while piece := near.recv(65_536):
                    # As a statement, in PostgreSQL's protocol and in MySQL's.
                    if b"COMMIT\0" in piece or piece.endswith(b"\3COMMIT"):
                        seen += 1
                        if seen == nth:
                            if not answered:
                                break
                            losing.set()
                    far.sendall(piece)
            _end(near, far)
            answers.join()

    def back(near: socket.socket, far: socket.socket) -> None:
        with suppress(OSError):
            while piece := far.recv(65_536):
                if losing.is_set():
                    losing.clear()
                    break
                near.sendall(piece)
        _end(near, far)

    def accept() -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", upstream))
                threading.Thread(target=forward, args=(near, far), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield int(listener.getsockname()[1])
        assert seen >= nth
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


def _end(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


class SqlAppends(ABC):
    """A table of events, which has no key of the rows.

    Attributes:
        second_slice: Which COMMIT is that of the second slice.
        numbered: Makes ``customers`` with a number that the table gives each row, and what else of it is asked later.
        unnumbered_is_known: Whether the server knows what became of a transaction without such a number.
    """

    second_slice: ClassVar[int] = 2
    numbered: ClassVar[str]
    unnumbered_is_known: ClassVar[bool] = True

    @pytest.mark.parametrize("answered", [True, False])
    def test_rows_are_there_once_after_a_lost_commit(
        self, server: SqlServer, tmp_path: Path, *, answered: bool
    ) -> None:
        """The connection ends before the server has the COMMIT, or with its answer."""
        server.run(self.numbered)
        with losing_commit(server.port, self.second_slice, answered=answered) as port:
            delivery = _delivery(server, tmp_path, port)
            assert 1 == delivery.deliver(policy=RetryPolicy(away_s=600)).retries
        self._each_once(server, delivery)

    @pytest.mark.parametrize("answered", [True, False])
    def test_rows_are_there_once_after_the_end_of_the_process_at_commit(
        self, server: SqlServer, tmp_path: Path, *, answered: bool
    ) -> None:
        """The next one asks what became of the slice before it writes anything."""
        server.run(self.numbered)
        with losing_commit(server.port, self.second_slice, answered=answered) as port:
            delivery = _delivery(server, tmp_path, port, Ends())
            with pytest.raises(EndedError):
                delivery.deliver()
            assert 10 == len(delivery.numbers(Outcome.DELIVERED))
            delivery.time = Waits()
            delivery.deliver(policy=RetryPolicy(away_s=600))
        self._each_once(server, delivery)

    @pytest.mark.parametrize("answered", [True, False])
    def test_what_the_server_cannot_know_is_in_doubt_and_not_sent_again(
        self, server: SqlServer, tmp_path: Path, *, answered: bool
    ) -> None:
        """Its rows are failed rows with that reason, and all others are there."""
        server.run("CREATE TABLE customers (name varchar(40), score int)")
        with losing_commit(server.port, self.second_slice, answered=answered) as port:
            delivery = _delivery(server, tmp_path, port)
            delivery.deliver(policy=RetryPolicy(away_s=600))
        if self.unnumbered_is_known:
            self._each_once(server, delivery)
            return
        assert dict.fromkeys(range(11, 21), ("in_doubt", "")) == delivery.reasons()
        assert 30 == len(delivery.numbers(Outcome.DELIVERED))
        assert [(ROWS if answered else 30,)] == server.fetch("SELECT count(*) FROM customers")

    def _each_once(self, server: SqlServer, delivery: Delivery) -> None:
        assert ([*range(1, ROWS + 1)], []) == (delivery.numbers(Outcome.DELIVERED), delivery.failed())
        assert [(ROWS, ROWS)] == server.fetch("SELECT count(*), count(DISTINCT name) FROM customers")


def _delivery(server: SqlServer, folder: Path, port: int, time: FastClock | None = None) -> Delivery:
    """Slices of ten, over a relay that sees the wire."""
    settings = {"tls": "disable", "ca_file": None, "rows_per_transaction": 10, "port": port}
    settings["host"] = EnvText("127.0.0.1")
    section = {"table": "customers", "write": "append"}
    return Delivery(server, folder, [BATCH], section, settings, time=time or Waits())
