"""A query of a sync's own over its changeset: one that only reads it, in a database that can do nothing else.

It sees one table, ``changeset``: the columns of the rows, and their numbers. What it may do is kept twice: by its text
when the file is read, and by the database that it is asked in, which opens no other file and no connection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeVar

from reverse_etl.changeset.parts import ROW_NUMBER, Parts
from reverse_etl.config.dialect import ELSEWHERE, Dialect
from reverse_etl.config.intervals import format_interval
from reverse_etl.config.sql_text import one_statement
from reverse_etl.config.statement import quiet_sqlglot, read_statement
from reverse_etl.config.tables_read import tables_read
from reverse_etl.errors import ConfigError
from reverse_etl.files.scratch import closed_database
from reverse_etl.sources.base import logical_type

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

DIALECT: Final = Dialect(
    "duckdb",
    from_first=True,
    refused_functions=(
        (r"(read|sniff|scan|write|copy)_\w+|\w+_scan|glob|parquet_\w+|iceberg_\w+|delta_\w+|query(_table)?", ELSEWHERE),
    ),
)
"""The SQL of scratch databases, as far as a text shows that it is more than a question."""

TABLE: Final = "changeset"
"""What a query reads."""

NUMBER: Final = "row_number"
"""The column of that table with each row's number, from 1."""

_BATCH_ROWS: Final = 100_000

_T = TypeVar("_T")


@lru_cache(maxsize=256)
def problem_of(sql: str) -> str:
    """Why a text is no query over the changeset alone, the end of a sentence; empty where it may be one."""
    if "{{" in sql:
        return "takes no placeholder: it sees the rows that the run has read"
    for _, text in read_statement(sql, DIALECT).problems:
        return text.replace("this database", f"`{TABLE}`")
    for parts in tables_read(sql, DIALECT):
        if [part.lower() for part in parts] != [TABLE]:
            return f"must only read `{TABLE}`, but reads `{'.'.join(parts)}`"
    return ""


@lru_cache(maxsize=256)
def returns_numbers(sql: str) -> bool:
    """Whether a query returns row numbers, as far as its text shows; where it selects ``*``, it is to."""
    columns = read_statement(sql, DIALECT).columns
    if columns is not None:
        return any(column.name.lower() == NUMBER for column in columns)
    from sqlglot import exp, parse_one
    from sqlglot.errors import SqlglotError

    try:
        with quiet_sqlglot():
            tree = parse_one(one_statement(sql, DIALECT), read=DIALECT.name)
    except (SqlglotError, RecursionError):
        return True
    while isinstance(tree, exp.Subquery):
        tree = tree.this
    # The name of what has none is its text, which is another one.
    return not isinstance(tree, exp.Select) or any(
        each.is_star or each.find(exp.Columns, exp.Explode) is not None or each.alias_or_name.lower() == NUMBER
        for each in tree.expressions
    )


def rows_of(sql: str, parts: Parts, check: str, timeout_s: float) -> Iterator[pa.Int64Array]:
    """The numbers of the rows that a query returns, ascending, each once.

    Args:
        sql: The query.
        parts: The rows.
        check: The check's name, for messages.
        timeout_s: Seconds that it may take.

    Raises:
        ConfigError: It cannot be executed, takes too long, or returns something else than numbers of these rows.
    """
    question = one_statement(sql, DIALECT)
    with _asked(parts, check, timeout_s) as (database, within):
        columns = within(lambda: database.execute(f"DESCRIBE {question}").fetchall())
        if NUMBER not in [name.lower() for name, *_ in columns]:
            raise ConfigError(
                f"check {check}: its SQL returns no column `{NUMBER}`.",
                hint=f"Select `{NUMBER}`, or name its columns in place of `*`.",
            )
        kept = f"CREATE TEMP TABLE kept AS SELECT DISTINCT {NUMBER} AS number FROM (\n{question}\n) AS failing"
        within(lambda: database.execute(kept))
        known = f"SELECT {NUMBER} FROM {TABLE}"
        other = f"SELECT count(*) FROM kept WHERE number IS NULL OR number NOT IN ({known})"
        if within(lambda: database.execute(other).fetchall())[0][0]:
            raise ConfigError(
                f"check {check}: its SQL returns a `{NUMBER}` that no row has.",
                hint=f"Select the column `{NUMBER}` of `{TABLE}` as it is.",
            )
        ordered = "SELECT CAST(number AS BIGINT) AS number FROM kept ORDER BY number"
        reader: pa.RecordBatchReader = within(lambda: database.sql(ordered).to_arrow_reader(_BATCH_ROWS))
        for batch in reader:
            if batch.num_rows:
                yield batch.column(0)


