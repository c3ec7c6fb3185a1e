"""What every engine behind an address must do when the network or the server fails; part of its suite."""

from __future__ import annotations

import gc
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from reverse_etl.config.connections import DatabaseConfig
from reverse_etl.errors import QueryError, SourceError, SourceUnavailableError
from reverse_etl.sources import connect
from reverse_etl_tests.servers.relay import Relay, relay

PATIENCE_S = 20
"""How much longer than the limit a test waits: machines are busy, and the clock of the engine is what is tested."""

_dropped_sockets = pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
"""HTTP libraries leave a TLS socket that was cut in its handshake to the garbage collection."""


@contextmanager
def speaking_plainly(answer: bytes) -> Iterator[tuple[int, bytearray]]:
    """A server that gives one answer to whatever it is sent, in the clear; its port, and all that it was sent."""
    heard = bytearray()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    client.settimeout(0.5)
                    with client:
                        with suppress(TimeoutError):
                            heard.extend(client.recv(65_536))
                        client.sendall(answer)
                        with suppress(TimeoutError):
                            while said := client.recv(65_536):
                                heard.extend(said)

        serving = threading.Thread(target=serve, daemon=True)
        serving.start()
        yield listener.getsockname()[1], heard
        listener.shutdown(socket.SHUT_RDWR)
        serving.join()


class OverTheNetwork:
    """The part of the suite. ``through`` says how a connection is led through another port of this machine.

    The driver talks to its real counterpart through a relay that is told to fail.
    """

    engine: ClassVar[str]
    endless: ClassVar[str]
    numbers: ClassVar[str]
    plain_answer: ClassVar[bytes] = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
    """What a server says that does not speak TLS."""
    limit_s: ClassVar[int] = 4
    """``query_timeout``: the first rows come well before it, however busy the machine is."""
    flowing_rows: ClassVar[int] = 600_000
    """Rows that are still on their way when the first batch is here."""

    @staticmethod
    def is_here(config: Any) -> bool:
        """Whether it is a counterpart on this machine; a real service is not made to fail."""
        return config.host is not None and config.host.resolve() == "localhost"

    @staticmethod
    def port(config: Any) -> int:
        """Where the counterpart listens."""
        return int(config.port)

    @staticmethod
    def through(config: Any, port: int) -> DatabaseConfig:
        """The connection by another port."""
        changed: DatabaseConfig = config.model_copy(update={"port": port})
        return changed

    @staticmethod
    def encrypted(config: Any) -> Any:
        """The connection with TLS as it is by default."""
        return config

    @staticmethod
    def secret(config: Any) -> bytes:
        """What must never be sent in the clear."""
        return bytes(config.password.resolve(), "utf-8")

    @pytest.fixture
    def between(self, database: DatabaseConfig) -> Iterator[Relay]:
        """A relay to the counterpart."""
        if not self.is_here(database):
            pytest.skip("only a counterpart of ours can be made to fail")
        with relay(self.port(database)) as opened:
            yield opened
        # Here, and not in a test that comes later.
        gc.collect()

    @pytest.fixture
    def led_through(self, database: DatabaseConfig, between: Relay) -> DatabaseConfig:
        """The connection through it, with a short limit."""
        limited = database.model_copy(update={"query_timeout": timedelta(seconds=self.limit_s)})
        return self.through(limited, between.port)

    @pytest.mark.thorough
    def test_a_server_without_tls_gets_no_secret(self, database: DatabaseConfig) -> None:
        """Somebody at the port who does not speak TLS: refused, with what to do, and the password is not said."""
        if not self.is_here(database):
            pytest.skip("only a counterpart of ours can be replaced")
        with speaking_plainly(self.plain_answer) as (port, heard):
            config = self.through(self.encrypted(database), port)
            limited = config.model_copy(update={"query_timeout": timedelta(seconds=self.limit_s)})
            with pytest.raises(SourceUnavailableError) as refused, connect(limited, name="shop"):
                pass

        assert f"database shop ({self.engine})" in refused.value.message
        assert refused.value.hint
        assert self.secret(database) not in heard

    @pytest.mark.thorough
    @_dropped_sockets
    def test_a_stalled_network_ends_with_query_timeout(self, led_through: DatabaseConfig, between: Relay) -> None:
        """Nothing is closed and nothing comes: this side's clock ends it, and says by which key."""
        began = time.monotonic()
        with connect(led_through, name="shop") as session:
            batches = session.stream(self.endless)
            next(batches)
            between.stall()
            with pytest.raises(QueryError, match=rf"database shop \({self.engine}\).*query_timeout") as refused:
                list(batches)

        assert refused.value.hint
        assert time.monotonic() - began < self.limit_s + PATIENCE_S

    @pytest.mark.thorough
    @_dropped_sockets
    def test_a_server_that_goes_away_is_an_error(self, led_through: DatabaseConfig, between: Relay) -> None:
        """In the middle of the rows, for good: an error of this connection with what to do, within the limit."""
        began = time.monotonic()
        with connect(led_through, name="shop") as session:
            batches = session.stream(self.endless)
            next(batches)
            between.go_away()
            with pytest.raises(SourceError, match=rf"database shop \({self.engine}\)") as refused:
                list(batches)
        assert refused.value.hint
        with pytest.raises(SourceUnavailableError) as absent, connect(led_through, name="shop"):
            pass
        assert absent.value.hint
        assert time.monotonic() - began < 2 * (self.limit_s + PATIENCE_S)

    @pytest.mark.thorough
    @_dropped_sockets
    def test_a_restart_in_the_middle_loses_no_row(self, database: DatabaseConfig, between: Relay) -> None:
        """Either the rest comes all the same, or the run ends with an error; the next connection works."""
        through = self.through(database, between.port)
        query = self.numbers.format(n=self.flowing_rows)
        with connect(through, name="shop") as session:
            batches = session.stream(query)
            rows = next(batches).num_rows
            between.cut()
            failed: SourceError | None = None
            try:
                rows += sum(batch.num_rows for batch in batches)
            except SourceError as error:
                failed = error
        if failed is None:
            assert rows == self.flowing_rows
        else:
            assert f"database shop ({self.engine})" in failed.message
            assert failed.hint
        with connect(through) as session:
            assert sum(batch.num_rows for batch in session.stream("SELECT 1 AS one")) == 1
