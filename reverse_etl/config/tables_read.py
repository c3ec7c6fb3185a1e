"""Which tables a query reads, by its text alone."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from reverse_etl.config.sql_text import blank_placeholders, one_statement
from reverse_etl.config.statement import quiet_sqlglot, spelled

if TYPE_CHECKING:
    from sqlglot import exp

    from reverse_etl.config.dialect import Dialect


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
