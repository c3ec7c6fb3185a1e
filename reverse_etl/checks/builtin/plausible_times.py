"""Times that cannot be meant: 1970, a zero that became a date, or the future for something that has happened."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset.occurred_at import OCCURRED_AT
from reverse_etl.checks._batch import broken, columns
from reverse_etl.checks._instants import seconds
from reverse_etl.checks._times import is_past_name, is_time_name
from reverse_etl.checks.base import Finding, Rule

_1970: Final = (0.0, 365 * 86_400.0)
_FUTURE_S: Final = 86_400
"""Clocks differ, time zones are mistaken: up to a day ahead passes."""

_APART: Final = frozenset({OCCURRED_AT})
"""Rules of its own reject events for it."""


@dataclass(frozen=True, slots=True)
class NotIn1970:
    """No column named like a time has one in 1970; a plain number counts where the name ends with ``_at``."""

    rule: Rule

    def findings(self, batch: pa.RecordBatch, started_at: int) -> Iterator[Finding]:  # noqa: ARG002
        """Rows with such a time, one finding a column."""
        for name, column, field in columns(batch, apart=_APART):
            if is_time_name(name) and (_is_no_number(field) or name.lower().endswith("_at")):
                at = seconds(column, field)
                found = pc.and_(pc.greater_equal(at, _1970[0]), pc.less(at, _1970[1]))
                yield from broken(batch, found, name, f"column `{name}` is in 1970: a zero that became a time?")


@dataclass(frozen=True, slots=True)
class PastNotInFuture:
    """No column named like the time of something that happened, such as ``created_at``, lies in the future."""

    rule: Rule

    def findings(self, batch: pa.RecordBatch, started_at: int) -> Iterator[Finding]:
        """Rows with a time more than a day after the run's start, one finding a column."""
        for name, column, field in columns(batch, apart=_APART):
            if is_past_name(name):
                late = pc.greater(seconds(column, field), float(started_at + _FUTURE_S))
                message = f"column `{name}` is more than a day in the future (milliseconds, or another time zone?)."
                yield from broken(batch, late, name, message)


def _is_no_number(field: pa.Field) -> bool:
    return bool(pa.types.is_temporal(field.type) or pa.types.is_string(field.type))
