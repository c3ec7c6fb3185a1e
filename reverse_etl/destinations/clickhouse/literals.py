"""Keys as SQL: in a statement that deletes, there are no rows beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from reverse_etl.destinations._sql.columns import Kind
from reverse_etl.destinations.clickhouse import types
from reverse_etl.destinations.clickhouse.catalogue import literal

if TYPE_CHECKING:
    from reverse_etl.destinations._sql.columns import Column


def literals(values: pa.Array, column: Column) -> list[str | None]:
    """Each value of a column of the key, as SQL of its type; None for NULL."""
    if column.kind is Kind.INTEGER and pa.types.is_integer(values.type):
        return [None if value is None else str(value) for value in values.to_pylist()]
    if column.kind is Kind.TEXT:
        return [None if value is None else literal(value) for value in values.to_pylist()]
    kind = types.plain(column.type)
    if column.kind is Kind.INSTANT:
        numbers = values.cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_pylist()
        return [None if n is None else f"CAST(fromUnixTimestamp64Micro({n}, 'UTC'), {literal(kind)})" for n in numbers]
    texts = values.cast(pa.string()).to_pylist()
    return [None if text is None else f"CAST({literal(text)}, {literal(kind)})" for text in texts]
