"""Where a query compares with last sync time as it is, a number, by its text alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from reverse_etl.config.row_choice import MARK, read_marked
from reverse_etl.config.sql_nodes import line_of
from reverse_etl.config.sql_text import PLACEHOLDER
from reverse_etl.config.statement import quiet_sqlglot

if TYPE_CHECKING:
    from sqlglot import exp

    from reverse_etl.config.dialect import Dialect

_PLACEHOLDER: Final = "{{last_sync_time}}"


@dataclass(frozen=True, slots=True)
class NumberFilter:
    """A comparison in a WHERE or ON.

    Attributes:
        line: Of the query, from 1.
        compared: What is compared with the number, in SQL.
        number: Last sync time, or a sum with it, in SQL.
        values: A query of the first values that are compared, as its column ``value``.
    """

    line: int
    compared: str
    number: str
    values: str


@lru_cache(maxsize=1024)
def number_filters(sql: str, dialect: Dialect) -> tuple[NumberFilter, ...]:
    """The comparisons of columns of one table with a number; those that cannot be told are left out."""
    if PLACEHOLDER.search(sql) is None:
        return ()
    tree, _ = read_marked(sql, dialect)
    return tuple(_filters(tree, dialect)) if tree is not None else ()


def _filters(tree: exp.Expr, dialect: Dialect) -> Iterator[NumberFilter]:
    from sqlglot import exp

    for node in tree.find_all(exp.GT, exp.GTE, exp.LT, exp.LTE):
        for compared, number in ((node.this, node.expression), (node.expression, node.this)):
            if not _is_number(number) or (table := _table(node, compared)) is None:
                continue
            first = exp.select(exp.alias_(compared.copy(), "value")).from_(table.copy()).limit(_LOOKED_AT)
            not_null = exp.Not(this=exp.Is(this=exp.column("value"), expression=exp.Null()))
            values = exp.select("value").from_(first.subquery("first_rows")).where(not_null).limit(_VALUES)
            with quiet_sqlglot():
                texts = [each.sql(dialect=dialect.name) for each in (compared, number, values)]
            yield NumberFilter(line_of(node), texts[0], texts[1].replace(MARK, _PLACEHOLDER), texts[2])


_LOOKED_AT: Final = 1_000
"""Rows: where they are all NULL, the others are not searched for a value."""

_VALUES: Final = 16


def _is_number(side: exp.Expr) -> bool:
    """Whether a side is last sync time, or counts from it."""
    from sqlglot import exp

    parts = (exp.Literal, exp.Paren, exp.Add, exp.Sub, exp.Mul, exp.Div)
    nodes = list(side.walk())
    if not all(isinstance(node, parts) for node in nodes):
        return False
    numbers = [node for node in nodes if isinstance(node, exp.Literal)]
    return not any(each.is_string for each in numbers) and MARK in [each.this.strip() for each in numbers]


def _table(comparison: exp.Expr, compared: exp.Expr) -> exp.Expr | None:
    """The one table whose columns are compared; None where the text does not show it."""
    from sqlglot import exp

    columns = list(compared.find_all(exp.Column))
    place = comparison.find_ancestor(exp.Where, exp.Join)
    select = place.parent if place is not None else None
    if not columns or not isinstance(select, exp.Select) or compared.find(exp.Query, exp.AggFunc, exp.Window):
        return None
    first = select.args.get("from_") or select.args.get("from")
    tables = [each.this for each in (first, *(select.args.get("joins") or ())) if each is not None]
    named = {table.alias_or_name: table for table in tables if isinstance(table, exp.Table)}
    qualifiers = {column.table for column in columns}
    if len(qualifiers) != 1:
        return None
    (qualifier,) = qualifiers
    table = named.get(qualifier) if qualifier else (tables[0] if len(tables) == 1 else None)
    of_with = {each.alias_or_name for each in select.root().find_all(exp.CTE)}
    if not isinstance(table, exp.Table) or not isinstance(table.this, exp.Identifier):
        return None
    return None if not table.db and table.name in of_with else table
