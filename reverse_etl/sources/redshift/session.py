"""A read-only Redshift session: one transaction per query, rows by DECLARE and FETCH.

A plain query would be sent whole by the server and has to be read to its end; a cursor is read as far as wanted.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from reverse_etl.config.sql_text import one_statement
from reverse_etl.errors import QueryError, SourceUnavailableError
from reverse_etl.sources.base import BATCH_BYTES, refuse_duplicates
from reverse_etl.sources.redshift import values as values
from reverse_etl.sources.redshift.dialect import DIALECT
from reverse_etl.sources.redshift.errors import Refusal

if TYPE_CHECKING:
    import pyarrow as pa

    from reverse_etl.sources.redshift.errors import Messages
    from reverse_etl.sources.redshift.wire import Answer, Wire

_CURSOR: Final = "reverse_etl"
_FIRST_ROWS: Final = 1001
"""One more than a cluster of a single node hands out at once: its first answer shows whether it is one."""

_MOST_ROWS: Final = 10_000

_SETTINGS: Final = ("SET timezone TO 'UTC'", "SET datestyle TO 'ISO, YMD'")
_NAMES_AS_WRITTEN: Final = (
    "SET enable_case_sensitive_identifier TO true",
    "SET describe_field_name_in_uppercase TO off",
)
_UNKNOWN_SETTING: Final = "42704"
_READ_ONLY: Final = "25006"


class RedshiftSession:
    """See ``base.Session``. Each query sees one snapshot of the database."""

    def __init__(self, wire: Wire, messages: Messages, *, timezone: str) -> None:
        self._wire = wire
        self._messages = messages
        self._timezone = timezone
        self._first_rows, self._most_rows = _FIRST_ROWS, _MOST_ROWS
        milliseconds = max(1, round(messages.longest_s * 1000))
        wire.start()
        try:
            for setting in (*_SETTINGS, f"SET statement_timeout TO {milliseconds}"):
                wire.run(setting)
            for setting in _NAMES_AS_WRITTEN:
                self._set_where_known(setting)
        except Refusal as refusal:
            raise SourceUnavailableError(
                f"{messages.where}: the server refuses a session's settings ({refusal.code}).",
                hint="Check that `host` and `port` are Redshift's.",
            ) from None
        wire.settle()

    def now(self) -> datetime:
        now: datetime = self._ask("SELECT GETDATE()")
        return now.astimezone(UTC)

    def server(self) -> str:
        return f"Amazon Redshift {str(self._ask('SELECT version()')).rpartition('Redshift ')[2]}"

    def read_only(self) -> bool:
        # Redshift does not report it; a table that would vanish with the transaction is refused, or it is not.
        self._begin()
        try:
            self._wire.run("CREATE TEMP TABLE reverse_etl_writes (a int)")
        except Refusal as refusal:
            return refusal.code == _READ_ONLY
        finally:
            self._wire.settle()
        return False

    def stream(self, sql: str, *, limit: int | None = None) -> Generator[pa.RecordBatch, None, None]:
        query = one_statement(sql, DIALECT)
        if not query:
            raise QueryError(f"{self._messages.where}: the query returns no columns.", hint="Write one SELECT.")
        if limit is not None:
            query = limited(query, limit)
        self._begin()
        try:
            self._declare(query)
            yield from self._batches(query, limit)
        finally:
            self._wire.settle()

    def _batches(self, query: str, limit: int | None) -> Generator[pa.RecordBatch, None, None]:
        answer = self._first(query, limit)
        refuse_duplicates([name for name, _ in answer.columns], self._messages.where)
        blocks = values.Blocks()
        left = limit
        empty = True
        while True:
            rows = answer.rows if left is None else answer.rows[:left]
            size = sum(map(len, rows))
            for block in blocks.add(rows, size):
                yield values.batch(block, answer.columns, timezone=self._timezone)
                empty = False
            left = None if left is None else left - len(rows)
            if not rows or left == 0:
                break
            answer = self._fetch(min(self._most_rows, max(1, BATCH_BYTES * len(rows) // size)), left)
        if blocks.rest or empty:
            yield values.batch(blocks.rest, answer.columns, timezone=self._timezone)

    def _first(self, query: str, limit: int | None) -> Answer:
        """The first rows; where there were too many for the cluster, once more with fewer."""
        try:
            return self._wire.run(_fetch(self._first_rows, limit))
        except Refusal as refusal:
            if refusal.fetch_limit is None:
                raise self._error(refusal) from None
            self._first_rows = self._most_rows = refusal.fetch_limit
        self._wire.settle()
        self._begin()
        self._declare(query)
        return self._fetch(self._first_rows, limit)

    def _fetch(self, count: int, left: int | None) -> Answer:
        return self._run(_fetch(count, left))

    def _declare(self, query: str) -> None:
        statement = f"DECLARE {_CURSOR} CURSOR FOR\n{query}"
        self._run(statement, sql=statement)

    def _begin(self) -> None:
        self._wire.start()
        self._run("BEGIN READ ONLY")

    def _ask(self, sql: str) -> Any:
        """The only value of the only row; a date-time without a zone is read in UTC, the session's."""
        self._begin()
        try:
            answer = self._run(sql)
            return values.batch(answer.rows, answer.columns, timezone="UTC").column(0)[0].as_py()
        finally:
            self._wire.settle()

    def _run(self, statement: str, *, sql: str = "") -> Answer:
        try:
            return self._wire.run(statement)
        except Refusal as refusal:
            raise self._error(refusal, sql=sql) from None

    def _error(self, refusal: Refusal, *, sql: str = "") -> Exception:
        return self._messages.refused(refusal, sql=sql, took_s=self._wire.took_s())

    def _set_where_known(self, setting: str) -> None:
        try:
            self._wire.run(setting)
        except Refusal as refusal:
            if refusal.code != _UNKNOWN_SETTING:
                raise


def limited(query: str, count: int) -> str:
    """The query with LIMIT at its end, unless it has one or cannot be read: Redshift runs all of a cursor's query."""
    from sqlglot import exp, parse_one
    from sqlglot.errors import SqlglotError

    from reverse_etl.config.statement import quiet_sqlglot

    try:
        with quiet_sqlglot():
            tree = parse_one(query, dialect=DIALECT.name)
    except (SqlglotError, RecursionError):
        return query
    has_end = any(tree.args.get(part) for part in ("limit", "offset", "locks"))
    return f"{query}\nLIMIT {count:d}" if isinstance(tree, exp.Query) and not has_end else query


def _fetch(count: int, left: int | None) -> str:
    """FETCH 0 would repeat the last row, so there is at least one."""
    return f"FETCH FORWARD {count if left is None else max(1, min(count, left))} FROM {_CURSOR}"
