"""A table's columns as people are shown them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reverse_etl.destinations._sql.columns import TableColumn


def shown_columns(columns: Iterable[TableColumn]) -> list[str]:
    """Each column with its type, and what is special about it."""
    return [f"{column.fits.name} {column.fits.type}{_about(column)}" for column in columns]


def _about(column: TableColumn) -> str:
    if column.generated:
        return " (generated)"
    return "" if column.fits.nullable or column.has_default else " (needed)"
