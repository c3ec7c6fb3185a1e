"""Ranks among all rows of a query, by which it chooses rows as LIMIT does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from reverse_etl.config.sql_nodes import Place, called, line_of

if TYPE_CHECKING:
    from sqlglot import exp

_RANKS: Final = frozenset({"row_number", "rank", "dense_rank", "ntile", "percent_rank", "cume_dist"})


def ranks(tree: exp.Expr | None) -> Iterator[Place]:
    """Ranks among all rows by which rows are chosen, as LIMIT chooses them: those within a group keep one of each."""
    from sqlglot import exp

    if tree is None:
        return
    chooses = (exp.Where, exp.Having, exp.Qualify, exp.Join)
    found = [node for node in tree.find_all(exp.Window) if _ranks_all_rows(node)]
    named = {node.parent.alias: node for node in found if isinstance(node.parent, exp.Alias)}
    used = [(column, named[column.name]) for column in tree.find_all(exp.Column) if column.name in named]
    for place, rank in (*((node, node) for node in found), *used):
        if place.find_ancestor(*chooses) is not None:
            yield line_of(place), called(rank.this)


def _ranks_all_rows(node: exp.Window) -> bool:
    from sqlglot import exp

    if called(node.this) not in _RANKS:
        return False
    window: exp.Window | None = node
    name, query = node.args.get("alias"), node.find_ancestor(exp.Select)
    if name is not None:
        named = query.args.get("windows") or () if query is not None else ()
        window = next((each for each in named if each.name == name.name), None)
    return window is not None and not window.args.get("partition_by")
