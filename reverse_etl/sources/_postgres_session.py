"""A read-only PostgreSQL session: one transaction per query, streamed through COPY.

The settings are made inside each transaction, so that a connection pooler between here and the server hands none
of them on to others.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from reverse_etl.config.sql_text import one_statement
from reverse_etl.errors import QueryError
from reverse_etl.sources import _postgres_values as values
from reverse_etl.sources._postgres_types import copy_statement, kinds
from reverse_etl.sources._postgres_wire import Wire
from reverse_etl.sources.base import BATCH_BYTES, BATCH_ROWS, refuse_duplicates

if TYPE_CHECKING:
    import psycopg
    import pyarrow as pa

    from reverse_etl.sources._postgres_errors import Messages

_SETTINGS: Final = {
    "default_transaction_read_only": "on",
    "client_min_messages": "error",
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "iso_8601",
    "bytea_output": "hex",
    "extra_float_digits": "1",
}


class PostgresSession:
    """See ``base.Session``. Each query sees one snapshot of the database."""

    def __init__(self, connection: psycopg.Connection[Any], messages: Messages, *, timezone: str) -> None:
        self._wire = Wire(connection, messages)
        self._version = connection.pgconn.parameter_status(b"server_version") or b""
        # A server that does not know what its text is encoded in would refuse to call it UTF-8.
        unknown = connection.pgconn.parameter_status(b"server_encoding") == b"SQL_ASCII"
        self._settings = {**_SETTINGS, "client_encoding": "SQL_ASCII" if unknown else "UTF8"}
        self._messages = messages
        self._timezone = timezone

    def now(self) -> datetime:
        text = self._ask("SELECT pg_catalog.to_char(pg_catalog.clock_timestamp(), 'YYYY-MM-DD HH24:MI:SS.US')")
        return datetime.fromisoformat(text).replace(tzinfo=UTC)

    def server(self) -> str:
        return f"PostgreSQL {self._version.decode().partition(' ')[0]}"

    def read_only(self) -> bool:
        return self._ask("SHOW transaction_read_only") == "on"

    def stream(self, sql: str, *, limit: int | None = None) -> Generator[pa.RecordBatch, None, None]:
        query = one_statement(sql, "postgres")
        self._begin()
        try:
            description = self._wire.describe(query)
            self._require_rows(len(description.names), description.parameters)
            refuse_duplicates(description.names, self._messages.where)
            found = kinds(description.types, self._wire.run)
            statement = copy_statement(query, found, limit=limit)
            empty = True
            for block in self._wire.copy(statement, max_rows=BATCH_ROWS, max_bytes=BATCH_BYTES):
                yield values.batch(block, description.names, found, timezone=self._timezone)
                empty = False
            if empty:
                yield values.batch(b"", description.names, found, timezone=self._timezone)
        finally:
            self._wire.settle()

    def close(self) -> None:
        """Closes the connection."""
        self._wire.close()

    def _begin(self) -> None:
        self._wire.start()
        milliseconds = max(1, round(self._messages.longest_s * 1000))
        settings = {**self._settings, "statement_timeout": str(milliseconds)}
        self._wire.run(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; "
            + " ".join(f"SET LOCAL {name} = '{value}';" for name, value in settings.items())
        )

    def _ask(self, sql: str) -> str:
        """The only value of the only row."""
        self._begin()
        try:
            return self._wire.run(sql)[0][0]
        finally:
            self._wire.settle()

    def _require_rows(self, columns: int, parameters: int) -> None:
        if parameters:
            raise QueryError(
                f"{self._messages.where}: the query has a parameter ($1).",
                hint="{{last_sync_time}} is the only thing that is replaced in a query.",
            )
        if not columns:
            raise QueryError(f"{self._messages.where}: the query returns no columns.", hint="Write one SELECT.")
