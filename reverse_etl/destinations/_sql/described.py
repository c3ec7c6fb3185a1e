"""A table's columns as people are shown them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reverse_etl.destinations._sql.columns import TableColumn


def shown_columns(columns: Iterable[TableColumn], filled: Collection[str] = ()) -> list[str]:
    """Each column with its type, and what is special about it; ``filled`` are those that a trigger may fill."""
    return [f"{column.fits.name} {column.fits.type}{_about(column, filled)}" for column in columns]


def _about(column: TableColumn, filled: Collection[str]) -> str:
    if column.generated:
        return " (generated)"
    if column.fits.nullable or column.has_default:
        return ""
    return " (needed, unless a trigger fills it)" if column.fits.name in filled else " (needed)"
