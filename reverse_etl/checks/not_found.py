"""Rows that a run asked for and that the database no longer has: failed rows, and no rule is asked about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset.columns import identifiers
from reverse_etl.changeset.parts import numbers_where
from reverse_etl.checks._findings import Numbers, failed_rows
from reverse_etl.checks.base import Finding, Rule, Severity

if TYPE_CHECKING:
    from reverse_etl.config.streams import Stream

NO_LONGER_FOUND: Final = "no_longer_found"
"""The reason of rows that a retry asked for and that the database no longer has."""

NO_IDENTIFIER: Final = "no_identifier"
"""The reason of rows that a retry cannot ask for."""


def not_found(batch: pa.RecordBatch, stream: Stream, numbers: Numbers, *, sync: str) -> pa.RecordBatch:
    """The failed rows (``FAILED_ROW_SCHEMA``) of a batch of such rows.

    Args:
        batch: The rows, which have nothing but an identifier, if that.
        stream: Theirs.
        numbers: Their row numbers, ascending.
        sync: The sync's name.
    """
    names = identifiers(batch, stream)
    run = f"reverse-etl run {sync}"
    without = pc.equal(names, "")
    findings = [
        (
            Rule(reason, Severity.REJECT, ""),
            Finding(numbers_where(batch, mask), "".join(stream.identifier[:1]), message),
        )
        for reason, mask, message in (
            (
                NO_LONGER_FOUND,
                pc.invert(without),
                f"not found under this identifier: the row is gone or has another one now, which {run} reads.",
            ),
            (
                NO_IDENTIFIER,
                without,
                f"a retry cannot find a row without an identifier: correct it, then {run}.",
            ),
        )
    ]
    return failed_rows(names, findings, stream=stream.name, numbers=numbers)
