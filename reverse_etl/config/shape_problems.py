"""The keys that shape rows held against what the text of their query shows, before a database is asked."""

from __future__ import annotations

from collections.abc import Mapping

from reverse_etl.config.conditions import columns_of, read_condition
from reverse_etl.config.draft import Draft, has, near
from reverse_etl.config.problems import Path
from reverse_etl.config.statement import Column


def shape_problems(draft: Draft, at: Path, columns: tuple[Column, ...] | None) -> None:
    """Adds what is wrong with the keys beside a query.

    Args:
        draft: The sync's file.
        at: The query's place.
        columns: Those of its result; None where only the database knows them.
    """
    beside = at[:-1]
    where = draft.at((*beside, "where"))
    if columns is None or not isinstance(where, Mapping):
        return
    condition, _ = read_condition(where, (*beside, "where"))
    for comparison in columns_of(condition) if condition is not None else ():
        if not has(columns, comparison.column):
            text = f"the query has no column {comparison.column!r}{near(comparison.column, columns)}"
            draft.problem(comparison.at[:-1] if _is_written(draft, comparison.at) else comparison.at, text)


def _is_written(draft: Draft, at: Path) -> bool:
    """Whether the operator has a line of its own, and is no short form."""
    return draft.document.place.at(*at) is not None
