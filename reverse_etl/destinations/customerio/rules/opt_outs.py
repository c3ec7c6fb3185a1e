"""``unsubscribed: false`` from a database undoes the opt-out of a person who unsubscribed in Customer.io."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset.text import number_text
from reverse_etl.checks._batch import broken, text
from reverse_etl.checks.base import Finding, Rule

_COLUMN = "unsubscribed"
_FALSE = ["false", "f", "no", "n", "off", "0"]
"""What databases and spreadsheets write for false, in any case. Source: PostgreSQL's boolean input, YAML 1.1."""


@dataclass(frozen=True, slots=True)
class OptOutsKept:
    """No row has ``unsubscribed: false``."""

    rule: Rule

    def findings(self, batch: pa.RecordBatch, started_at: int) -> Iterator[Finding]:  # noqa: ARG002
        """Rows that do."""
        texts = text(batch, _COLUMN)
        if texts is not None:
            written = pc.utf8_lower(pc.utf8_trim_whitespace(number_text(texts)))
            message = f"column `{_COLUMN}` is false, which undoes opt-outs made in Customer.io."
            yield from broken(batch, pc.is_in(written, value_set=pa.array(_FALSE)), _COLUMN, message)
