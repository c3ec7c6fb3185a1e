"""From which columns of which tables each column of a query comes. Read from its text; nothing here asks a database."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from reverse_etl.config.sql_text import blank_placeholders, one_statement
from reverse_etl.config.statement import quiet_sqlglot, spelled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlglot import exp
    from sqlglot.lineage import Node

    from reverse_etl.config.dialect import Dialect
    from reverse_etl.config.streams import Stream
    from reverse_etl.config.syncs import OutgoingRows

Origin = tuple[tuple[str, ...], str]
"""A table, as the parts of its name, and a column of it."""

_NOTHING: Final[dict[str, tuple[Origin, ...]]] = {}


@lru_cache(maxsize=256)
def column_origins(sql: str, dialect: Dialect, columns: tuple[str, ...]) -> dict[str, tuple[Origin, ...]]:
    """Where the columns of a query's result come from.

    Args:
        sql: As written in the sync.
        dialect: The engine's.
        columns: The names that the result has.

    Returns:
        For each of them that can be traced, its origins, sorted; left out are constants, and columns that only the
        database can name the table of. Tables are named as ``query.tables_read`` does.
    """
    from sqlglot import exp, parse_one
    from sqlglot.errors import SqlglotError
    from sqlglot.lineage import lineage
    from sqlglot.optimizer.qualify import qualify
    from sqlglot.optimizer.scope import build_scope

    try:
        with quiet_sqlglot():
            parsed = parse_one(one_statement(blank_placeholders(sql), dialect), read=dialect.name)
            query = qualify(parsed, dialect=dialect.name, validate_qualify_columns=False, identify=False)
            scope = build_scope(query)
            if scope is None or not isinstance(query, exp.Query):
                return _NOTHING
            known = {name.lower(): name for name in query.named_selects}
            if "*" in known:
                return _everything(scope.sources, columns, dialect)
            nodes = {
                column: lineage(known[column.lower()], query, {}, dialect=dialect.name, scope=scope)
                for column in columns
                if column.lower() in known
            }
            traced = {column: tuple(sorted(set(_origins(node, dialect)))) for column, node in nodes.items()}
    except (SqlglotError, RecursionError, ValueError):
        return _NOTHING
    return {column: origins for column, origins in traced.items() if origins}


def origins_of(
    sync: OutgoingRows, stream: Stream, dialect: Dialect, columns: Sequence[str]
) -> dict[str, tuple[Origin, ...]]:
    """Where the columns of a stream come from once its rows are shaped: a column that is made of several has all.

    What a transform makes a column of is not known.
    """
    shape = sync.shape(stream.name)
    of: dict[str, tuple[str, ...]] = {name: (name,) for name in columns if shape.transform is None}
    if shape.columns is not None and of:
        of = {name: value.columns for name, value in shape.columns.items()}
    names = tuple(dict.fromkeys(name for made_of in of.values() for name in made_of))
    origins = column_origins(stream.query, dialect, names)
    found = {
        name: tuple(dict.fromkeys(origin for source in made_of for origin in origins.get(source, ())))
        for name, made_of in of.items()
    }
    return {name: each for name, each in found.items() if each}


def _origins(node: Node, dialect: Dialect) -> Iterator[Origin]:
    from sqlglot import exp, to_identifier

    for leaf in node.walk():
        if not leaf.downstream and isinstance(leaf.expression, exp.Table):
            column = leaf.name.rpartition(".")[2].strip('"`[]')
            if column != "*":
                yield _parts(leaf.expression, dialect), spelled(to_identifier(column), dialect)


def _everything(
    sources: Mapping[str, object], columns: tuple[str, ...], dialect: Dialect
) -> dict[str, tuple[Origin, ...]]:
    """``SELECT *`` of one table: each column is its own; of several tables only the database knows."""
    from sqlglot import exp

    tables = [source for source in sources.values() if isinstance(source, exp.Table)]
    if len(tables) != 1 or len(sources) != 1:
        return _NOTHING
    return {column: ((_parts(tables[0], dialect), column),) for column in columns}


def _parts(table: exp.Table, dialect: Dialect) -> tuple[str, ...]:
    from sqlglot import exp

    return tuple(spelled(part, dialect) for part in table.parts if isinstance(part, exp.Identifier))
