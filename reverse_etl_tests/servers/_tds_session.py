"""One login of the TDS counterpart: what it agrees to, what it answers, and how a query is canceled."""

from __future__ import annotations

import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from reverse_etl_tests.servers import _tds_tokens as tokens
from reverse_etl_tests.servers._tds_changes import with_change_tracking
from reverse_etl_tests.servers._tds_channel import Channel
from reverse_etl_tests.servers._tds_sql import (
    VERSION,
    RefusedError,
    Statement,
    refused,
    refused_while_reading,
    statements,
)
from reverse_etl_tests.servers._tds_types import types_of

if TYPE_CHECKING:
    from reverse_etl_tests.servers.tds import TdsServer

_BATCH, _RPC, _ATTENTION, _TRANSACTION = 1, 3, 6, 14
_ROWS = 2_000
_OFF, _ON, _NOT_SUPPORTED, _REQUIRED = range(4)

_DESCRIBE = re.compile(
    r"SELECT column_ordinal FROM sys\.dm_exec_describe_first_result_set\(N'((?:[^']|'')*)', NULL, 0\) "
    r"WHERE system_type_id IN \(175, 239\) AND is_hidden = 0"
)


class Session:
    """One login: a thread that reads what the client says, and one that answers."""

    def __init__(self, server: TdsServer, plain: socket.socket, context: ssl.SSLContext) -> None:
        self.running = False
        self.user = self.program = ""
        self.asked_read_only = self.encrypted = False
        self.settings: dict[str, str] = {}
        self._server = server
        self._socket = plain
        self._context = context
        self._channel = Channel(plain, server.flowing)
        self._messages: SimpleQueue[tuple[int, bytes]] = SimpleQueue()
        self._canceled = threading.Event()
        self._cursor = server.cursor()
        self._open = False
        # No daemons: DuckDB aborts a process that ends while one of its connections is being closed.
        self._threads = [threading.Thread(target=self._serve)]

    def start(self) -> None:
        """Begins to answer."""
        self._threads[0].start()

    def join(self) -> None:
        """Waits for the end of its threads."""
        for thread in self._threads:
            thread.join()

    def cut(self) -> None:
        """Resets the connection."""
        with suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._socket.shutdown(socket.SHUT_RD)
        with suppress(OSError):
            self._socket.close()

    def leave(self) -> None:
        """Ends the connection in good order, with TLS's own farewell."""
        with suppress(OSError):
            self._channel.close()

    def _serve(self) -> None:
        """Answers until the client leaves."""
        try:
            with suppress(OSError, struct.error, IndexError):
                if self._negotiated() and self._logged_in():
                    listening = threading.Thread(target=self._listen)
                    self._threads.append(listening)
                    listening.start()
                    self._answer()
        finally:
            self._server.sessions.remove(self)
            self._cursor.close()
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()

    def _negotiated(self) -> bool:
        """PRELOGIN: agrees on encryption."""
        _, asked = self._channel.read()
        wish = _NOT_SUPPORTED
        for kind, offset, _length in struct.iter_unpack(">BHH", asked[: asked.index(0xFF) // 5 * 5]):
            if kind == 1:
                wish = asked[offset]
        answer = {"absent": _NOT_SUPPORTED, "required": _REQUIRED}.get(self._server.encryption)
        if answer is None:
            answer = {_OFF: _OFF, _NOT_SUPPORTED: _NOT_SUPPORTED}.get(wish, _ON)
        version = struct.pack(">BBHH", *VERSION, 0)
        options = struct.pack(">BHHBHHB", 0, 11, len(version), 1, 11 + len(version), 1, 0xFF)
        self._channel.write(options + version + bytes([answer]), last=True)
        if answer == _NOT_SUPPORTED or (answer == _REQUIRED and wish == _NOT_SUPPORTED):
            return answer == _NOT_SUPPORTED
        self._channel.start_tls(self._context)
        self.encrypted = answer != _OFF
        return True

    def _logged_in(self) -> bool:
        """LOGIN7: checks password and database."""
        _, sent = self._channel.read()
        if not self.encrypted:
            self._channel.stop_tls()

        def text(at: int) -> bytes:
            offset, length = struct.unpack_from("<HH", sent, at)
            return sent[offset : offset + 2 * length]

        self.user, self.program = text(40).decode("utf-16-le"), text(48).decode("utf-16-le")
        password = bytes(((byte ^ 0xA5) << 4 & 0xF0) | (byte ^ 0xA5) >> 4 for byte in text(44)).decode("utf-16-le")
        self.asked_read_only = bool(sent[26] & 0x20)
        database = text(68).decode("utf-16-le")
        size = struct.unpack_from("<I", sent, 8)[0] or self._channel.packet_bytes
        login = self._server.logins.get(self.user)
        why: tuple[int, str] | None = None
        if login is None or password != login.password:
            why = 18456, f"Login failed for user '{self.user}'."
        elif login.disabled:
            why = 18470, f"Login failed for user '{self.user}'. Reason: The account is disabled."
        elif database != self._server.database or not login.has_user:
            why = 4060, f'Cannot open database "{database}" requested by the login. The login failed.'
        if why is not None:
            failed = tokens.message(*why, severity=14) + tokens.done(tokens.FAILED)
            self._channel.write(failed, last=True)
            return False
        greeting = tokens.changed(1, database, "master") + tokens.collation()
        greeting += tokens.message(5701, f"Changed database context to '{database}'.", severity=0, is_error=False)
        greeting += tokens.logged_in(VERSION) + tokens.changed(4, str(size), "4096") + tokens.done()
        self._channel.write(greeting, last=True)
        self._channel.packet_bytes = size
        return True

    def _listen(self) -> None:
        """Passes messages on; one that cancels also stops what runs."""
        try:
            while True:
                kind, content = self._channel.read()
                if kind == _ATTENTION:
                    self._stop()
                self._messages.put((kind, content))
        except (OSError, ValueError):
            self._stop()
            self._messages.put((0, b""))

    def _stop(self) -> None:
        self._canceled.set()
        while self.running and self._server.flowing.is_set():
            with suppress(duckdb.Error):
                self._cursor.interrupt()
            threading.Event().wait(0.01)

    def _answer(self) -> None:
        while True:
            kind, content = self._messages.get()
            if kind == _BATCH:
                sql = content[struct.unpack_from("<I", content)[0] :].decode("utf-16-le", "surrogatepass")
                self._server.batches.append(sql)
                self._run(sql)
            elif kind == _ATTENTION:
                self._canceled.clear()
                self._channel.write(tokens.done(tokens.ATTENTION), last=True)
            elif kind == _TRANSACTION:
                self._channel.write(tokens.done(), last=True)
            elif kind == _RPC:
                said = tokens.message(2812, "Could not find stored procedure.", severity=16)
                self._channel.write(said + tokens.done(tokens.FAILED), last=True)
            else:
                return

    def _run(self, sql: str) -> None:
        self.running = True
        try:
            if not self._set(sql):
                sql = self._waited(sql)
                hidden = frozenset(self._server.hidden)
                login = self._server.logins[self.user]
                parse = partial(
                    statements, facts=self._facts(), hidden=hidden, may_write=login.may_write, schemas=login.schemas
                )
                sql = with_change_tracking(sql, self._server.version, self._server.tracked)
                parsed = parse(_described(sql, parse))
                for number, statement in enumerate(parsed):
                    self._send(statement, more=number < len(parsed) - 1)
                if parsed:
                    return
            self._end(tokens.done())
        except RefusedError as error:
            said = tokens.message(error.number, error.text, severity=error.severity)
            self._end(said + tokens.done(tokens.FAILED))
        finally:
            self.running = False

    def _send(self, statement: Statement, *, more: bool) -> None:
        """Runs one statement and sends its rows as DuckDB gives them."""
        flag = tokens.MORE if more else 0
        left = int(self.settings.get("ROWCOUNT", "0")) or None
        count = 0
        try:
            if not statement.returns_rows:
                rows = self._cursor.execute(statement.sql).fetchall()
                self._end(tokens.done(flag | tokens.COUNTED, rows[0][0] if rows else 0), last=not more)
                return
            relation = self._cursor.sql(statement.sql)
            types = types_of(relation.columns, [str(kind) for kind in relation.types], statement.declared)
            self._channel.write(tokens.columns(relation.columns, types))
            with relation.to_arrow_reader(_ROWS) as reader:
                while (left is None or count < left) and not self._canceled.is_set():
                    batch = self._next(reader)
                    if batch is None:
                        break
                    batch = batch if left is None else batch.slice(0, left - count)
                    count += batch.num_rows
                    self._channel.write(tokens.rows(batch, types))
        except duckdb.InterruptException:
            return
        except duckdb.Error as error:
            raise refused(error) from None
        self._end(tokens.done(flag | tokens.COUNTED, count), last=not more)

    def _next(self, reader: pa.RecordBatchReader) -> pa.RecordBatch | None:
        try:
            return next(iter(reader), None)
        except (pa.ArrowException, OSError) as error:
            # What DuckDB stumbles over while it streams comes as Arrow's error, with DuckDB's text.
            if self._canceled.is_set():
                return None
            raise refused_while_reading(str(error)) from None

    def _end(self, said: bytes, *, last: bool = True) -> None:
        """Ends an answer; that of a canceled query is ended by what acknowledges the cancellation."""
        if not self._canceled.is_set():
            self._channel.write(said, last=last)

    def _set(self, sql: str) -> bool:
        """Runs a batch of settings and transactions; False where it is something else."""
        parts = [part.strip() for part in sql.split(";") if part.strip()]
        if not all(re.match(r"(?i)(SET|BEGIN TRANSACTION|IF @@TRANCOUNT > 0 ROLLBACK|USE)\b", part) for part in parts):
            return False
        for part in parts:
            if isolation := re.match(r"(?i)SET TRANSACTION ISOLATION LEVEL (.+)", part):
                self.settings["ISOLATION"] = isolation[1]
            elif setting := re.match(r"(?i)SET (\w+) (.+)", part):
                self.settings[setting[1].upper()] = setting[2]
            elif part.upper().startswith("BEGIN"):
                self._cursor.begin()
                self._open = True
            elif part.upper().startswith("IF") and self._open:
                with suppress(duckdb.TransactionException):
                    self._cursor.rollback()
                self._open = False
        return True

    def _waited(self, sql: str) -> str:
        """Honours WAITFOR at the start of a batch; what remains of it."""
        waiting = re.match(r"(?i)\s*WAITFOR DELAY '00:00:(\d\d)'\s*;?", sql)
        if waiting is None:
            return sql
        self._canceled.wait(int(waiting[1]))
        return sql[waiting.end() :]

    def _facts(self) -> dict[str, str]:
        return {
            "@@VERSION": "'Microsoft SQL Server 2022 (counterpart)'",
            "SYSUTCDATETIME()": "CAST(get_current_timestamp() AT TIME ZONE 'UTC' AS TIMESTAMP)",
            "SYSDATETIME()": "CAST(get_current_timestamp() AT TIME ZONE 'America/New_York' AS TIMESTAMP)",
            "CURRENT_TRANSACTION_ID()": "1",
            "DB_NAME()": f"'{self._server.database}'",
            "SERVERPROPERTY(PRODUCTVERSION)": f"'{self._server.version_text}'",
            "SERVERPROPERTY(ENGINEEDITION)": "3",
            "DATABASEPROPERTYEX(UPDATEABILITY)": "'READ_ONLY'" if self._server.read_only else "'READ_WRITE'",
            "APP_NAME()": f"'{self.program}'",
            "SUSER_SNAME()": f"'{self.user}'",
        }


def _described(sql: str, parse: Callable[[str], list[Statement]]) -> str:
    """A question for the CHAR and NCHAR columns of a query, as one that DuckDB can answer; any other batch as it is."""
    asked = _DESCRIBE.fullmatch(sql)
    if asked is None:
        return sql
    try:
        parsed = parse(asked[1].replace("''", "'"))
    except RefusedError:
        parsed = []
    declared = parsed[0].declared if parsed else ()
    numbers = [number for number, kind in enumerate(declared, 1) if kind and kind.name in {"BIGCHAR", "NCHAR"}]
    rows = ", ".join(f"({number})" for number in numbers)
    return f"SELECT column_ordinal FROM (VALUES {rows or '(0)'}) AS d(column_ordinal) WHERE column_ordinal > 0"
