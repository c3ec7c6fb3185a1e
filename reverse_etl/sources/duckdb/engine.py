"""DuckDB: a file read in this process, streamed as Arrow.

The file is opened read-only and one SELECT is let through, so nothing is written: not the file, not another one with
COPY or ATTACH. Nothing else is read either: no other file, unless it is in a folder of ``read_files`` (symbolic links
and ``..`` do not lead out of it), no network, no extension. What a sort does not fit in ``MEMORY`` goes to the
system's temporary folder.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Final, Literal, TypeVar

from pydantic import Field

from reverse_etl.config.connections import FileConfig, PathBesideFile
from reverse_etl.config.dialect import DAY_IN_TEXT, TEXT, TEXT_WITH_T, Bound, Dialect
from reverse_etl.config.sql_text import one_statement
from reverse_etl.errors import QueryError, SourceError, SourceUnavailableError
from reverse_etl.files.scratch import Setting
from reverse_etl.files.scratch import connect as open_quietly
from reverse_etl.sources._time_and_number import conversion_hint

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from reverse_etl.sources.base import Session

DIALECT: Final = Dialect(
    "duckdb",
    from_first=True,
    bounds=(
        Bound("timestamp with time zone", "to_timestamp({{last_sync_time}})"),
        Bound(
            "timestamp.*",
            "TIMESTAMP '1970-01-01' + to_seconds({{last_sync_time}})",
            local="to_timestamp({{last_sync_time}}) AT TIME ZONE '{timezone}'",
        ),
        Bound(
            "date",
            "CAST(TIMESTAMP '1970-01-01' + to_seconds({{last_sync_time}}) AS DATE)",
            local="CAST(to_timestamp({{last_sync_time}}) AT TIME ZONE '{timezone}' AS DATE)",
        ),
        Bound(TEXT, "strftime(TIMESTAMP '1970-01-01' + to_seconds({{last_sync_time}}), '%Y-%m-%d %H:%M:%S')"),
        Bound(TEXT_WITH_T, "strftime(TIMESTAMP '1970-01-01' + to_seconds({{last_sync_time}}), '%Y-%m-%dT%H:%M:%S')"),
        Bound(DAY_IN_TEXT, "strftime(TIMESTAMP '1970-01-01' + to_seconds({{last_sync_time}}), '%Y-%m-%d')"),
    ),
)
LAST_SYNC_TIME: Final = "to_timestamp({{last_sync_time}})"
COLUMNS: Final = (
    "SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns "
    "WHERE table_catalog = current_database() ORDER BY table_schema, table_name, ordinal_position"
)
KEYS: Final = (
    "SELECT schema_name, table_name, unnest(constraint_column_names) FROM duckdb_constraints() "
    "WHERE constraint_type = 'PRIMARY KEY' AND database_name = current_database()"
)
DRIVER: Final = "duckdb"
MEMORY: Final = "1GB"
"""What DuckDB itself may use."""

_T = TypeVar("_T")
_VECTOR_ROWS: Final = 2_048
_CLASS: Final = re.compile(r"([A-Za-z][A-Za-z ]{0,40}) Error: ")


class Config(FileConfig):
    """A DuckDB file.

    Attributes:
        read_files: Folders whose files queries and views may read, such as Parquet. Absolute once loaded.
    """

    type: Literal["duckdb"] = Field(default="duckdb", description="The engine.")
    threads: int = Field(
        default=1, ge=1, le=256, description="How many threads DuckDB computes with; each takes a few MB more."
    )
    read_files: tuple[PathBesideFile, ...] = Field(
        default=(), description="Folders whose files queries and views may read, relative to this file."
    )


@contextmanager
def connect(config: Config, *, name: str) -> Iterator[Session]:
    """Opens the file read-only; the session's clock is this machine's.

    Raises:
        SourceUnavailableError: There is no file, another process writes to it, or it is no DuckDB database; there is
            no folder of ``read_files``, or it has been opened in this process with others.
    """
    import duckdb

    where = f"database {name} (duckdb)"
    if not config.path.is_file():
        raise SourceUnavailableError(f"{where}: there is no file {config.path}.", hint=config.look_at_path)
    settings: dict[str, Setting] = {
        "memory_limit": MEMORY,
        "threads": config.threads,
        "temp_directory": _spill_folder(),
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "allow_persistent_secrets": "false",
    }
    for folder in config.read_files:
        if not folder.is_dir():
            raise SourceUnavailableError(f"{where}: there is no folder {folder}.", hint="Check `read_files`.")
    try:
        connection = open_quietly(config.path, settings=settings, read_only=True)
    except duckdb.Error as error:
        raise _opening_failed(error, where, config) from None
    with closing(connection):
        try:
            _close_off(connection, config, where)
        except duckdb.Error as error:
            raise _opening_failed(error, where, config) from None
        yield _Session(connection, where, config.timezone)


def _close_off(connection: duckdb.DuckDBPyConnection, config: Config, where: str) -> None:
    """Leaves the connection its own file and ``read_files``; connections of one process to a file share this."""
    folders = sorted(str(folder.resolve()) for folder in config.read_files)
    (is_open, known), *_ = connection.execute(
        "SELECT current_setting('enable_external_access'), current_setting('allowed_directories')"
    ).fetchall()
    if is_open:
        listed = ", ".join("'" + folder.replace("'", "''") + "'" for folder in folders)
        connection.execute(f"SET allowed_directories = [{listed}]")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET GLOBAL TimeZone = 'UTC'")
        connection.execute("SET lock_configuration = true")
    elif {os.path.realpath(folder) for folder in known} != {*folders, os.path.realpath(_spill_folder())}:
        raise SourceUnavailableError(
            f"{where}: this process has {config.path} open with other `read_files`.",
            hint="Name the same folders in every database with this path.",
        )


@cache
def _spill_folder() -> str:
    """One folder for the whole process: DuckDB wants equal settings for every connection to a file."""
    folder = tempfile.mkdtemp(prefix="reverse-etl-duckdb-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


class _Session:
    def __init__(self, connection: duckdb.DuckDBPyConnection, where: str, timezone: str) -> None:
        self._connection = connection
        self._where = where
        self._timezone = timezone

    def now(self) -> datetime:
        return datetime.now(UTC)

    def server(self) -> str:
        import duckdb

        return f"DuckDB {duckdb.__version__}"

    def read_only(self) -> bool:
        with closing(self._connection.cursor()) as cursor:
            row = cursor.execute("SELECT readonly FROM duckdb_databases() WHERE database_name = current_database()")
            return bool((row.fetchone() or (False,))[0])

    def stream(self, sql: str, *, limit: int | None = None) -> Generator[pa.RecordBatch, None, None]:
        import duckdb

        from reverse_etl.sources._arrow import canonical
        from reverse_etl.sources.base import refuse_duplicates
        from reverse_etl.sources.duckdb.batches import kind, marked, rebatched, wrapped

        # A connection of its own per query: an open result would block the session's next one.
        with closing(self._connection.cursor()) as cursor, _interruptible(cursor) as call:
            try:
                query = self._one_select(cursor, sql)
                relation = cursor.sql(query)
                names, types = relation.columns, relation.types
                kinds = list(map(kind, types))
                refuse_duplicates(names, self._where)
                whole = wrapped(query, types, limit)
                with call(lambda: cursor.sql(whole).to_arrow_reader(_VECTOR_ROWS)) as reader:
                    batches = rebatched(reader)
                    while (batch := call(lambda: next(batches, None))) is not None:
                        yield canonical(marked(batch, names, kinds), timezone=self._timezone)
            except duckdb.Error as error:
                raise _refused(error, self._where) from None

    def _one_select(self, cursor: duckdb.DuckDBPyConnection, sql: str) -> str:
        import duckdb

        statements = cursor.extract_statements(one_statement(sql, DIALECT))
        if len(statements) != 1:
            raise QueryError(f"{self._where}: the query has {len(statements)} statements.", hint="Write one SELECT.")
        if statements[0].type != duckdb.StatementType.SELECT:
            raise QueryError(
                f"{self._where}: the session only reads, and the query does more.", hint="Write one SELECT."
            )
        return statements[0].query.strip()


@contextmanager
def _interruptible(cursor: duckdb.DuckDBPyConnection) -> Iterator[Callable[[Callable[[], _T]], _T]]:
    """Calls DuckDB from a thread of its own, where Python would not hear of Ctrl-C; that then ends the query."""
    with ThreadPoolExecutor(1, thread_name_prefix="duckdb") as thread:

        def call(work: Callable[[], _T]) -> _T:
            answer = thread.submit(work)
            try:
                return answer.result()
            finally:
                if not answer.done():
                    cursor.interrupt()

        yield call


def _opening_failed(error: duckdb.Error, where: str, config: Config) -> SourceUnavailableError:
    text = str(error)
    if "set lock" in text or "different configuration" in text:
        return SourceUnavailableError(
            f"{where}: another program has {config.path} open for writing.",
            hint="DuckDB refuses all readers meanwhile: run again when it is done, or give it a copy of the file.",
        )
    if "not a valid DuckDB database" in text:
        return SourceUnavailableError(f"{where}: {config.path} is not a DuckDB database.", hint="Check `path`.")
    return SourceUnavailableError(
        f"{where}: {config.path} cannot be opened ({_class(error)}).",
        hint="The user who runs this must be able to read it; a file of a newer DuckDB needs a newer duckdb package.",
    )


def _refused(error: duckdb.Error, where: str) -> SourceError:
    import duckdb

    # Only these come before a row is read, so that their text cannot quote one.
    if isinstance(error, duckdb.CatalogException | duckdb.BinderException | duckdb.ParserException):
        first, *more = str(error).strip().splitlines()
        message = _CLASS.sub("", first).rstrip(".!")
        if "but it exists in the " in message:
            return QueryError(
                f"{where}: {message.partition(', but')[0]}.",
                hint="Extensions are not loaded here: copy what they read into a table of the database.",
            )
        hints = [line.strip() for line in more if line.startswith(("Did you mean", "Candidate bindings"))]
        conversion = conversion_hint(message, LAST_SYNC_TIME)
        return QueryError(
            f"{where}: {message}.",
            hint=conversion or " ".join(hints) or "Check the query against the database's tables and columns.",
        )
    kind = _class(error)
    if kind == "permission":
        return QueryError(
            f"{where}: the query or a view in it reads what is not in the database, and that is not allowed.",
            hint="For files, name their folder under `read_files`; copy into the database what lies elsewhere.",
        )
    hint = "Run the query in the duckdb shell to see why."
    return QueryError(f"{where}: DuckDB stopped the query ({kind}).", hint=hint)


def _class(error: duckdb.Error) -> str:
    """What kind of error it is: the words before the colon, which are DuckDB's own, never a value."""
    match = _CLASS.match(str(error))
    return match[1].lower() if match else "no reason given"
