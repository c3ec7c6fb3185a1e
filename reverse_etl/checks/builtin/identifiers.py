"""Identifiers must be there and be short enough. Whether they are e-mail addresses or unique is checked elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.checks._batch import broken, empty, text
from reverse_etl.checks.base import Finding, Rule

MAX_BYTES = 150
"""Longest identifier of a person or an object. Source: Track API OpenAPI, August 2026."""


@dataclass(frozen=True, slots=True)
class Present:
    """A column that must hold a value in every row: neither NULL nor '', nor white space where that is ``blank``."""

    rule: Rule
    column: str
    blank: bool = False

    def findings(self, batch: pa.RecordBatch, started_at: int) -> Iterator[Finding]:  # noqa: ARG002
        """Rows without a value; all rows where the column is not there."""
        texts = text(batch, self.column)
        texts = pa.nulls(batch.num_rows, pa.string()) if texts is None else texts
        missing = empty(pc.utf8_trim_whitespace(texts) if self.blank else texts)
        yield from broken(batch, missing, self.column, f"column `{self.column}` is empty.")


@dataclass(frozen=True, slots=True)
class Length:
    """Columns, where they are there, whose text may have this many bytes."""

    rule: Rule
    checked: tuple[str, ...]
    max_bytes: int = MAX_BYTES

    def findings(self, batch: pa.RecordBatch, started_at: int) -> Iterator[Finding]:  # noqa: ARG002
        """Rows with a longer value, one finding a column."""
        for name in self.checked:
            texts = text(batch, name)
            if texts is not None:
                too_long = pc.greater(pc.binary_length(texts), self.max_bytes)
                yield from broken(batch, too_long, name, f"column `{name}` is longer than {self.max_bytes} bytes.")
