"""SQLite: a file read in this process, through the standard library.

SQLite gives no declared types for the columns of a query, so values come as they are stored: dates and times as the
text or number that was written, booleans as 0 and 1, decimals as float or text. ``unixepoch(column)`` and
``CAST(column AS TEXT)`` in the query override that.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from reverse_etl.collector import uncollected
from reverse_etl.config.connections import FileConfig
from reverse_etl.config.dialect import DAY_IN_TEXT, ELSEWHERE, TEXT, TEXT_WITH_T, Bound, Dialect
from reverse_etl.config.sql_text import one_statement
from reverse_etl.errors import QueryError, SourceError, SourceUnavailableError

if TYPE_CHECKING:
    import pyarrow as pa

    from reverse_etl.sources.base import Session

_UNSAFE_FUNCTIONS: Final = ("load_extension", "fts3_tokenizer", "readfile", "writefile", "edit")
DIALECT: Final = Dialect(
    "sqlite",
    refused_functions=(("|".join(_UNSAFE_FUNCTIONS), ELSEWHERE),),
    quoted_text=True,
    # 7, 7.0 and '7' may stand in one column and differ.
    typed_columns=False,
    compares_anything=True,
    bounds=(
        Bound(TEXT, "datetime({{last_sync_time}}, 'unixepoch')"),
        Bound(TEXT_WITH_T, "strftime('%Y-%m-%dT%H:%M:%S', {{last_sync_time}}, 'unixepoch')"),
        Bound(DAY_IN_TEXT, "date({{last_sync_time}}, 'unixepoch')"),
    ),
)
LAST_SYNC_TIME: Final = "{{last_sync_time}}"
COLUMNS: Final = (
    "SELECT '' AS s, t.name AS t, c.name AS c, c.type AS k FROM sqlite_schema AS t, pragma_table_info(t.name) AS c "
    "WHERE t.type IN ('table', 'view') AND t.name NOT LIKE 'sqlite_%' ORDER BY t.name, c.cid"
)
KEYS: Final = (
    "SELECT '' AS s, t.name AS t, c.name AS c FROM sqlite_schema AS t, pragma_table_info(t.name) AS c "
    "WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND c.pk > 0"
)
DRIVER: Final = "sqlite3"

_BUSY_S: Final = 3.0
"""How long another program's lock is waited for."""

_LOOK_UP_STEPS: Final = 1_000_000
"""After this many steps of SQLite's machine, some 10 ms, Python looks whether it was interrupted."""
_FIRST_ROWS: Final = 16
_SAMPLED: Final = 64
"""Of this many rows, one is measured."""
_READING: Final = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE})
_CHANGING: Final = frozenset({sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE})
_RTREE_TABLES: Final = ("_node", "_rowid", "_parent")
_READING_PRAGMAS: Final = frozenset(
    {"table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo", "foreign_key_list"}
    | {"foreign_key_check", "integrity_check", "quick_check"}
)
"""Those that take an argument, which others take for a new value."""
_SCHEMA_MESSAGES: Final = (
    "no such table",
    "no such column",
    "no such function",
    "no such module",
    "too many arguments on ",
    "ambiguous column name",
    "misuse of ",
    'near "',
    "incomplete input",
    "unrecognized token",
    "wrong number of arguments",
    "SELECTs to the left and right",
    "sub-select returns",
    "too many columns",
)
"""How SQLite's messages about the query itself begin; others may quote a value."""


class Config(FileConfig):
    """A SQLite file."""

    type: Literal["sqlite"] = Field(default="sqlite", description="The engine.")


@contextmanager
def connect(config: Config, *, name: str) -> Iterator[Session]:
    """Opens the file read-only; the session's clock is this machine's.

    Raises:
        SourceUnavailableError: There is no file, it cannot be read, or it is no SQLite database.
    """
    where = f"database {name} (sqlite)"
    if not config.path.is_file():
        raise SourceUnavailableError(f"{where}: there is no file {config.path}.", hint=config.look_at_path)
    try:
        address = f"{config.path.resolve().as_uri()}?mode=ro"
        connection = sqlite3.connect(address, uri=True, isolation_level=None, timeout=_BUSY_S)
    except sqlite3.Error as error:
        raise _opening_failed(error, where, config) from None
    with closing(connection):
        try:
            connection.execute("PRAGMA query_only = ON")
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        except sqlite3.Error as error:
            raise _opening_failed(error, where, config) from None
        connection.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")
        connection.set_authorizer(_authorize)
        connection.set_progress_handler(_look_up, _LOOK_UP_STEPS)
        yield _Session(connection, where, config.timezone)


