"""One way of asking ClickHouse: statements over HTTP, with rows beside them; nothing is tried twice, nothing is logged.

The client waits for the server; so what is done with a session is done in a thread.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import uuid4

import clickhouse_connect
import pyarrow as pa
from clickhouse_connect.driver.exceptions import ClickHouseError, ProgrammingError
from clickhouse_connect.driver.external import ExternalData
from clickhouse_connect.driver.httputil import get_pool_manager_options
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_Answer = TypeVar("_Answer")

_LOG: Final = "clickhouse_connect"
_CONNECT_S: Final = 10
_ANSWER_S: Final = 3_600
_READ_ONLY_SETTING: Final = 164
_DELETED_AT_ONCE: Final = "lightweight_deletes_sync"
"""Older servers than 24.4 have no such setting, and wait."""
LONGEST_STATEMENT: Final = 64 << 20
"""Bytes; the server's own limit is 256 kB, which lists of keys may exceed."""


class Refused(Exception):  # noqa: N818 - it is an answer
    """What the server refuses, or the way to it.

    Attributes:
        code: The server's; 0 where there is none.
        text: Its own words, which may quote rows: they are read and not passed on.
        because: What the network says.
    """

    def __init__(self, code: int, text: str, because: BaseException | None = None) -> None:
        super().__init__(code)
        self.code, self.text, self.because = code, text, because

    @property
    def lost(self) -> bool:
        """Whether it is unknown what the server did."""
        return self.code == 0


@dataclass(frozen=True, slots=True)
class Address:
    """Where and as whom to log in.

    Attributes:
        host: What to connect to.
        port: Likewise.
        name: The host that the certificate must be for; that of ``host``, but for a tunnel.
        tls: ``verify-full``, ``require`` or ``disable``.
        authorities: A PEM file; None for those that are built in.
        user: Who.
        password: May be empty.
        database: The one that names without a database are in.
        settings: For every statement.
    """

    host: str
    port: int
    name: str
    tls: str
    authorities: str | None
    user: str
    password: str
    database: str
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Stage:
    """Rows beside a statement, as a table of its own.

    Attributes:
        name: The table's.
        structure: Its columns, as SQL.
        data: The rows, as a file of Arrow.
    """

    name: str
    structure: str
    data: bytes


