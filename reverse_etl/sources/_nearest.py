"""A query that names what its database does not have: the name that was probably meant, from the database's tables."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from reverse_etl.config.model import nearest
from reverse_etl.config.tables_read import tables_read
from reverse_etl.errors import ReverseEtlError

if TYPE_CHECKING:
    from reverse_etl.config.connections import DatabaseConfig
    from reverse_etl.errors import QueryError
    from reverse_etl.sources.base import Engine, Session

_NAME: Final = r"""["'`]?([\w.$" -]+?)["'`]?"""
_COLUMN: Final = re.compile(
    "|".join(
        (
            r"no such column: ([\w.$]+)",
            rf"column {_NAME} does not exist",
            r"Unknown column '([^']+)'",
            r"Invalid column name '([^']+)'",
            r"Unrecognized name: ([\w.`]+)",
            r'multi-part identifier "([^"]+)" could not be bound',
            r"Name (\w+) not found inside",
            r"invalid identifier '([^']+)'",
        )
    )
)
_TABLE: Final = re.compile(
    "|".join(
        (
            r"no such table: ([\w.$]+)",
            r'relation "([^"]+)" does not exist',
            r"Table '([^']+)' doesn't exist",
            r"Invalid object name '([^']+)'",
            r"Object '([^']+)' does not exist",
            r"there is no table ([\w.:-]+)",
            r"Table with name (\w+) does not exist",
        )
    )
)
"""The engines' words as their errors pass them on: of SQLite, PostgreSQL and Redshift, MySQL and MariaDB, SQL Server,
BigQuery, Snowflake, DuckDB."""

_SUGGESTS: Final = ("did you mean", "perhaps you meant", "candidate bindings")


def unknown_name(message: str) -> tuple[str, bool]:
    """The name that a database does not know, without what stands before it, and whether it is a table's.

    Empty where the message is about something else.
    """
    for pattern, is_table in ((_TABLE, True), (_COLUMN, False)):
        if match := pattern.search(message):
            name = next(filter(None, match.groups()))
            return re.split(r"[.:]", name.rstrip("."))[-1].strip("\"`' "), is_table
    return "", False


def suggest(error: QueryError, database: DatabaseConfig, engine: Engine, session: Session) -> None:
    """Adds the name that was meant to an error, where it is about an unknown one and the tables have one like it.

    Args:
        error: Why the query was refused; a database that suggests a name itself is left alone.
        database: What was asked.
        engine: Its engine.
        session: A further session; one whose query was refused may take none any more.
    """
    name, is_table = unknown_name(error.message)
    if not name or any(words in f"{error.message} {error.hint}".lower() for words in _SUGGESTS):
        return
    tables = _tables(database, engine, session)
    read = {parts[-1].lower() for parts in tables_read(error.sql, engine.DIALECT)} if error.sql else set()
    columns = {column for table, found in tables.items() if not read or table.lower() in read for column in found}
    meant = nearest(name, tables if is_table else columns)
    if meant is not None and meant != name:
        error.hint = f"Did you mean `{meant}`? {error.hint}".rstrip()


def suggests(error: QueryError) -> bool:
    """Whether an error is about a name that the database does not have."""
    return bool(unknown_name(error.message)[0])


def _tables(database: DatabaseConfig, engine: Engine, session: Session) -> dict[str, set[str]]:
    """The columns of each table; empty where the database does not tell."""
    found: dict[str, set[str]] = {}
    with suppress(ReverseEtlError):
        for batch in session.stream(engine.COLUMNS.format(dataset=getattr(database, "dataset", None) or "")):
            for _, table, column in zip(*(part.to_pylist() for part in batch.columns[:3]), strict=True):
                found.setdefault(table, set()).add(column)
    return found
