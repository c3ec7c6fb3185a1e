"""The query of a sync: checked, given its last sync time, and the tables it reads. Nothing here asks a database.

How the text is read lives in ``config.statement``, so that ``validate`` finds the same problems as a run.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from reverse_etl.config.sql_text import CHANGED, PLACEHOLDER, blank_placeholders, one_statement
from reverse_etl.config.statement import quiet_sqlglot, read_statement, spelled
from reverse_etl.sources.powers import EVERY_ROW

if TYPE_CHECKING:
    from sqlglot import exp

    from reverse_etl.config.dialect import Dialect


def check_query(sql: str, dialect: Dialect) -> list[str]:
    """Why a query may not run; empty when it may.

    It may when it is one statement that only reads, and has no placeholder but those that its engine knows.

    Args:
        sql: As written in the sync.
        dialect: The engine's.

    Returns:
        Sentences, each with the line of the query (from 1), such as
        ``line 2: unknown placeholder {{last_sync}}; did you mean {{last_sync_time}}?``
    """
    return [f"line {line}: {text}" for line, text in read_statement(sql, dialect).problems]


def render(sql: str, since: int, changed: str = EVERY_ROW) -> str:
    """The query with its placeholders replaced, wherever they stand.

    Args:
        sql: As written in the sync.
        since: Unix seconds, for ``{{last_sync_time}}``.
        changed: A condition, for each ``{{changed: c}}``; its ``{table}`` becomes ``c``.
    """
    timed = PLACEHOLDER.sub(str(int(since)), sql)
    return CHANGED.sub(lambda match: changed.replace("{table}", match[1]), timed)


def output_columns(sql: str, dialect: Dialect) -> tuple[str, ...] | None:
    """Names of the result's columns, in order, or None where only the database knows (``*``, unnamed expressions)."""
    columns = read_statement(sql, dialect).columns
    return None if columns is None else tuple(column.name for column in columns)


@lru_cache(maxsize=4096)
def tables_read(sql: str, dialect: Dialect) -> tuple[tuple[str, ...], ...]:
    """The tables and views that a query reads, for lineage.

    Returns:
        Each as its written parts, such as ``("public", "customers")``, spelled as the engine stores them; sorted,
        without repeats; no names of WITH, no table functions. Empty when the query cannot be read.
    """
    from sqlglot import exp, parse_one
    from sqlglot.errors import SqlglotError
    from sqlglot.optimizer.scope import traverse_scope

    try:
        with quiet_sqlglot():
            scopes = traverse_scope(parse_one(one_statement(blank_placeholders(sql), dialect), read=dialect.name))
    except (SqlglotError, RecursionError):
        return ()
    sources = (source for scope in scopes for source in scope.sources.values())
    tables = (source for source in sources if isinstance(source, exp.Table) and isinstance(source.this, exp.Identifier))
    return tuple(sorted({_parts(table, dialect) for table in tables}))


def _parts(table: exp.Table, dialect: Dialect) -> tuple[str, ...]:
    from sqlglot import exp

    return tuple(spelled(part, dialect) for part in table.parts if isinstance(part, exp.Identifier))
