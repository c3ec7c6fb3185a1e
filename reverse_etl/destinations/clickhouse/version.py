"""What the version column of a ReplacingMergeTree gets: when the run began, so that a later run's row is the newest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from reverse_etl.destinations._sql.columns import Kind
from reverse_etl.destinations.clickhouse import types
from reverse_etl.destinations.clickhouse.catalogue import literal

if TYPE_CHECKING:
    from reverse_etl.destinations._sql.columns import Column


@dataclass(frozen=True, slots=True)
class Version:
    """A column's value in all rows of a run.

    Attributes:
        name: The column's.
        value: In its own Arrow type.
        sql: The same as SQL.
    """

    name: str
    value: pa.Scalar
    sql: str

    def repeated(self, rows: int) -> pa.Array:
        """As often as there are rows."""
        return pa.repeat(self.value, rows)


def version_of(column: Column, began_at: int) -> Version | None:
    """The start of a run in a column; None where it has no room for it.

    Args:
        column: The version column.
        began_at: Unix seconds.
    """
    at = datetime.fromtimestamp(began_at, UTC)
    value: Any
    if column.kind is Kind.INTEGER and column.integers[1] >= began_at:
        value, text = pa.scalar(began_at, column.arrow or pa.int64()), str(began_at)
    elif column.kind is Kind.INSTANT:
        value, text = pa.scalar(at, column.arrow), f"{at:%Y-%m-%d %H:%M:%S}"
    elif column.kind is Kind.DATE:
        value, text = pa.scalar(at.date(), column.arrow), f"{at:%Y-%m-%d}"
    else:
        return None
    kind = types.plain(column.type)
    if column.kind is Kind.INSTANT:
        return Version(column.name, value, f"CAST(toDateTime({began_at}, 'UTC'), {literal(kind)})")
    return Version(column.name, value, f"CAST({literal(text)}, {literal(kind)})")
