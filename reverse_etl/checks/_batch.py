"""What every rule on a batch needs: a column by name, its text, and rows as a finding."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset.parts import ROW_NUMBER, numbers_where
from reverse_etl.changeset.text import as_text
from reverse_etl.checks.base import Finding
from reverse_etl.sources.base import logical_type


def columns(batch: pa.RecordBatch, *, apart: frozenset[str] = frozenset()) -> Iterator[tuple[str, pa.Array, pa.Field]]:
    """Every column of a batch but its row numbers and those set ``apart``, in order."""
    for field, column in zip(batch.schema, batch.columns, strict=True):
        if field.name != ROW_NUMBER and field.name not in apart:
            yield field.name, column, field


def text(batch: pa.RecordBatch, name: str) -> pa.StringArray | None:
    """A column as identifier text; None where the batch has no such column."""
    index = batch.schema.get_field_index(name)
    return None if index < 0 else as_text(batch.column(index), batch.schema.field(index))


def empty(texts: pa.StringArray) -> pa.BooleanArray:
    """Where a text is missing: null or ''. Never null itself."""
    return pc.equal(pc.fill_null(texts, ""), "")


def is_number(field: pa.Field) -> bool:
    """Whether a column in canonical types holds numbers."""
    return bool(pa.types.is_integer(field.type) or pa.types.is_floating(field.type) or logical_type(field) == "decimal")


def broken(batch: pa.RecordBatch, mask: pa.BooleanArray, field: str, message: str) -> Iterator[Finding]:
    """One finding of the rows where the mask is true (null is false); nothing where there are none."""
    rows = numbers_where(batch, mask)
    if len(rows):
        yield Finding(rows, field, message)