class _Session:
    def __init__(self, connection: sqlite3.Connection, where: str, timezone: str) -> None:
        self._connection = connection
        self._where = where
        self._timezone = timezone

    def now(self) -> datetime:
        return datetime.now(UTC)

    def server(self) -> str:
        return f"SQLite {sqlite3.sqlite_version}"

    def read_only(self) -> bool:
        return bool(self._connection.execute("PRAGMA query_only").fetchone()[0])

    def stream(self, sql: str, *, limit: int | None = None) -> Generator[pa.RecordBatch, None, None]:
        from reverse_etl.sources._values import columns_to_batch
        from reverse_etl.sources.base import refuse_duplicates

        with closing(self._connection.cursor()) as cursor:
            try:
                cursor.execute(one_statement(sql, DIALECT))
            except (sqlite3.Error, sqlite3.Warning) as error:
                raise _refused(error, self._where) from None
            except UnicodeDecodeError:
                raise _name_not_text(self._where) from None
            if cursor.description is None:
                raise QueryError(f"{self._where}: the query returns no columns.", hint="Write one SELECT.")
            names = [column[0] for column in cursor.description]
            refuse_duplicates(names, self._where)
            row_lists = self._row_lists(cursor, limit)
            empty = True
            while True:
                with uncollected():
                    rows = next(row_lists, [])
                    if not rows:
                        break
                    batch = columns_to_batch(names, list(zip(*rows, strict=True)), timezone=self._timezone)
                    rows = []
                yield batch
                empty = False
            if empty:
                yield columns_to_batch(names, [()] * len(names), timezone=self._timezone)

    def _row_lists(self, cursor: sqlite3.Cursor, limit: int | None) -> Iterator[list[tuple[Any, ...]]]:
        """The rows in lists of about ``BATCH_BYTES``, none empty; fetched in small portions, so that wide rows show."""
        from reverse_etl.sources.base import BATCH_BYTES, BATCH_ROWS

        held: list[tuple[Any, ...]] = []
        left = sys.maxsize if limit is None else limit
        size = 0
        portion = _FIRST_ROWS
        while left > 0:
            try:
                rows = cursor.fetchmany(min(portion, left, BATCH_ROWS - len(held)))
            except sqlite3.Error as error:
                raise _refused(error, self._where) from None
            if not rows:
                break
            left -= len(rows)
            held += rows
            row_bytes = max(1, sum(map(_size, rows[::_SAMPLED])) // len(rows[::_SAMPLED]))
            size += row_bytes * len(rows)
            if size >= BATCH_BYTES or len(held) == BATCH_ROWS:
                yield held
                held, size = [], 0
            portion = max(1, min(portion * 4, BATCH_BYTES // 8 // row_bytes))
        if held:
            yield held


def _size(row: tuple[Any, ...]) -> int:
    """About how many bytes of values a row holds."""
    return sum(len(value) if isinstance(value, str | bytes) else 8 for value in row)


def _look_up() -> int:
    """Lets Ctrl-C in: an interrupt is raised where this is called, and SQLite stops."""
    return 0


def _authorize(action: int, first: str | None, second: str | None, schema: str | None, _inner: str | None) -> int:
    """Allows reading only. ``mode=ro`` guards this file; this also stops ATTACH and VACUUM INTO another one.

    What SQLite itself reports while it declares a virtual table, and while R*Tree gets ready, is let through: it
    writes nothing, and where a query writes, ``mode=ro`` and ``query_only`` refuse.
    """
    if action in _READING:
        allowed = True
    elif action == sqlite3.SQLITE_FUNCTION:
        allowed = second not in _UNSAFE_FUNCTIONS
    elif action == sqlite3.SQLITE_PRAGMA:
        allowed = first in _READING_PRAGMAS or (second is None and first != "optimize")
    elif action in _CHANGING and schema == "main" and first is not None:
        declares = action == sqlite3.SQLITE_UPDATE and first in ("sqlite_master", "sqlite_schema")
        allowed = declares or first.endswith(_RTREE_TABLES)
    else:
        allowed = False
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def _opening_failed(error: sqlite3.Error, where: str, config: Config) -> SourceUnavailableError:
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith("SQLITE_NOTADB"):
        return SourceUnavailableError(f"{where}: {config.path} is not a SQLite database.", hint="Check `path`.")
    if name.startswith("SQLITE_BUSY"):
        return _busy(where)
    return SourceUnavailableError(
        f"{where}: {config.path} cannot be opened ({_words(name)}).",
        hint="The user who runs this needs to read the file and its folder.",
    )


def _busy(where: str) -> SourceUnavailableError:
    return SourceUnavailableError(
        f"{where}: another program holds the file locked.",
        hint="Run again when it is done; `PRAGMA journal_mode = WAL` lets others read while one writes.",
    )


def _refused(error: sqlite3.Error | sqlite3.Warning, where: str) -> SourceError:
    """What SQLite's error means.

    Raises:
        KeyboardInterrupt: It stopped because of one, which it swallowed.
    """
    name = getattr(error, "sqlite_errorname", "")
    text = str(error)
    if name == "SQLITE_INTERRUPT":
        raise KeyboardInterrupt
    if name.startswith("SQLITE_BUSY"):
        return _busy(where)
    if name.startswith(("SQLITE_AUTH", "SQLITE_READONLY")):
        return QueryError(f"{where}: the session only reads, and the query does more.", hint="Write one SELECT.")
    if "one statement at a time" in text:
        return QueryError(f"{where}: the query has more than one statement.", hint="Write one SELECT.")
    if "too many terms in compound SELECT" in text or text.startswith(_SCHEMA_MESSAGES):
        return QueryError(f"{where}: {text}.", hint="Check the query against the database's tables and columns.")
    return QueryError(
        f"{where}: SQLite stopped the query ({_words(name)}).", hint="Run the query in the sqlite3 shell to see why."
    )


def _name_not_text(where: str) -> QueryError:
    return QueryError(
        f"{where}: the name of a column is not UTF-8.", hint="Write out the columns in place of *, without that one."
    )


def _words(errorname: str) -> str:
    return errorname.removeprefix("SQLITE_").lower().replace("_", " ") or "no reason given"
