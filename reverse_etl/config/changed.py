"""``{{changed: c}}`` in a query: which table ``c`` is. Whether the database marks that table's rows, it says itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reverse_etl.config.sql_text import CHANGED, MARKER, blank_placeholders, one_statement, tokens_of

if TYPE_CHECKING:
    from sqlglot import exp
    from sqlglot.optimizer.scope import Scope

    from reverse_etl.config.dialect import Dialect


@dataclass(frozen=True, slots=True)
class ChangedTable:
    """A table whose changed rows a query asks for.

    Attributes:
        alias: What the query calls it.
        parts: The parts of its name, such as ``("sales", "customers")``, as the engine stores them.
        line: Where the placeholder stands in the query, from 1.
    """

    alias: str
    parts: tuple[str, ...]
    line: int


def changed_problems(sql: str, tree: exp.Expr | None, dialect: Dialect) -> Iterator[tuple[int, str]]:
    """Placeholders that name no table, each as a line of the query (from 1) and a sentence.

    Args:
        sql: As written, placeholders included.
        tree: What was read of it with its placeholders blanked; None where it could not be read.
        dialect: The engine's.
    """
    if tree is None or CHANGED.search(sql) is None:
        return
    for token in tokens_of(blank_placeholders(sql), dialect):
        if MARKER in token.text and token.text != MARKER:
            yield token.line, "{{changed: ...}} is a condition: take it out of the quotes"
    for column in _placeholders(tree):
        alias = column.table
        source = _source(column)
        if source is None:
            yield _line(column), f"{{{{changed: {alias}}}}}: the query has no table called `{alias}`"
        elif not _is_table(source):
            yield (
                _line(column),
                f"{{{{changed: {alias}}}}}: `{alias}` is no table: use the placeholder where its tables are read",
            )


def changed_tables(sql: str, dialect: Dialect) -> list[ChangedTable]:
    """The tables that a query's placeholders name; none where it cannot be read."""
    from sqlglot import exp, parse_one
    from sqlglot.errors import SqlglotError

    from reverse_etl.config.statement import quiet_sqlglot, spelled

    if CHANGED.search(sql) is None:
        return []
    try:
        with quiet_sqlglot():
            tree = parse_one(one_statement(blank_placeholders(sql), dialect), read=dialect.name)
            found = [(column, _source(column)) for column in _placeholders(tree)]
    except (SqlglotError, RecursionError):
        return []
    return [
        ChangedTable(
            column.table,
            tuple(spelled(part, dialect) for part in source.parts if isinstance(part, exp.Identifier)),
            _line(column),
        )
        for column, source in found
        if isinstance(source, exp.Table) and _is_table(source)
    ]


def _placeholders(tree: exp.Expr) -> Iterator[exp.Column]:
    from sqlglot import exp

    return (column for column in tree.find_all(exp.Column) if column.name == MARKER)


def _source(column: exp.Column) -> exp.Table | Scope | None:
    """What a column's table is: in the query that it stands in, or one around that."""
    from sqlglot import exp
    from sqlglot.optimizer.scope import traverse_scope

    root = column.root()
    scopes = {id(scope.expression): scope for scope in traverse_scope(root)}
    node: exp.Expr | None = column
    while node is not None:
        scope = scopes.get(id(node))
        for name, source in scope.sources.items() if scope is not None else ():
            if _same(name, column):
                found: exp.Table | Scope = source
                return found
        node = node.parent
    # Joins in parentheses are not among the sources.
    return next((table for table in root.find_all(exp.Table) if _same(table.alias_or_name, column)), None)


def _same(name: str, column: exp.Column) -> bool:
    is_quoted = column.args["table"].args.get("quoted")
    return name == column.table or (not is_quoted and name.lower() == column.table.lower())


def _is_table(source: exp.Table | Scope) -> bool:
    from sqlglot import exp

    return isinstance(source, exp.Table) and isinstance(source.this, exp.Identifier)


def _line(column: exp.Column) -> int:
    return int(column.this.meta.get("line", 1))
