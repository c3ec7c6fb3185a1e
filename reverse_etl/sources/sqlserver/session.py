"""A SQL Server session that only reads: each query in a transaction that is always rolled back, and streamed.

SQL Server has no read-only session. What keeps a query from changing anything is, one after the other: the query is
parsed before it comes here, the login may only read, and the transaction is never committed.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.config.sql_text import one_statement
from reverse_etl.errors import QueryError
from reverse_etl.sources._arrow import doubles
from reverse_etl.sources._values import columns_to_batch
from reverse_etl.sources.base import BATCH_BYTES, BATCH_ROWS, Start, refuse_duplicates
from reverse_etl.sources.sqlserver.dialect import DIALECT
from reverse_etl.sources.sqlserver.text import readable, text

if TYPE_CHECKING:
    import pyodbc

    from reverse_etl.sources.powers import ChangeLog
    from reverse_etl.sources.sqlserver.errors import Messages
    from reverse_etl.sources.sqlserver.wire import Wire

LOCK_S: Final = 60.0
"""How long another transaction's lock is waited for."""

_FIRST_ROWS: Final = 16
_PORTION_ROWS: Final = 4_096
_SAMPLED: Final = 16
"""Of this many rows, one is measured."""

_CLOUD: Final = {
    5: "Azure SQL Database",
    6: "Azure Synapse",
    8: "Azure SQL Managed Instance",
    9: "Azure SQL Edge",
    11: "Azure Synapse serverless",
}
"""Source: learn.microsoft.com/sql/t-sql/functions/serverproperty-transact-sql, EngineEdition, read 2026-11."""

OLDEST_MAJOR: Final = 13
"""SQL Server 2016."""

_CHAR: Final = 175
_NCHAR: Final = 239
"""Types whose values are filled up with blanks. Source: sys.types, system_type_id."""

_NOW: Final = "SELECT SYSUTCDATETIME(), CAST(DATABASEPROPERTYEX(DB_NAME(), 'Updateability') AS NVARCHAR(128))"

_OPEN: Final = (
    "SELECT SYSDATETIME(), MIN(transaction_begin_time) FROM sys.dm_tran_active_transactions "
    "WHERE transaction_type IN (1, 4) AND transaction_id <> CURRENT_TRANSACTION_ID()"
)
"""Those that may write, and distributed ones. Source: learn.microsoft.com/sql/relational-databases/
system-dynamic-management-views/sys-dm-tran-active-transactions-transact-sql, read 2026-11."""

_ROLLBACK: Final = "IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION"


