"""A connection through PyMySQL: for machines where asyncmy, which is compiled, cannot be installed."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pymysql  # type: ignore[import-untyped]
from pymysql.cursors import SSCursor  # type: ignore[import-untyped]
from pymysql.protocol import FieldDescriptorPacket  # type: ignore[import-untyped]

from reverse_etl.sources.mysql.pile import Pile
from reverse_etl.sources.mysql.wire import (
    CLOSE_STATEMENT,
    PREPARE,
    Address,
    Field,
    Row,
    fields,
    prepared,
    refused,
)


class PymysqlWire:
    """See ``wire.Wire``."""

    def __init__(self, address: Address) -> None:
        tls: dict[str, Any] = {"ssl": address.tls} if address.tls else {"ssl_disabled": True}
        arguments = {**address.arguments(), **tls, "read_timeout": address.answer_s, "write_timeout": address.answer_s}
        self._connection: Any = pymysql.connections.Connection(**arguments, defer_connect=True)
        self._cursor: Any = None
        with self._until(time.monotonic() + address.answer_s):
            self._connection.connect()

    def answer(self, sql: str, until: float) -> list[Row]:
        with self._until(until), self._connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def describe(self, sql: str, until: float) -> tuple[list[str], int]:
        with self._until(until):
            self._connection._execute_command(PREPARE, sql)
            statement, columns, parameters = prepared(self._connection._read_packet().get_all_data())
            self._definitions(parameters)
            names = self._definitions(columns)
            self._connection._execute_command(CLOSE_STATEMENT, struct.pack("<I", statement))
        return names, parameters

    def start(self, sql: str, until: float) -> list[Field]:
        with self._until(until):
            self._cursor = self._connection.cursor(SSCursor)
            self._cursor.execute(sql)
        return fields(self._connection._result.fields)

    def fill(self, pile: Pile, until: float) -> bool:
        while room := pile.room:
            with self._until(until):
                rows = self._cursor.fetchmany(room)
            if not rows:
                return False
            pile.add(rows)
        return True

    def close(self) -> None:
        connection = self._connection
        if connection._result is not None and connection._result.unbuffered_active:
            self._give_up()
        elif connection.open:
            connection.close()

    def watch(self, silent_ms: int) -> None:
        """From now on, what was sent may stay this long without an answer of the server's machine."""
        with suppress(OSError, AttributeError):
            self._connection._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, silent_ms)

    def interrupt(self) -> None:
        """Has another thread, which waits for the server, find the connection lost."""
        with suppress(OSError, AttributeError):
            # Not TLS's own, which would pull it from under that thread.
            socket.socket.shutdown(self._connection._sock, socket.SHUT_RDWR)

    def _definitions(self, count: int) -> list[str]:
        names = [self._connection._read_packet(FieldDescriptorPacket).name for _ in range(count)]
        if count:
            self._connection._read_packet()
        return names

    @contextmanager
    def _until(self, until: float) -> Iterator[None]:
        """Gives each wait for the server the time that is left, and raises errors as ``Wire`` does."""
        self._connection._read_timeout = max(0.001, until - time.monotonic())
        try:
            yield
        except pymysql.err.MySQLError as error:
            refusal = refused(error, getattr(error, "original_exception", None))
            if refusal.lost:
                self._give_up()
            # That a wait took too long is only in PyMySQL's text.
            if refusal.lost and time.monotonic() >= until and "timed out" in refusal.text:
                raise TimeoutError from None
            raise refusal from None
        except BaseException:
            self._give_up()
            raise

    def _give_up(self) -> None:
        """Closes without a message, and without reading the rest, as letting go of the result would."""
        result = self._connection._result
        if result is not None:
            result.unbuffered_active = False
        self._connection._force_close()