class Session:
    """By one thread at a time. Methods raise ``Refused``.

    Attributes:
        version: As the server writes it.
        writing: What the last statement that wrote is called on the server; empty for none.
    """

    def __init__(self, address: Address) -> None:
        self.writing = ""
        _quieten()
        self._connections = _connections(address)
        self._client = self._connected(address)
        self.version = str(self._client.server_version)

    def rows(self, sql: str, *, stage: Stage | None = None) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        answer = _asked(lambda: self._client.query(sql, external_data=_external(stage)).result_rows)
        return [tuple(row) for row in answer]

    def arrow(self, sql: str, *, stage: Stage | None = None) -> pa.Table:
        """The same, by column."""
        answer = _asked(lambda: self._client.raw_query(sql, fmt="Arrow", external_data=_external(stage)))
        return _asked(lambda: pa.ipc.open_file(answer).read_all())

    def run(self, sql: str, *, stage: Stage | None = None, settings: Mapping[str, Any] | None = None) -> None:
        """Runs a statement."""
        named = self._named(settings or {})
        _asked(lambda: self._client.command(sql, external_data=_external(stage), settings=named))

    def delete(self, sql: str) -> None:
        """Runs a statement that deletes, to the end of its work."""
        self.run(sql, settings={_DELETED_AT_ONCE: 2} if _DELETED_AT_ONCE in self._client.server_settings else None)

    def insert(self, table: str, rows: pa.Table, settings: Mapping[str, Any]) -> None:
        """Adds rows to a table, by its quoted name and the names of their columns."""
        named = self._named(settings)
        _asked(lambda: self._client.raw_insert(table, rows.schema.names, file_of(rows), settings=named, fmt="Arrow"))

    def still_runs(self, statement: str) -> bool:
        """Whether the server works on a statement by its name; a server that does not tell is taken at its word."""
        query = f"SELECT count() AS running FROM system.processes WHERE query_id = '{statement}'"
        try:
            return bool(self.arrow(query).column("running")[0].as_py())
        except Refused as refused:
            if refused.lost:
                raise
            return False

    def interrupt(self) -> None:
        """Ends what another thread waits for."""
        self._connections.interrupt()

    def close(self) -> None:
        """Closes the connection."""
        with suppress(ClickHouseError, HTTPError, OSError):
            self._client.close()
        self._connections.clear()

    def _named(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        self.writing = f"reverse-etl-{uuid4().hex}"
        return {**settings, "query_id": self.writing}

    def _connected(self, address: Address) -> Client:
        interface = "http" if address.tls == "disable" else "https"
        return _asked(
            lambda: clickhouse_connect.get_client(
                interface=interface, host=address.host, port=address.port, username=address.user,
                password=address.password, database=address.database, settings=dict(address.settings),
                pool_mgr=self._connections, query_retries=0, autogenerate_session_id=False, compress=False,
                connect_timeout=_CONNECT_S, send_receive_timeout=_ANSWER_S,
            )
        )  # fmt: skip


class _Connections(PoolManager):
    """Those of one session, which another thread can end. Nothing is tried twice, and no redirect is followed."""

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__(**options)
        self._open: list[socket.socket] = []
        self.pool_classes_by_scheme = {
            "http": self._recorded(HTTPConnectionPool, HTTPConnection),
            "https": self._recorded(HTTPSConnectionPool, HTTPSConnection),
        }

    def urlopen(self, *request: Any, **options: Any) -> Any:
        """As ``PoolManager`` does."""
        return super().urlopen(*request, **options | {"redirect": False, "retries": False})

    def interrupt(self) -> None:
        """Shuts what is open."""
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _recorded(self, pool: type[Any], connection: type[Any]) -> type[Any]:
        connections = self._open

        class Recorded(connection):  # type: ignore[misc]
            def connect(self) -> None:
                super().connect()
                connections[:] = [self.sock]
                # Where `tls: require` does not verify, there is no need for a warning.
                self.is_verified = True

        return type("Pool", (pool,), {"ConnectionCls": Recorded})


def _connections(address: Address) -> _Connections:
    """Without what the environment names as a proxy: a password is for the server alone."""
    options: dict[str, Any] = get_pool_manager_options(
        maxsize=1, verify=address.tls == "verify-full", ca_cert=address.authorities, server_hostname=address.name
    )
    tls = ("cert_reqs", "ca_certs", "server_hostname")
    return _Connections({k: v for k, v in options.items() if address.tls != "disable" or k not in tls})


def file_of(rows: pa.Table) -> pa.Buffer:
    """Rows as a file of Arrow, in memory that is asked for once: a file that grows is copied, and twice as large."""
    counted = pa.MockOutputStream()
    _write(counted, rows)
    whole = pa.allocate_buffer(counted.size())
    _write(pa.FixedSizeBufferWriter(whole), rows)
    return whole


def _write(sink: pa.NativeFile, rows: pa.Table) -> None:
    with pa.ipc.new_file(sink, rows.schema) as file:
        file.write_table(rows)


def _external(stage: Stage | None) -> ExternalData | None:
    if stage is None:
        return None
    return ExternalData(file_name=stage.name, data=stage.data, fmt="Arrow", structure=stage.structure)


def _asked(act: Callable[[], _Answer]) -> _Answer:
    """What is answered; the client's errors are raised as ``Refused``, without what they were about, which is large."""
    try:
        return act()
    except ProgrammingError as error:
        refused = Refused(_READ_ONLY_SETTING, str(error))
    except ClickHouseError as error:
        refused = Refused(getattr(error, "code", None) or 0, str(error), _bare(error.__cause__))
    except (HTTPError, HTTPException, OSError, pa.ArrowInvalid) as error:
        refused = Refused(0, str(error), _bare(error))
    raise refused


def _bare(error: BaseException | None) -> BaseException | None:
    """An error without the frames that it came through, nor those of what it comes from."""
    for each in chain(error):
        each.__traceback__ = None
    return error


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and what it comes from."""
    while error is not None:
        yield error
        inner = getattr(error, "reason", None) or next(
            (each for each in error.args if isinstance(each, BaseException)), None
        )
        error = inner if isinstance(inner, BaseException) else error.__cause__ or error.__context__


def _quieten() -> None:
    """The client logs what the server answers, which may quote rows. A level that is already set is left alone."""
    log = logging.getLogger(_LOG)
    if log.level == logging.NOTSET:
        log.setLevel(logging.CRITICAL)
