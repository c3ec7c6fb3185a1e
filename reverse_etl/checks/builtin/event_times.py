"""When events happened, and that it is a time that can be meant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset.occurred_at import OCCURRED_AT, occurred_at
from reverse_etl.checks._batch import broken
from reverse_etl.checks.base import Finding, Rule

FUTURE_S = 86_400
"""Clocks differ, time zones are mistaken: up to a day ahead passes."""

YEAR_2000 = 946_684_800
"""An event before 2000 is a zero, or milliseconds and seconds mistaken for each other."""


def _occurred_at(batch: pa.RecordBatch) -> pa.DoubleArray:
    at = occurred_at(batch.column(OCCURRED_AT), batch.schema.field(OCCURRED_AT))
    return pc.divide(pc.cast(pc.cast(at, pa.int64()), pa.float64(), safe=False), 1e6)


@dataclass(frozen=True, slots=True)
class TimeValid:
    """``occurred_at`` holds a date, a date-time, Unix seconds or ISO 8601 text in every row."""

    rule: Rule

    def findings(self, batch: pa.RecordBatch, started_at: int) -> Iterator[Finding]:  # noqa: ARG002
        """Rows without a time, and rows with something that is not a time."""
        column = batch.column(OCCURRED_AT)
        missing = pc.is_null(column)
        if pa.types.is_string(column.type):
            missing = pc.or_(missing, pc.fill_null(pc.equal(column, ""), False))
        yield from broken(batch, missing, OCCURRED_AT, f"column `{OCCURRED_AT}` is empty.")
        other = pc.and_not(pc.is_null(_occurred_at(batch)), missing)
        message = (
            f"column `{OCCURRED_AT}` is not a date-time, Unix seconds or ISO 8601 text such as 2026-01-05T01:30:00Z."
        )
        yield from broken(batch, other, OCCURRED_AT, message)


@dataclass(frozen=True, slots=True)
class NotInFuture:
    """No event happened more than a day after the run's start."""

    rule: Rule

    def findings(self, batch: pa.RecordBatch, started_at: int) -> Iterator[Finding]:
        """Rows of later events."""
        at = _occurred_at(batch)
        message = f"column `{OCCURRED_AT}` is more than a day in the future (milliseconds instead of seconds?)."
        yield from broken(batch, pc.greater(at, float(started_at + FUTURE_S)), OCCURRED_AT, message)


@dataclass(frozen=True, slots=True)
class NotTooOld:
    """No event happened before 2000."""

    rule: Rule

    def findings(self, batch: pa.RecordBatch, started_at: int) -> Iterator[Finding]:  # noqa: ARG002
        """Rows of earlier events."""
        at = _occurred_at(batch)
        early = pc.less(at, float(YEAR_2000))
        yield from broken(batch, early, OCCURRED_AT, f"column `{OCCURRED_AT}` is before the year 2000.")


@dataclass(frozen=True, slots=True)
class MaxAge:
    """Events older than the sync's ``max_age`` are left out."""

    rule: Rule
    max_age_s: int

    def findings(self, batch: pa.RecordBatch, started_at: int) -> Iterator[Finding]:
        """Rows of older events."""
        at = _occurred_at(batch)
        older = pc.less(at, float(started_at - self.max_age_s))
        yield from broken(batch, older, OCCURRED_AT, "the event is older than the sync's max_age.")
