"""How attribute names are spelled: Liquid and segments are case-sensitive, so ``Plan`` and ``plan`` drift apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from reverse_etl.checks._batch import columns
from reverse_etl.checks.base import ColumnFinding, Rule
from reverse_etl.config.names import is_snake_case


@dataclass(frozen=True, slots=True)
class NameCase:
    """Attribute names in snake_case. ``apart`` are the columns that are not attributes."""

    rule: Rule
    apart: frozenset[str]

    def findings(self, batch: pa.RecordBatch, started_at: int) -> Iterator[ColumnFinding]:  # noqa: ARG002
        """The columns whose name is in another style."""
        for name, _, _ in columns(batch, apart=self.apart):
            if not is_snake_case(name):
                yield ColumnFinding(name, f"attribute name `{name}` is not in snake_case.")
