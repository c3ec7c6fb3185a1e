"""A read-only MySQL session: one transaction per query, streamed as the server sends it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from reverse_etl.config.sql_text import one_statement
from reverse_etl.sources.base import Start, refuse_duplicates
from reverse_etl.sources.mysql import values as values
from reverse_etl.sources.mysql.dialect import DIALECT
from reverse_etl.sources.mysql.pile import Pile
from reverse_etl.sources.mysql.types import kinds
from reverse_etl.sources.mysql.wire import Address, Refused, Row, Wire

if TYPE_CHECKING:
    import pyarrow as pa

    from reverse_etl.sources.mysql.errors import Messages
    from reverse_etl.sources.powers import ChangeLog

KILL_S: Final = 5.0
"""How long the server may take to end a query whose answer is no longer needed."""

_WRONG_TIME: Final = re.compile(r"incorrect (?:date|time)\w* value: '(\d{1,12})'", re.IGNORECASE)
_GROUP_CONCAT_BYTES: Final = 1_048_576
"""GROUP_CONCAT cuts off silently; MySQL's own limit is 1024, this is MariaDB's."""

_MOST_WRITE_S: Final = 86_400


class MysqlSession:
    """See ``base.Session``. Each query sees one state of the database, where its tables are InnoDB."""

    def __init__(
        self,
        open_wire: Callable[[Address], Wire],
        address: Address,
        messages: Messages,
        *,
        timezone: str,
        tinyint1_is_boolean: bool,
    ) -> None:
        self._open_wire = open_wire
        self._address = address
        self._messages = messages
        self._timezone = timezone
        self._tinyint1_is_boolean = tinyint1_is_boolean
        self._closed = False
        self._until = time.monotonic() + messages.longest_s
        try:
            self._log_in()
        except Refused as refused:
            raise messages.login(refused) from None
        except TimeoutError:
            raise messages.silent() from None

    def now(self) -> datetime:
        text = self._ask("SELECT CAST(UTC_TIMESTAMP(6) AS CHAR)")
        return datetime.fromisoformat(text).replace(tzinfo=UTC)

    def start(self) -> Start:
        from reverse_etl.sources.mysql.start import start

        self._start_clock()
        user = self._messages.facts["user"]
        with self._in_words():
            return start(
                lambda sql: self._wire.answer(sql, self._until),
                lambda sql: self._wire.describe(sql, self._until)[0],
                is_mariadb=self._is_mariadb,
                user=f"'{user}'@'%'",
            )

    def log(self, name: str, tables: Mapping[str, str]) -> ChangeLog:  # noqa: ARG002 - the server keeps nothing for us
        from reverse_etl.sources.mysql.log import MysqlLog

        return MysqlLog(self._address, tables, self._answer, self._is_mariadb)

    def server(self) -> str:
        product = "MariaDB" if self._is_mariadb else "MySQL"
        return f"{product} {self._version.partition('-')[0]}"

    def read_only(self) -> bool:
        names = "'transaction_read_only', 'tx_read_only'"
        return self._ask(f"SHOW SESSION VARIABLES WHERE Variable_name IN ({names})", column=1) == "ON"

    def stream(self, sql: str, *, limit: int | None = None) -> Generator[pa.RecordBatch, None, None]:
        query = one_statement(sql, DIALECT)
        self._start_clock()
        self._reading = False
        try:
            self._prepare(query)
            if limit is not None:
                self._run(f"SET SESSION sql_select_limit = {limit:d}")
            with self._in_words():
                self._reading = True
                fields = self._wire.start(query, self._until)
            names = [field.name for field in fields]
            found = kinds(fields, tinyint1_is_boolean=self._tinyint1_is_boolean)
            for columns in self._columns(len(names), limit):
                yield values.batch(columns, names, found, timezone=self._timezone)
            if not self._reading:
                self._refuse_number_for_time(query)
        finally:
            self._settle(limited=limit is not None)

    def close(self) -> None:
        """Closes the connection; what still runs on it ends when the server finds the client gone."""
        self._closed = True
        self._wire.close()

    def _log_in(self) -> None:
        self._wire = self._open_wire(self._address)
        try:
            ((identifier, version),) = self._wire.answer("SELECT CONNECTION_ID(), VERSION()", self._until)
            self._identifier = int(identifier or 0)
            self._version = (version or b"").decode(errors="replace")
            self._is_mariadb = "MariaDB" in self._version
            for statement in self._settings():
                self._wire.answer(statement, self._until)
        except BaseException:
            self._wire.close()
            raise

    def _settings(self) -> Iterator[str]:
        longest_s = self._messages.longest_s
        write_s = min(_MOST_WRITE_S, max(60, round(longest_s)))
        most = f"max_execution_time = {max(1, round(longest_s * 1000))}"
        if self._is_mariadb:
            most = f"max_statement_time = {longest_s:.3f}"
        yield "SET NAMES utf8mb4"
        # Padding is no part of a value; the mode has CHAR columns return it.
        yield "SET SESSION sql_mode = REPLACE(@@SESSION.sql_mode, 'PAD_CHAR_TO_FULL_LENGTH', '')"
        yield "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
        yield (
            f"SET SESSION autocommit = 1, time_zone = '+00:00', {most}, net_write_timeout = {write_s}, "
            f"group_concat_max_len = {_GROUP_CONCAT_BYTES}"
        )

    def _refuse_number_for_time(self, query: str) -> None:
        """MySQL takes a number beside a date-time for a date, such as 1767576600 for one of 2017, and only warns."""
        with self._in_words():
            warnings = self._wire.answer("SHOW WARNINGS LIMIT 64", self._until)
        for _, _, text in warnings:
            value = _WRONG_TIME.search((text or b"").decode(errors="replace"))
            if value and re.search(rf"(?<!\w){value[1]}(?!\w)", query):
                raise self._messages.number_for_time()

    def _prepare(self, query: str) -> None:
        """Opens the transaction and makes sure, without running it, that the query is one that returns columns."""
        self._run("START TRANSACTION READ ONLY")
        with self._in_words(sql=query):
            names, parameters = self._wire.describe(query, self._until)
        if parameters:
            raise self._messages.parameter("?")
        if not names:
            raise self._messages.no_columns()
        refuse_duplicates(names, self._messages.where)

    def _columns(self, count: int, limit: int | None) -> Iterator[list[pa.BinaryArray]]:
        """The result's columns, in parts of a batch's size; at least one part."""
        pile = Pile(count, limit=limit)
        empty = True
        while self._reading and pile.left > 0:
            with self._in_words():
                self._reading = self._wire.fill(pile, self._until)
            if pile.rows:
                yield self._taken(pile)
                empty = False
        if empty:
            yield pile.take()

    def _taken(self, pile: Pile) -> list[pa.BinaryArray]:
        try:
            return pile.take()
        except Refused as refused:
            raise self._messages.refused(refused) from None

    def _settle(self, *, limited: bool) -> None:
        """Ends the transaction; where the query still runs, its connection, on the server too."""
        if self._closed:
            return
        self._until = time.monotonic() + KILL_S
        try:
            if self._reading:
                self._replace()
                return
            self._wire.answer("ROLLBACK", self._until)
            if limited:
                self._wire.answer("SET SESSION sql_select_limit = DEFAULT", self._until)
        except (Refused, TimeoutError):
            self._wire.close()

    def _replace(self) -> None:
        """Gives the connection up, and has the server end what runs on it through the one that takes its place."""
        self._reading = False
        left_running = self._identifier
        self._wire.close()
        self._log_in()
        try:
            self._wire.answer(f"KILL {left_running:d}", self._until)
        except Refused:
            # It has ended by itself.
            return

    def _ask(self, sql: str, *, column: int = 0) -> str:
        """One value of the only row."""
        self._start_clock()
        with self._in_words():
            rows = self._wire.answer(sql, self._until)
        return (rows[0][column] or b"").decode()

    def _run(self, sql: str) -> None:
        with self._in_words():
            self._wire.answer(sql, self._until)

    def _answer(self, sql: str) -> list[Row]:
        self._start_clock()
        with self._in_words():
            return self._wire.answer(sql, self._until)

    def _start_clock(self) -> None:
        """The server is to stop first, so this side waits a little longer."""
        timeout_s = self._messages.longest_s
        self._until = time.monotonic() + timeout_s + min(5.0, 0.2 + timeout_s / 10)

    @contextmanager
    def _in_words(self, *, sql: str = "") -> Iterator[None]:
        """Turns what the wire raises into our errors; after either the query no longer runs."""
        try:
            yield
        except Refused as refused:
            self._reading = False
            raise self._messages.refused(refused, sql=sql) from None
        except TimeoutError:
            self._reading = False
            raise self._messages.timed_out() from None
