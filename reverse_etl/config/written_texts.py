"""Texts that a query writes out for a column, so that what is wrong with them is known before a row is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot import exp


def written_texts(tree: exp.Expr, is_named: Callable[[exp.Expr], bool]) -> Iterator[tuple[int, str]]:
    """Texts that a column of the result holds in some rows, each with its line of the query.

    Args:
        tree: The query.
        is_named: Tells the column by its place in the first SELECT.
    """
    selects = list(_selects(tree))
    first = selects[0].expressions if selects else []
    number = next((at for at, projection in enumerate(first) if is_named(projection)), None)
    if number is None:
        return
    # Behind a star, the same place in another SELECT may be another column.
    starred = any(projection.is_star for select in selects for projection in select.expressions)
    for select in selects[: 1 if starred else None]:
        for projection in select.expressions[number : number + 1]:
            line = next((int(node.meta["line"]) for node in projection.walk() if "line" in node.meta), 1)
            for text in _texts(projection):
                yield int(text.meta.get("line", line)), str(text.this)


def _selects(tree: exp.Expr) -> Iterator[exp.Select]:
    """The SELECTs whose rows are the result, in order; those behind one that is joined by name are left out."""
    from sqlglot import exp

    if isinstance(tree, exp.SetOperation):
        yield from _selects(tree.this)
        if not tree.args.get("by_name"):
            yield from _selects(tree.expression)
    elif isinstance(tree, exp.Subquery):
        yield from _selects(tree.this)
    elif isinstance(tree, exp.Select) and not tree.args.get("kind"):
        yield tree


def _texts(projection: exp.Expr) -> Iterator[exp.Expr]:
    from sqlglot import exp

    if isinstance(projection, (exp.National, exp.RawString)) or projection.is_string:
        yield projection
    elif isinstance(projection, (exp.Alias, exp.Paren)) or (
        # A type with a length may cut the text.
        isinstance(projection, exp.Cast) and not projection.to.expressions
    ):
        yield from _texts(projection.this)
    elif isinstance(projection, exp.Introducer):
        yield from _texts(projection.expression)
    else:
        for way in _ways(projection):
            yield from _texts(way)


def _ways(projection: exp.Expr) -> list[exp.Expr]:
    """What a choice may come to."""
    from sqlglot import exp

    ways: list[exp.Expr | None] = []
    if isinstance(projection, exp.Case):
        ways = [*(each.args.get("true") for each in projection.args["ifs"]), projection.args.get("default")]
    elif isinstance(projection, exp.If):
        ways = [projection.args.get("true"), projection.args.get("false")]
    elif isinstance(projection, exp.Coalesce):
        ways = [projection.this, *projection.expressions]
    return [way for way in ways if way is not None]
