"""What a node of a parsed query is called, and on which line it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot import exp

Place = tuple[int, str]
"""A line of the query, from 1, and a word or sentence."""


def called(node: exp.Expr) -> str:
    """The name of a function in lower case; empty for what is none."""
    from sqlglot import exp

    if isinstance(node, exp.Anonymous):
        return node.name.lower()
    if not isinstance(node, exp.Func):
        return ""
    name = node.sql_name().lower()
    return "current_timestamp" if name.startswith("current_timestamp") else name


def line_of(node: exp.Expr) -> int:
    """The line of a node: sqlglot knows that of names only, so of the nearest one."""
    for near in (node, *node.walk(), *([node.parent, *node.parent.walk()] if node.parent is not None else [])):
        if near is not None and "line" in near.meta:
            return int(near.meta["line"])
    return 1
