"""How values get into the stage where batches differ, and into statements."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
from psycopg import sql

from reverse_etl.destinations._sql.marks import Mark
from reverse_etl.destinations.postgres.catalogue import TableColumn


def schema_of(batches: Sequence[pa.RecordBatch], names: Sequence[str]) -> pa.Schema:
    """One schema for batches of which a column may have several types: what differs is text."""
    fields = []
    for name in names:
        kinds = {batch.schema.field(name).type for batch in batches}
        fields.append((name, kinds.pop() if len(kinds) == 1 else pa.string()))
    return pa.schema(fields)


def literal(mark: Mark[TableColumn]) -> str:
    """What is set in rows that are gone, as SQL of the column's type."""
    [value] = mark.fitted.cast(pa.string()).to_pylist()
    return f"{sql.Literal(value).as_string()}::{mark.column.fits.type}"
