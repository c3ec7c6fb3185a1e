"""JSON as an attribute: segments and filters cannot look inside, and it soon outgrows 1000 bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from reverse_etl.checks._batch import columns
from reverse_etl.checks.base import ColumnFinding, Rule
from reverse_etl.sources.base import logical_type


@dataclass(frozen=True, slots=True)
class JsonAttribute:
    """No attribute holds JSON. ``apart`` are the columns that are not attributes."""

    rule: Rule
    apart: frozenset[str]

    def findings(self, batch: pa.RecordBatch, started_at: int) -> Iterator[ColumnFinding]:  # noqa: ARG002
        """The columns that hold JSON."""
        for name, column, field in columns(batch, apart=self.apart):
            if logical_type(field) == "json" and column.null_count < len(column):
                yield ColumnFinding(name, f"column `{name}` holds JSON; give what is needed of it its own columns.")