def whole_of(sql: str, parts: Parts, check: str, timeout_s: float) -> int:
    """How many rows a query returns. Arguments and errors as of ``rows_of``."""
    question = one_statement(sql, DIALECT)
    with _asked(parts, check, timeout_s) as (database, within):
        counted = f"SELECT count(*) FROM (\n{question}\n) AS failing"
        found: int = within(lambda: database.execute(counted).fetchall())[0][0]
    return found


@contextmanager
def _asked(
    parts: Parts, check: str, timeout_s: float
) -> Iterator[tuple[duckdb.DuckDBPyConnection, Callable[[Callable[[], _T]], _T]]]:
    """A database with the changeset in it, and what calls it: not for longer, and so that Ctrl-C ends it."""
    import duckdb

    with closed_database(parts.folder / "question", reads=parts.paths()) as database:
        database.execute(_view(parts, check))

        def within(call: Callable[[], _T]) -> _T:
            with ThreadPoolExecutor(1) as thread:
                asked = thread.submit(call)
                try:
                    return asked.result(timeout=timeout_s)
                except TimeoutError:
                    database.interrupt()
                    raise ConfigError(
                        f"check {check}: its SQL took longer than {_shown(timeout_s)}; nothing was sent.",
                        hint="Make it simpler, or raise `timeout`.",
                    ) from None
                except duckdb.Error as error:
                    raise _in_words(error, check) from None
                except BaseException:
                    database.interrupt()
                    raise

        yield database, within


def _view(parts: Parts, check: str) -> str:
    """The statement that makes the table; numbers that are kept as text are numbers in it."""
    schema = parts.schema()
    columns = []
    spelled: dict[str, str] = {}
    for field in schema if schema is not None else ():
        if (same := spelled.setdefault(field.name.lower(), field.name)) != field.name:
            raise ConfigError(
                f"check {check}: SQL cannot tell the query's columns `{same}` and `{field.name}` apart.",
                hint="Give one of them another name with AS.",
            )
        if field.name.lower() == NUMBER:
            raise ConfigError(
                f"check {check}: the query's column `{field.name}` has the name of the rows' numbers in `{TABLE}`.",
                hint="Give it another name with AS.",
            )
        name = _quoted(field.name)
        is_decimal = logical_type(field) == "decimal"
        columns.append(f"TRY_CAST({name} AS DECIMAL(38, 9)) AS {name}" if is_decimal else name)
    files = ", ".join("'" + str(path).replace("'", "''") + "'" for path in parts.paths())
    selected = ", ".join([*columns, f"{_quoted(ROW_NUMBER)} AS {NUMBER}"])
    return f"CREATE TEMP VIEW {TABLE} AS SELECT {selected} FROM read_parquet([{files}], union_by_name = true)"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _shown(timeout_s: float) -> str:
    from datetime import timedelta

    return format_interval(timedelta(seconds=timeout_s))


def _in_words(error: duckdb.Error, check: str) -> ConfigError:
    """What is wrong with the SQL. Where DuckDB's own words are about the text, they hold no value."""
    import duckdb

    where = f"check {check}: its SQL"
    if isinstance(error, duckdb.PermissionException):
        return ConfigError(
            f"{where} reads or writes a file, or a setting; nothing was sent.", hint=f"It can read `{TABLE}` alone."
        )
    if isinstance(error, (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException)):
        said = str(error).splitlines()[0].partition(": ")[2].rstrip(".")
        return ConfigError(f"{where} cannot be executed: {said}.", hint=f"The table is `{TABLE}`.")
    if isinstance(error, duckdb.OutOfMemoryException):
        return ConfigError(
            f"{where} needs more memory or disk than it may take; nothing was sent.", hint="Simplify it."
        )
    kind = type(error).__name__.removesuffix("Exception")
    hint = "TRY_CAST makes NULL of what has not the type." if kind == "Conversion" else f"Try it over `{TABLE}`."
    return ConfigError(f"{where} failed with DuckDB's error {kind}; nothing was sent.", hint=hint)
