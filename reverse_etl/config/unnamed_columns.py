"""Columns that a query gives no name: what the engines call them instead is no attribute's name.

Some engines name a column after its function or type (``count``, ``lower``); the others return the expression's text,
nothing, or a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sqlglot import exp

    from reverse_etl.config.dialect import Dialect

_CALL: Final = re.compile(r"(\w+)\(.*\)", re.DOTALL)
_NUMBER: Final = re.compile(r"[0-9]+(\.[0-9]+)?")
_SHOWN: Final = 40


def unnamed_columns(tree: exp.Expr, dialect: Dialect) -> Iterator[tuple[int, str]]:
    """Columns of a query's outermost SELECT without a name, each as a line of the query and a sentence."""
    from sqlglot import exp

    while isinstance(tree, (exp.Subquery, exp.SetOperation)):
        tree = tree.this
    if not isinstance(tree, exp.Select) or tree.args.get("kind") or not dialect.name:
        return
    for number, projection in enumerate(tree.expressions, 1):
        if _is_unnamed(projection, dialect):
            yield _line(projection), _sentence(number, _shown(projection.sql(dialect=dialect.name)))


def unnamed_in_result(names: Sequence[str], sql: str, dialect: Dialect) -> str:
    """The same of a result's columns, a sentence; empty where all have a name.

    Args:
        names: As the database returns them.
        sql: The query, in which a name that the user chose is written.
        dialect: The database's.
    """
    for number, name in enumerate(names, 1):
        if not name or (re.fullmatch(dialect.made_up_names, name) and name not in sql):
            return _sentence(number, "…")
        if not dialect.names_functions and _is_text_of(name, sql):
            return _sentence(number, _shown(name))
    return ""


def _sentence(number: int, expression: str) -> str:
    return f"column {number} has no name: write `{expression} AS name`, with the attribute's name"


def _is_unnamed(projection: exp.Expr, dialect: Dialect) -> bool:
    from sqlglot import exp

    while isinstance(projection, exp.Paren):
        projection = projection.this
    if dialect.names_functions:
        plain = (exp.Literal, exp.Null, exp.Binary, exp.Neg, exp.Not, exp.Between, exp.In)
        return isinstance(projection, plain) and not isinstance(projection, (exp.Dot, exp.Func, exp.Collate))
    named = (exp.Alias, exp.Aliases, exp.Column, exp.Dot, exp.Star, exp.Columns, exp.Identifier, exp.Collate)
    # What may become several columns, with names of their own.
    several = (exp.UDTF, exp.Explode)
    return not isinstance(projection, (*named, *several))


def _is_text_of(name: str, sql: str) -> bool:
    """Whether a name is the text of an expression in the query rather than one that stands there between quotes."""
    if any(f"{opening}{name}{closing}" in sql for opening, closing in ('""', "``", "[]", "''")):
        return False
    if _NUMBER.fullmatch(name):
        return re.search(rf"(?<![\w.]){re.escape(name)}(?![\w.])", sql) is not None
    call = _CALL.fullmatch(name)
    if call is None:
        return False
    function = call[1].removesuffix("_star")
    return re.search(rf"\b{re.escape(function)}\s*\(", sql, re.IGNORECASE) is not None


def _shown(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _line(projection: exp.Expr) -> int:
    return next((int(node.meta["line"]) for node in projection.walk() if "line" in node.meta), 1)
