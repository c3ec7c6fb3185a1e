"""One PostgreSQL connection, statement by statement, where no wait is longer than it may be.

libpq has no read timeout. So nothing here blocks inside it: each wait is on the socket, up to the query's deadline.
What is asked of the server is ``session``.
"""

from __future__ import annotations

import selectors
import time
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus

from reverse_etl.errors import SourceError

if TYPE_CHECKING:
    from psycopg.pq.abc import PGresult

    from reverse_etl.sources.postgres.errors import Messages

CANCEL_S: Final = 5.0
"""How long the server may take to acknowledge that a query is canceled."""


@dataclass(frozen=True, slots=True)
class Description:
    """What a prepared query will return.

    Attributes:
        names: Column names, in order.
        types: Their type OIDs.
        parameters: How many ``$1`` it has.
    """

    names: tuple[str, ...]
    types: tuple[int, ...]
    parameters: int


class Wire:
    """A connection on which statements run with a common deadline."""

    def __init__(self, connection: psycopg.Connection[Any], messages: Messages) -> None:
        self._connection = connection
        self._pg = connection.pgconn
        self._messages = messages
        self._began = self._until = 0.0
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._pg.socket, selectors.EVENT_READ)

    def start(self) -> None:
        """Starts the clock. The server is to stop first, so this side waits a little longer."""
        timeout_s = self._messages.longest_s
        self._began = time.monotonic()
        self._until = self._began + timeout_s + min(5.0, 0.2 + timeout_s / 10)

    def run(self, sql: str) -> list[tuple[str, ...]]:
        """Runs statements; the rows of the last one, values as text, NULL as an empty one.

        Raises:
            SourceError: The server refused, was lost or did not answer in time.
        """
        rows: list[tuple[str, ...]] = []
        for result in self._answers(lambda: self._pg.send_query(sql.encode())):
            rows = [
                tuple(
                    (result.get_value(row, column) or b"").decode(errors="replace") for column in range(result.nfields)
                )
                for row in range(result.ntuples)
            ]
        return rows

    def describe(self, sql: str) -> Description:
        """Has one statement prepared, which reads no rows; raises like ``run``."""
        list(self._answers(lambda: self._pg.send_prepare(b"", sql.encode()), sql))
        (result,) = self._answers(lambda: self._pg.send_describe_prepared(b""))
        columns = range(result.nfields)
        names = tuple((result.fname(column) or b"").decode(errors="replace") for column in columns)
        return Description(names, tuple(result.ftype(column) for column in columns), result.nparams)

    def copy(self, sql: str, *, max_rows: int, max_bytes: int) -> Iterator[bytes]:
        """Runs ``COPY ... TO STDOUT`` and yields whole rows, joined; a block ends with the row that fills it.

        The server sends each row as one message, so a block needs no search for row ends; raises like ``run``.
        """
        for result in self._answers(lambda: self._pg.send_query(sql.encode())):
            if result.status == ExecStatus.COPY_OUT:
                yield from self._copied(max_rows, max_bytes)

    def settle(self) -> None:
        """Ends what is still running and the transaction; gives the connection up where that takes too long."""
        if self._pg.status != ConnStatus.OK:
            return
        try:
            self._until = time.monotonic() + CANCEL_S
            if self._pg.transaction_status == TransactionStatus.ACTIVE:
                self._connection.cancel_safe(timeout=CANCEL_S)
                self._drain()
            self.run("ROLLBACK")
        except (psycopg.Error, SourceError):
            self._pg.finish()

    def close(self) -> None:
        """Closes the connection; what still runs on it is ended by the server."""
        self._selector.close()
        self._connection.close()

    def _copied(self, max_rows: int, max_bytes: int) -> Iterator[bytes]:
        take = self._pg.get_copy_data
        block = BytesIO()
        write = block.write
        rows = 0
        while True:
            try:
                count, row = take(1)
            except psycopg.Error:
                raise self._lost() from None
            if count > 0:
                # Copied at once: keeping libpq's buffer of each row costs twice the time.
                write(row)
                rows += 1
                if rows == max_rows or block.tell() >= max_bytes:
                    yield block.getvalue()
                    block.seek(0)
                    block.truncate()
                    rows = 0
            elif count == 0:
                self._wait()
            else:
                break
        if rows:
            yield block.getvalue()

    def _answers(self, send: Any, sql: str = "") -> Iterator[PGresult]:
        """Sends and yields each result; the first failed one is raised after the last."""
        failed: PGresult | None = None
        try:
            send()
            while self._pg.flush():
                self._wait(writing=True)
            while (result := self._next()) is not None:
                if result.status in (ExecStatus.FATAL_ERROR, ExecStatus.BAD_RESPONSE):
                    failed = failed or result
                else:
                    yield result
        except psycopg.Error:
            raise self._messages.refused(failed, began=self._began) if failed else self._lost() from None
        if failed is not None:
            raise self._messages.refused(failed, sql=sql, began=self._began)

    def _next(self) -> PGresult | None:
        while self._pg.is_busy():
            self._wait()
        return self._pg.get_result()

    def _drain(self) -> None:
        while (result := self._next()) is not None:
            while result.status == ExecStatus.COPY_OUT and (count := self._pg.get_copy_data(1)[0]) >= 0:
                if count == 0:
                    self._wait()

    def _wait(self, *, writing: bool = False) -> None:
        """Waits for the socket and takes in what has come; gives the connection up at the deadline."""
        left = self._until - time.monotonic()
        self._selector.modify(self._pg.socket, selectors.EVENT_READ | (selectors.EVENT_WRITE if writing else 0))
        if left <= 0 or not self._selector.select(left):
            self._pg.finish()
            raise self._messages.timed_out()
        try:
            self._pg.consume_input()
        except psycopg.Error:
            raise self._lost() from None

    def _lost(self) -> Exception:
        """Why the connection broke off: the server's last words if there are any."""
        if self._pg.status == ConnStatus.OK:
            self._pg.finish()
            return self._messages.lost()
        try:
            while (result := self._pg.get_result()) is not None:
                if result.status == ExecStatus.FATAL_ERROR:
                    return self._messages.refused(result, began=self._began)
        except psycopg.Error:
            pass
        return self._messages.lost()
