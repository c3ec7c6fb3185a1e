"""The keys that shape rows, checked against the text of their query before a database is asked."""

from __future__ import annotations

from collections.abc import Mapping

from reverse_etl.config.column_values import read_columns
from reverse_etl.config.conditions import columns_of, read_condition
from reverse_etl.config.draft import Draft, has, near
from reverse_etl.config.problems import Path
from reverse_etl.config.statement import Column


def shaped_columns(draft: Draft, at: Path, columns: tuple[Column, ...] | None) -> tuple[Column, ...] | None:
    """The columns that rows have after the keys beside a query shaped them; None where only a run knows them."""
    written = draft.at((*at[:-1], "columns"))
    if isinstance(written, Mapping) and written:
        return tuple(Column(name, exact=True) for name in written if isinstance(name, str))
    return None if draft.at((*at[:-1], "transform")) else columns


def shape_problems(draft: Draft, at: Path, columns: tuple[Column, ...] | None, required: tuple[str, ...]) -> None:
    """Adds what is wrong with the keys beside a query.

    Args:
        draft: The sync's file.
        at: The query's place.
        columns: Those of its result; None where only the database knows them.
        required: The columns without which no row can be sent; the first names them.
    """
    beside = at[:-1]
    condition, _ = read_condition(draft.at((*beside, "where")), (*beside, "where"))
    made, _ = read_columns(draft.at((*beside, "columns")), (*beside, "columns"))
    by = draft.at(("changes", "by"))
    for value in made.values() if by == "compare" else ():
        if value.source == "run" and value.value != "sync":
            draft.warn(value.at, "differs in every run, so that `changes: {by: compare}` sends every row each time")
    names_rows = made.get(required[0]) if required else None
    if by == "log" and names_rows is not None and not names_rows.is_the_column:
        text = "the log names rows by a column as it is: name the column alone"
        draft.problem(names_rows.at, text)
    if by == "log" and draft.at((*beside, "transform")) is not None:
        draft.problem(("changes", "by"), "the log names rows as the query has them, and a transform may name others")
    if columns is None:
        return
    by_transform = draft.at((*beside, "transform")) is not None
    for value in made.values() if not by_transform else ():
        for name in dict.fromkeys(value.columns):
            if not has(columns, name):
                draft.problem(value.at, f"the query has no column `{name}`{near(name, columns)}")
    for comparison in columns_of(condition) if condition is not None else ():
        if not has(columns, comparison.column):
            text = f"the query has no column `{comparison.column}`{near(comparison.column, columns)}"
            draft.problem(comparison.at[:-1], text)
