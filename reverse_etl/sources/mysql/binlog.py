"""The binary log as the library ``mysql-replication`` reads it: rows as keys, and statements that name no rows."""

from __future__ import annotations

import re
import secrets
import struct
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Self

import pyarrow as pa

from reverse_etl.errors import MissingDriverError, QueryError
from reverse_etl.sources.base import BATCH_ROWS
from reverse_etl.sources.mysql.wire import Address
from reverse_etl.sources.powers import CHANGED_KEY, GapError

_NO_RIGHT: Final = frozenset({1045, 1227})
_PURGED: Final = 1236
_HARMLESS: Final = re.compile(
    r"\s*(BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|XA\s+(START|BEGIN|END|PREPARE|ROLLBACK)|ANALYZE|OPTIMIZE|GRANT|REVOKE"
    r"|CREATE\s+(UNIQUE\s+)?INDEX|DROP\s+INDEX|FLUSH)\b",
    re.IGNORECASE,
)
_TWO_PHASES: Final = re.compile(r"\s*XA\s+COMMIT\b(?!.*\bONE\s+PHASE)", re.IGNORECASE | re.DOTALL)
_OURS: Final = 2**31
"""From here on numbers of servers are ours, one for each connection: two of the same number would end each other."""

Named = Mapping[tuple[str, str], tuple[str, str]]
"""By schema and table: what the table is called, and the column whose values are asked for."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the log.

    Attributes:
        file: Its name ends with a number.
        position: In bytes.
    """

    file: str
    position: int

    def __str__(self) -> str:
        return f"{self.file}:{self.position}"

    def __gt__(self, other: Self) -> bool:
        return self._order() > other._order()

    def __ge__(self, other: Self) -> bool:
        return self._order() >= other._order()

    def _order(self) -> tuple[int, int]:
        return int(self.file.rpartition(".")[2]), self.position

    @classmethod
    def parse(cls, text: str) -> Self:
        """What ``str`` gave."""
        file, _, position = text.rpartition(":")
        return cls(file, int(position))


def written_keys(
    address: Address, named: Named, begin: Place, end: Place, *, grant: str
) -> Generator[pa.RecordBatch, None, None]:
    """The keys of rows that were written, as ``CHANGED_KEY``; perhaps some that were written after the end.

    Args:
        address: Of the server.
        named: The tables.
        begin: Where a transaction begins.
        end: Up to where is read.
        grant: The statement with which reading the log is allowed.

    Raises:
        GapError: The log is no longer there, or does not name all rows.
        QueryError: The log cannot be read.
        MissingDriverError: The library is not installed.
    """
    try:
        import pymysql  # type: ignore[import-untyped]
        from pymysqlreplication import BinLogStreamReader
        from pymysqlreplication.event import QueryEvent, XidEvent
        from pymysqlreplication.row_event import DeleteRowsEvent, UpdateRowsEvent, WriteRowsEvent
    except ImportError:
        raise MissingDriverError(
            "the package mysql-replication, which reads a binary log, is not installed.",
            hint='Run: pip install "reverse-etl[mysql]"',
        ) from None
    reader = BinLogStreamReader(
        connection_settings=_settings(address),
        server_id=_OURS + secrets.randbelow(_OURS - 1),
        log_file=begin.file,
        log_pos=begin.position,
        resume_stream=True,
        blocking=False,
        only_events=[WriteRowsEvent, UpdateRowsEvent, DeleteRowsEvent, QueryEvent, XidEvent],
        only_schemas=sorted({schema for schema, _ in named}),
        only_tables=sorted({table for _, table in named}),
        enable_logging=False,
        pymysql_wrapper=_connected,
    )
    tables: list[str] = []
    keys: list[str] = []
    try:
        with closing(reader):
            for event in reader:
                if isinstance(event, QueryEvent):
                    _require_rows(event.query, named)
                elif not isinstance(event, XidEvent):
                    for table, key in _keys(event, named):
                        tables.append(table)
                        keys.append(key)
                if len(keys) >= BATCH_ROWS:
                    yield _batch(tables, keys)
                    tables, keys = [], []
                if Place(reader.log_file, reader.log_pos) >= end:
                    break
    except pymysql.err.MySQLError as error:
        code = error.args[0] if error.args else 0
        if code in _NO_RIGHT:
            raise GapError(f"The user may not read the binary log: {grant}") from None
        if code == _PURGED:
            raise GapError("The server no longer has its binary log since the last completed run.") from None
        raise QueryError(f"the server's binary log could not be read (error {code}).") from None
    # What the library raises, by assert among others, where it meets bytes that it does not know.
    except (ArithmeticError, AssertionError, LookupError, NotImplementedError, TypeError, ValueError, struct.error):
        raise GapError("The server's binary log has an entry that is not known here.") from None
    if keys:
        yield _batch(tables, keys)


def _settings(address: Address) -> dict[str, Any]:
    where = {"unix_socket": address.host} if address.host.startswith("/") else {"host": address.host}
    tls: dict[str, Any] = {"ssl": address.tls} if address.tls else {"ssl_disabled": True}
    return {
        **where,
        **tls,
        "port": address.port,
        "user": address.user,
        "password": address.password.decode(),
        "charset": "utf8mb4",
        "connect_timeout": address.answer_s,
        "program_name": "reverse-etl",
    }


def _connected(db: str | None = None, **settings: Any) -> Any:
    """A connection; the library still has the older name of one setting."""
    import pymysql

    return pymysql.connect(**settings, **({"database": db} if db else {}))


def _require_rows(statement: str, named: Named) -> None:
    """Raises GapError for a statement that may have changed rows of the tables without naming them."""
    if _TWO_PHASES.match(statement):
        raise GapError("A transaction was committed in two phases, and the log names its rows before that.")
    if _HARMLESS.match(statement):
        return
    words = {word.lower() for word in re.findall(r"[^\W]+", statement)}
    for schema, table in named:
        if words >= set(re.findall(r"[^\W]+", table.lower())) or (schema.lower() in words and "database" in words):
            word = (statement.split() or ["statement"])[0].upper()
            raise GapError(f"A statement ({word}) changed {named[schema, table][0]} without naming rows.")


def _keys(event: Any, named: Named) -> Iterator[tuple[str, str]]:
    table_and_column = named.get((event.schema, event.table))
    if table_and_column is None:
        return
    table, column = table_and_column
    for row in event.rows:
        for values in (row.get("values"), row.get("before_values"), row.get("after_values")):
            if values is None:
                continue
            if column not in values:
                raise GapError(f"The log does not have {table}.{column}.")
            if (value := values[column]) is not None:
                yield table, _as_text(value)


def _as_text(value: Any) -> str:
    """As a session gives it."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Decimal):
        return format(value, "f")
    return str(value)


def _batch(tables: list[str], keys: list[str]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array(tables, pa.string()), pa.array(keys, pa.string())], schema=CHANGED_KEY)
