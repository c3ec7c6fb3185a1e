"""A counterpart of SQL Server for tests: TDS 7.4 on loopback, queries answered by DuckDB, no other process.

``tds_server()`` starts one; the fixture ``sqlserver`` is one for each pytest worker. The login ``reader`` may only
read, ``writer`` may write, ``disabled`` may not log in; there is one database, ``shop``. What is not here: RPC
(prepared statements), MARS, bulk load, Windows and Entra logins.
Source: [MS-TDS] sections 2.2.6 and 3.3.5, read 2026-11.
"""

from __future__ import annotations

import re
import socket
import ssl
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb
import pytest
import trustme

from reverse_etl_tests.servers._tds_changes import Tracked
from reverse_etl_tests.servers._tds_session import Session
from reverse_etl_tests.servers._tds_sql import VERSION_TEXT

DATABASE = "shop"
USER = "reader"
WRITER = "writer"
PASSWORD = "planted-password-7f3a"
PASSWORD_VARIABLE = "TEST_SQLSERVER_READER_PASSWORD"

_CATALOG = (
    "CREATE SCHEMA dbo",
    "CREATE SCHEMA sys",
    "CREATE TABLE sys.databases"
    " (name VARCHAR, snapshot_isolation_state TINYINT, is_read_committed_snapshot_on BOOLEAN)",
    "CREATE TABLE sys.dm_tran_active_transactions"
    " (transaction_id BIGINT, transaction_type INTEGER, transaction_begin_time TIMESTAMP)",
    f"INSERT INTO sys.databases VALUES ('{DATABASE}', 0, false)",
)


@dataclass(frozen=True, slots=True)
class Login:
    """Who may log in.

    Attributes:
        password: Theirs.
        disabled: Whether they may not at all.
        has_user: Whether the database knows them.
        may_write: Whether they may change tables.
        schemas: Where they may read; everywhere when None.
    """

    password: str
    disabled: bool = False
    has_user: bool = True
    may_write: bool = False
    schemas: frozenset[str] | None = None


def _logins(password: str) -> dict[str, Login]:
    return {
        USER: Login(password),
        WRITER: Login(password, may_write=True),
        "disabled": Login(password, disabled=True),
    }


@dataclass(slots=True)
class TdsServer:
    """A running counterpart.

    Attributes:
        port: On 127.0.0.1.
        ca_file: The authority that issued its certificate.
        host: The only name that the certificate is for.
        encryption: ``offered``, ``required`` or ``absent``.
        read_only: Whether the database says that it is.
        version_text: What it calls its version.
        hidden: Tables that nobody may read.
        batches: Every batch that came, in order.
        logins: Who may log in, by name.
        version: Of its change tracking; None where that is off.
        tracked: The tables that are tracked, by name.
    """

    port: int
    ca_file: Path
    host: str = "localhost"
    encryption: str = "offered"
    read_only: bool = False
    version_text: str = VERSION_TEXT
    hidden: set[str] = field(default_factory=set)
    batches: list[str] = field(default_factory=list)
    version: int | None = None
    tracked: dict[str, Tracked] = field(default_factory=dict)
    database: str = DATABASE
    logins: dict[str, Login] = field(default_factory=lambda: _logins(PASSWORD))
    sessions: list[Session] = field(default_factory=list)
    flowing: threading.Event = field(default_factory=threading.Event)
    _duckdb: duckdb.DuckDBPyConnection = field(default_factory=lambda: duckdb.connect(config={"threads": 2}))

    def admin(self, sql: str) -> None:
        """Runs DuckDB statements beside all logins."""
        cursor = self.cursor()
        for statement in cursor.extract_statements(sql):
            cursor.execute(statement).fetchall()
        cursor.close()

    def administer(self, sql: str) -> None:
        """Runs CREATE LOGIN, CREATE USER and GRANT SELECT ON SCHEMA as an administrator would."""
        for statement in filter(str.strip, sql.split(";")):
            if login := re.fullmatch(r"\s*CREATE LOGIN (\w+) WITH PASSWORD = '([^']+)'\s*", statement):
                self.logins[login[1]] = Login(login[2], has_user=False, schemas=frozenset())
            elif user := re.fullmatch(r"\s*CREATE USER (\w+) FOR LOGIN (\w+)\s*", statement):
                self.logins[user[2]] = replace(self.logins[user[2]], has_user=True)
            elif grant := re.fullmatch(r"\s*GRANT SELECT ON SCHEMA::(\w+) TO (\w+)\s*", statement):
                known = self.logins[grant[2]]
                self.logins[grant[2]] = replace(known, schemas=(known.schemas or frozenset()) | {grant[1]})
            else:
                raise ValueError(statement)

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A connection of its own to the database."""
        cursor = self._duckdb.cursor()
        for setting in ("SET schema = 'dbo'", "SET TimeZone = 'UTC'", "SET python_enable_replacements = false"):
            cursor.execute(setting).fetchall()
        return cursor

    def running(self) -> int:
        """How many queries run."""
        return sum(session.running for session in self.sessions)

    def cut(self) -> None:
        """Breaks all connections off, as a server that dies does."""
        for session in list(self.sessions):
            session.cut()

    def leave(self) -> None:
        """Closes all connections as a server that shuts down in good order does, whatever it computes."""
        for session in list(self.sessions):
            session.leave()

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Nobody gets an answer meanwhile, not even to a cancellation."""
        self.flowing.clear()
        try:
            yield
        finally:
            self.flowing.set()


@contextmanager
def tds_server(certified: str = "localhost") -> Iterator[TdsServer]:
    """Starts a counterpart, its certificate for one name or address, and stops it again, its connections too."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tds-")))
        authority = trustme.CA(organization_name="Throw-away authority")
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # TLS 1.3 sends tickets after the handshake, where TDS 7.4 has no packets for them.
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        authority.issue_cert(certified).configure_cert(context)
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        server = TdsServer(listener.getsockname()[1], folder / "ca.pem")
        server.flowing.set()
        for statement in _CATALOG:
            server._duckdb.execute(statement).fetchall()
        accepting = threading.Thread(target=_accept, args=(listener, server, context), daemon=True)
        accepting.start()
        try:
            yield server
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join()
            server.flowing.set()
            for session in list(server.sessions):
                session.cut()
                session.join()


def _accept(listener: socket.socket, server: TdsServer, context: ssl.SSLContext) -> None:
    with suppress(OSError):
        while True:
            plain, _ = listener.accept()
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session = Session(server, plain, context)
            server.sessions.append(session)
            session.start()


@pytest.fixture(scope="session")
def sqlserver() -> Iterator[TdsServer]:
    """A counterpart for this worker's tests, with ``PASSWORD_VARIABLE`` set."""
    with pytest.MonkeyPatch.context() as patch, tds_server() as server:
        patch.setenv(PASSWORD_VARIABLE, PASSWORD)
        yield server
