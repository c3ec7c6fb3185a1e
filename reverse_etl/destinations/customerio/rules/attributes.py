"""How long attribute names and values may be, and how many attributes one item may have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset.parts import ROW_NUMBER
from reverse_etl.checks._batch import broken, columns
from reverse_etl.checks.base import Finding, Rule

MAX_NAME_BYTES = 150
MAX_VALUE_BYTES = 1000
MAX_COUNT = 300
"""Limits of one item. Source: Track API OpenAPI, August 2026; docs.customer.io/journeys/invalid-api-requests."""


@dataclass(frozen=True, slots=True)
class NameLength:
    """Attribute names of at most 150 bytes. ``apart`` are the columns that are not attributes."""

    rule: Rule
    apart: frozenset[str]

    def findings(self, batch: pa.RecordBatch, started_at: int) -> Iterator[Finding]:  # noqa: ARG002
        """All rows, for each column whose name is longer; the message gives its position, not its name."""
        for position, (name, _, _) in enumerate(columns(batch), start=1):
            if name not in self.apart and len(name.encode()) > MAX_NAME_BYTES and batch.num_rows:
                message = f"the name of column {position} is longer than {MAX_NAME_BYTES} bytes."
                yield Finding(batch.column(ROW_NUMBER), name, message)


@dataclass(frozen=True, slots=True)
class ValueLength:
    """Attribute values of at most 1000 bytes, JSON as its text."""

    rule: Rule
    apart: frozenset[str]

    def findings(self, batch: pa.RecordBatch, started_at: int) -> Iterator[Finding]:  # noqa: ARG002
        """Rows with a longer value, one finding a column. Only text can be that long."""
        for name, column, field in columns(batch, apart=self.apart):
            if pa.types.is_string(field.type):
                too_long = pc.greater(pc.binary_length(column), MAX_VALUE_BYTES)
                yield from broken(batch, too_long, name, f"column `{name}` is longer than {MAX_VALUE_BYTES} bytes.")


@dataclass(frozen=True, slots=True)
class Count:
    """At most 300 attributes. ``delete``: whether empty values are sent and so count."""

    rule: Rule
    apart: frozenset[str]
    delete: bool

    def findings(self, batch: pa.RecordBatch, started_at: int) -> Iterator[Finding]:  # noqa: ARG002
        """Rows with more attributes."""
        attributes = list(columns(batch, apart=self.apart))
        if len(attributes) <= MAX_COUNT:
            return
        count = np.zeros(batch.num_rows, dtype=np.int64)
        for _, column, field in attributes:
            sent = column.is_valid()
            if pa.types.is_string(field.type):
                sent = pc.and_(sent, pc.fill_null(pc.not_equal(column, ""), False))
            count += 1 if self.delete else sent.to_numpy(zero_copy_only=False)
        yield from broken(batch, pa.array(count > MAX_COUNT), "", f"the row has more than {MAX_COUNT} attributes.")
