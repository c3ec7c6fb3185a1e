"""A Snowflake session: a statement is read before it is sent, runs to its end, and its result is fetched in parts.

Snowflake has no session that refuses writes. A statement that does more than read is refused here, before it is
sent; the rest is up to the role, whose grants ``read_only`` asks for.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from snowflake.connector.result_batch import ArrowResultBatch

from reverse_etl.config.sql_text import one_statement
from reverse_etl.config.statement import quiet_sqlglot, read_statement
from reverse_etl.errors import QueryError
from reverse_etl.sources.base import refuse_duplicates
from reverse_etl.sources.snowflake.chunks import tables
from reverse_etl.sources.snowflake.dialect import DIALECT
from reverse_etl.sources.snowflake.errors import FAILURES
from reverse_etl.sources.snowflake.types import batches, counts_tenths, kinds, regrouped

if TYPE_CHECKING:
    import pyarrow as pa
    from snowflake.connector import SnowflakeConnection
    from snowflake.connector.cursor import SnowflakeCursor

    from reverse_etl.sources.powers import ChangeLog
    from reverse_etl.sources.snowflake.errors import Messages

_READING: Final = frozenset({"SELECT", "USAGE", "REFERENCES", "MONITOR", "IMPORTED PRIVILEGES", "READ"})
"""Privileges with which nothing can be written.

Source: docs.snowflake.com/en/user-guide/security-access-control-privileges.
"""

_RUNNING: Final = frozenset({"PROCEDURE"})
"""What USAGE lets run, with the rights of its owner."""

_ENDS: Final = ("limit", "offset", "locks", "into")
"""What a query may have after which no LIMIT can stand."""


class SnowflakeSession:
    """See ``base.Session``. Each query sees one state of the data, and has ended before its first row comes."""

    def __init__(self, connection: SnowflakeConnection, messages: Messages, *, timezone: str) -> None:
        connection.telemetry_enabled = False
        self._connection = connection
        self._messages = messages
        self._timezone = timezone

    def now(self) -> datetime:
        now: datetime = self._value("SELECT CURRENT_TIMESTAMP()")
        return now.astimezone(UTC)

    def log(self, name: str, tables: Mapping[str, str]) -> ChangeLog:  # noqa: ARG002 - nothing is made for us
        from reverse_etl.sources._sql_log import SqlLog
        from reverse_etl.sources.snowflake.log import Changes

        return SqlLog(tables, Changes(), self.stream)

    def server(self) -> str:
        return f"Snowflake {self._value('SELECT CURRENT_VERSION()')}"

    def read_only(self) -> bool:
        """Whether the role, and those that it inherits from, have only privileges to read; False where unsure.

        Secondary roles are switched off when logging in. Ownership counts as writing, and so does the right to run
        a stored procedure, which may write with its owner's rights.
        """
        wanted = [str(self._value("SELECT CURRENT_ROLE()")), "PUBLIC"]
        asked: set[str] = set()
        while wanted:
            role = wanted.pop()
            if role in asked:
                continue
            asked.add(role)
            try:
                grants = self._rows(f"SHOW GRANTS TO ROLE {_quoted(role)}")
            except QueryError:
                return False
            for grant in grants:
                if grant["granted_on"] == "ROLE" and grant["privilege"] == "USAGE":
                    wanted.append(str(grant["name"]).strip('"'))
                elif grant["privilege"] not in _READING or grant["granted_on"] in _RUNNING:
                    return False
        return True

    def stream(self, sql: str, *, limit: int | None = None) -> Generator[pa.RecordBatch, None, None]:
        if not sql.strip():
            raise QueryError(f"{self._messages.where}: the query has no statement.", hint="Write one SELECT.")
        statement = read_statement(sql, DIALECT)
        if statement.columns is not None:
            refuse_duplicates([column.name for column in statement.columns], self._messages.where)
        elif statement.problems:
            problem = statement.problems[0][1]
            raise QueryError(f"{self._messages.where}: the query {problem}.", hint="Write one SELECT.")
        query = one_statement(sql, DIALECT)
        if limit is not None:
            query = _limited(query, limit)
        with closing(self._natural(query)) as parts:
            yield from regrouped(_first_rows(parts, limit))

    def close(self) -> None:
        """Ends the session; a query that still runs in it is ended at once."""
        self._connection.close(retry=False)

    def _natural(self, query: str) -> Generator[pa.RecordBatch, None, None]:
        """The result's batches as its parts give them."""
        began = time.monotonic()
        with self._connection.cursor() as cursor:
            self._execute(cursor, query, began)
            refuse_duplicates([column.name for column in cursor.description], self._messages.where)
            columns = kinds(cursor.description)
            if "" in columns:
                raise self._messages.unreadable(cursor.description[columns.index("")].name)
            given = cursor.get_result_batches() or []
            parts = [part for part in given if isinstance(part, ArrowResultBatch)]
            if not parts or len(parts) < len(given):
                raise QueryError(f"{self._messages.where}: the query returns no columns.", hint="Write one SELECT.")
            tenths = counts_tenths(columns)
            with closing(tables(parts, self._connection, self._messages, began=began, counts_tenths=tenths)) as found:
                for table in found:
                    # The part that came with the answer may be empty when there are others.
                    if table.num_rows or len(parts) == 1:
                        yield from batches(table, columns, timezone=self._timezone)
                    # Otherwise it would be kept until the next one is there.
                    del table

    def _execute(self, cursor: SnowflakeCursor, query: str, began: float) -> None:
        try:
            cursor.execute(query, timeout=max(1, round(self._messages.longest_s)))
        except FAILURES as error:
            raise self._messages.refused(error, began=began) from None

    def _value(self, sql: str) -> Any:
        """The only value of the only row."""
        (batch,) = self.stream(sql)
        return batch.column(0)[0].as_py()

    def _rows(self, command: str) -> list[dict[str, Any]]:
        """The rows of a SHOW command."""
        began = time.monotonic()
        with self._connection.cursor() as cursor:
            self._execute(cursor, command, began)
            names = [column.name for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _first_rows(parts: Iterator[pa.RecordBatch], limit: int | None) -> Iterator[pa.RecordBatch]:
    left = limit
    for batch in parts:
        if left is None or batch.num_rows < left:
            yield batch
        else:
            yield batch.slice(0, left)
            return
        left = None if left is None else left - batch.num_rows


def _limited(query: str, limit: int) -> str:
    """The query with a LIMIT where it certainly has none, so that Snowflake need not run all of it.

    It is appended, not put around: Snowflake keeps no order of rows out of a subquery.
    """
    from sqlglot import exp, parse_one
    from sqlglot.errors import SqlglotError

    try:
        with quiet_sqlglot():
            tree = parse_one(query, dialect=DIALECT.name)
    except (SqlglotError, RecursionError):
        return query
    if not isinstance(tree, exp.Select | exp.SetOperation) or any(map(tree.args.get, _ENDS)):
        return query
    return f"{query}\nLIMIT {limit:d}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
