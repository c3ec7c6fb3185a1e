"""A read-only PostgreSQL session: one transaction per query, streamed through COPY.

The settings are made inside each transaction, so that a connection pooler between here and the server hands none
of them on to others.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from reverse_etl.config.sql_text import one_statement
from reverse_etl.errors import QueryError
from reverse_etl.sources.base import BATCH_BYTES, BATCH_ROWS, Start, refuse_duplicates
from reverse_etl.sources.postgres import values as values
from reverse_etl.sources.postgres.dialect import DIALECT
from reverse_etl.sources.postgres.marks import IDENTITY, SNAPSHOT, mark, require_marked
from reverse_etl.sources.postgres.types import copy_statement, types_of
from reverse_etl.sources.postgres.wire import Wire

if TYPE_CHECKING:
    import psycopg
    import pyarrow as pa

    from reverse_etl.config.changed import ChangedTable
    from reverse_etl.sources.postgres.errors import Messages
    from reverse_etl.sources.powers import ChangeLog, Mark

_SETTINGS: Final = {
    "default_transaction_read_only": "on",
    "client_min_messages": "error",
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "iso_8601",
    "bytea_output": "hex",
    "extra_float_digits": "1",
}

_OPEN: Final = """
SELECT extract(epoch FROM now()), pg_catalog.pg_is_in_recovery(),
       pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE'), extract(epoch FROM min(xact_start)),
       (SELECT extract(epoch FROM min(prepared)) FROM pg_catalog.pg_prepared_xacts WHERE database = current_database())
FROM pg_catalog.pg_stat_activity
WHERE datname = current_database() AND pid <> pg_catalog.pg_backend_pid()
  AND backend_type NOT IN ('autovacuum worker', 'walsender')
  AND NOT (application_name = 'reverse-etl' AND usename = session_user)
"""
"""``now()`` is when this transaction began, before the others are looked at. Sessions of ours only read.

Without ``pg_read_all_stats``, ``xact_start`` of other users is NULL. A prepared transaction began before ``prepared``.
"""

_REPLAYED: Final = """
SELECT extract(epoch FROM coalesce(pg_catalog.pg_last_xact_replay_timestamp(),
                                   (SELECT checkpoint_time FROM pg_catalog.pg_control_checkpoint()))),
       (SELECT extract(epoch FROM last_msg_send_time) FROM pg_catalog.pg_stat_wal_receiver
        WHERE status = 'streaming' AND latest_end_lsn <= pg_catalog.pg_last_wal_replay_lsn())
"""
"""The last commit that a standby has replayed, or its last checkpoint before the first; and, where all that it has
received is replayed, when the primary sent its newest message: on a quiet primary the first stands still.

Its details need ``pg_read_all_stats``. Source: postgresql.org/docs/current/monitoring-stats.html, read 2026-11.
"""


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

    def start(self) -> Start:
        try:
            clock, standby, sees_all, oldest, prepared = self._row(_OPEN)
        except QueryError:
            # Some speak PostgreSQL's protocol and lack its catalog.
            now = self.now()
            return Start(clock=now, data_at=now, missing="the server does not show which transactions are open")
        at = _instant(clock)
        if standby == "t":
            return self._start_of_standby(at)
        if sees_all != "t":
            return Start(clock=at, data_at=at, missing=f"transactions of others cannot be seen: {self._grant()}")
        reaches_to = min(at, _instant(oldest)) if oldest else at
        return Start(clock=at, data_at=at, reaches_to=reaches_to, begun_by=_instant(prepared) if prepared else None)

    def _start_of_standby(self, at: datetime) -> Start:
        missing = "a standby does not know which transactions are open on its primary"
        try:
            replayed, heard = self._row(_REPLAYED)
        except QueryError:
            # Services such as Aurora have replicas without these functions; what they lack is in `late`.
            return Start(clock=at, data_at=at, missing=missing)
        known = [_instant(text) for text in (replayed, heard) if text]
        return Start(clock=at, data_at=min(at, max(known)) if known else None, missing=missing)

    def _grant(self) -> str:
        return f'GRANT pg_read_all_stats TO "{self._messages.facts["user"]}"'

    def mark(self, before: str, tables: Sequence[ChangedTable]) -> Mark:
        for table in tables:
            require_marked(table, self._row, self._messages.where)
        try:
            identity = self._row(IDENTITY)
        except QueryError:
            # Services such as Aurora do not tell.
            identity = ()
        xmin, xmax = map(int, self._row(SNAPSHOT))
        return mark(before, identity=identity, xmin=xmin, xmax=xmax)

    def log(self, name: str, tables: Mapping[str, str]) -> ChangeLog:
        from reverse_etl.sources.postgres.log import PostgresLog

        return PostgresLog(name, tables, self._messages.facts["user"], self._rows, self.stream)

    def server(self) -> str:
        return f"PostgreSQL {self._version.decode().partition(' ')[0]}"

    def read_only(self) -> bool:
        return self._ask("SHOW transaction_read_only") == "on"

    def stream(self, sql: str, *, limit: int | None = None) -> Generator[pa.RecordBatch, None, None]:
        query = one_statement(sql, DIALECT)
        self._begin()
        try:
            description = self._wire.describe(query)
            self._require_rows(len(description.names), description.parameters)
            refuse_duplicates(description.names, self._messages.where)
            types = types_of(description.types, self._wire.run)
            statement = copy_statement(query, list(map(types.kind, description.types)), limit=limit)
            batch = partial(
                values.batch, names=description.names, oids=description.types, types=types, timezone=self._timezone
            )
            empty = True
            for block in self._wire.copy(statement, max_rows=BATCH_ROWS, max_bytes=BATCH_BYTES):
                yield batch(block)
                empty = False
            if empty:
                yield batch(b"")
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
        return self._row(sql)[0]

    def _row(self, sql: str) -> tuple[str, ...]:
        """The only row; NULL as an empty text."""
        return self._rows(sql)[0]

    def _rows(self, sql: str) -> list[tuple[str, ...]]:
        self._begin()
        try:
            return self._wire.run(sql)
        finally:
            self._wire.settle()

    def _require_rows(self, columns: int, parameters: int) -> None:
        if parameters:
            raise self._messages.parameter("$1")
        if not columns:
            raise QueryError(f"{self._messages.where}: the query returns no columns.", hint="Write one SELECT.")


def _instant(epoch: str) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=float(epoch))