class SqlServerSession:
    """See ``base.Session``. Where the database keeps row versions, each query sees one state of it."""

    def __init__(self, wire: Wire, messages: Messages, *, timezone: str) -> None:
        self._wire = wire
        self._messages = messages
        self._timezone = timezone
        self._isolation = ""

    def now(self) -> datetime:
        now: datetime
        (now,) = self._ask("SELECT SYSUTCDATETIME()")
        return now.replace(tzinfo=UTC)

    def start(self) -> Start:
        now, updateability = self._ask(_NOW)
        at = now.replace(tzinfo=UTC)
        if updateability == "READ_ONLY":
            missing = "a readable secondary does not know which transactions its primary has open"
            return Start(clock=at, data_at=at, missing=missing)
        try:
            local, began = self._ask(_OPEN)
        except QueryError:
            grant = f"GRANT VIEW SERVER STATE TO [{self._messages.facts['user']}]"
            return Start(clock=at, data_at=at, missing=f"transactions of others cannot be seen: {grant}")
        # The server's local time: only how long ago is of use.
        age = local - began if began else timedelta()
        return Start(clock=at, data_at=at, reaches_to=min(at, at - age))

    def log(self, name: str, tables: Mapping[str, str]) -> ChangeLog:  # noqa: ARG002 - nothing is made for us
        from reverse_etl.sources._sql_log import SqlLog
        from reverse_etl.sources.sqlserver.log import ChangeTracking

        return SqlLog(
            tables, ChangeTracking(self._messages.facts["database"], self._messages.facts["user"]), self.stream
        )

    def server(self) -> str:
        version, edition = self._ask(
            "SELECT CAST(SERVERPROPERTY('ProductVersion') AS NVARCHAR(128)), "
            "CAST(SERVERPROPERTY('EngineEdition') AS INT)"
        )
        if edition in _CLOUD:
            # Azure's version number stays at 12 whatever it can do.
            return f"SQL Server {version} ({_CLOUD[edition]})"
        old = int(version.partition(".")[0]) < OLDEST_MAJOR
        return f"SQL Server {version}{', older than 2016 (13.0), the oldest that is supported' if old else ''}"

    def driver(self) -> str:
        """The ODBC driver's own name and version, for ``test-connection``."""
        return self._wire.driver()

    def read_only(self) -> bool:
        (updateability,) = self._ask("SELECT CAST(DATABASEPROPERTYEX(DB_NAME(), 'Updateability') AS NVARCHAR(128))")
        return bool(updateability == "READ_ONLY")

    def stream(self, sql: str, *, limit: int | None = None) -> Generator[pa.RecordBatch, None, None]:
        query = one_statement(sql, DIALECT)
        if not query:
            raise self._no_columns()
        self._wire.start()
        try:
            self._begin()
            padded = self._padded(query)
            if limit is not None:
                # Zero would mean all rows.
                self._wire.batch(f"SET ROWCOUNT {max(1, limit):d}")
            cursor = self._wire.execute(query)
            if cursor.description is None:
                raise self._no_columns()
            names = [column[0] for column in cursor.description]
            refuse_duplicates(names, self._messages.where)
            reals = {index for index, column in enumerate(cursor.description) if _is_real(column)}
            empty = True
            for rows in self._row_lists(cursor, limit):
                yield columns_to_batch(names, _columns(rows, reals, padded), timezone=self._timezone)
                empty = False
            if empty:
                yield columns_to_batch(names, [()] * len(names), timezone=self._timezone)
        finally:
            self._wire.settle(_ROLLBACK)

    def close(self) -> None:
        """Closes the connection."""
        self._wire.close()

    def _padded(self, query: str) -> frozenset[int]:
        """Positions of the CHAR and NCHAR columns, which the driver does not distinguish from VARCHAR."""
        quoted = query.replace("'", "''")
        described = f"sys.dm_exec_describe_first_result_set(N'{quoted}', NULL, 0)"
        try:
            cursor = self._wire.execute(
                f"SELECT column_ordinal FROM {described} WHERE system_type_id IN ({_CHAR}, {_NCHAR}) AND is_hidden = 0"
            )
            return frozenset(number - 1 for (number,) in self._wire.run(cursor.fetchall))
        except QueryError:
            # What cannot be described ahead is read as it comes.
            return frozenset()

    def _begin(self) -> None:
        """Makes the settings again for each query, since a query may have changed them, and begins a transaction."""
        lock_ms = max(1, round(min(LOCK_S, self._messages.longest_s) * 1000))
        settings = [
            "SET NOCOUNT ON",
            "SET ROWCOUNT 0",
            "SET TEXTSIZE 2147483647",
            "SET DEADLOCK_PRIORITY LOW",
            f"SET LOCK_TIMEOUT {lock_ms}",
            f"SET TRANSACTION ISOLATION LEVEL {self._isolation_level()}",
            "BEGIN TRANSACTION",
        ]
        self._wire.batch("; ".join(settings))

    def _isolation_level(self) -> str:
        """Snapshot where that is allowed and needed; READ COMMITTED sees one state too where it reads versions."""
        if not self._isolation:
            cursor = self._wire.execute(
                "SELECT snapshot_isolation_state, is_read_committed_snapshot_on "
                "FROM sys.databases WHERE name = DB_NAME()"
            )
            snapshots, versions = self._wire.run(cursor.fetchone) or (0, 0)
            self._isolation = "SNAPSHOT" if snapshots == 1 and not versions else "READ COMMITTED"
        return self._isolation

    def _ask(self, sql: str) -> tuple[Any, ...]:
        """The only row."""
        self._wire.start()
        try:
            cursor = self._wire.execute(sql)
            return tuple(map(text, self._wire.run(cursor.fetchone) or ()))
        finally:
            self._wire.settle(_ROLLBACK)

    def _row_lists(self, cursor: pyodbc.Cursor, limit: int | None) -> Iterator[list[pyodbc.Row]]:
        """The rows in lists of about ``BATCH_BYTES``, none empty; fetched in small portions, so that wide rows show."""
        held: list[pyodbc.Row] = []
        left = sys.maxsize if limit is None else limit
        size = 0
        portion = _FIRST_ROWS
        while left > 0:
            rows = self._wire.run(partial(cursor.fetchmany, min(portion, left, BATCH_ROWS - len(held))))
            if not rows:
                break
            left -= len(rows)
            held += rows
            row_bytes = max(1, sum(map(_size, rows[::_SAMPLED])) // len(rows[::_SAMPLED]))
            size += row_bytes * len(rows)
            if size >= BATCH_BYTES or len(held) == BATCH_ROWS:
                yield held
                held, size = [], 0
            portion = max(1, min(portion * 4, _PORTION_ROWS, BATCH_BYTES // 8 // row_bytes))
        if held:
            yield held
        if limit is None and self._wire.run(cursor.nextset):
            raise QueryError(
                f"{self._messages.where}: the query has more than one statement.", hint="Write one SELECT."
            )

    def _no_columns(self) -> QueryError:
        return QueryError(f"{self._messages.where}: the query returns no columns.", hint="Write one SELECT.")


def _is_real(column: tuple[Any, ...]) -> bool:
    """Whether a column of a cursor's description is REAL, whose precision drivers give in bits or in digits."""
    return column[1] is float and column[3] in {24, 7}


def _columns(rows: Sequence[pyodbc.Row], reals: set[int], padded: frozenset[int]) -> list[Sequence[Any] | pa.Array]:
    """The columns of some rows, REAL with the digits that people see and CHAR without its padding."""
    columns: list[Sequence[Any] | pa.Array] = list(map(readable, zip(*rows, strict=True)))
    for index in reals:
        columns[index] = doubles(pa.array(columns[index], pa.float32()))
    for index in padded:
        if isinstance(columns[index], pa.Array):
            columns[index] = pc.ascii_rtrim(columns[index], characters=" ")
    return columns


def _size(row: pyodbc.Row) -> int:
    """About how many bytes of values a row holds."""
    return sum(len(value) if isinstance(value, str | bytes | bytearray) else 8 for value in row)
