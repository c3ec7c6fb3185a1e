"""``max_age: {column: updated_at, max: 2d}``: no time in the column is older than that. NULL passes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from reverse_etl.checks._batch import broken
from reverse_etl.checks._instants import times
from reverse_etl.checks._settings import rule_of
from reverse_etl.checks.base import AnyRule, Finding, Rule
from reverse_etl.config.checks import CheckConfig
from reverse_etl.config.intervals import Interval, format_interval


class Config(CheckConfig):
    """The check's keys."""

    check: str = "max_age"
    column: str = Field(
        min_length=1,
        description="A column of dates, date-times, Unix seconds or ISO 8601 text, which without a zone is UTC.",
    )
    max: Interval = Field(description="The greatest age at the run's start: 24h, 2d.")


def rules(config: Config) -> list[AnyRule]:
    """The rule that a sync asks for."""
    shown = format_interval(config.max)
    rule = rule_of(config, f"Column `{config.column}` is at most {shown} before the run's start.", config.column)
    return [MaxAge(rule, config.column, config.max.total_seconds(), shown)]


@dataclass(frozen=True, slots=True)
class MaxAge:
    """A limit on how long before the run's start a column's times lie."""

    rule: Rule
    column: str
    max_s: float
    shown: str

    def findings(self, batch: pa.RecordBatch, started_at: int) -> Iterator[Finding]:
        """Rows with an older time, and rows with something that is not a time."""
        column = batch.column(self.column)
        at = times(column, batch.schema.field(self.column))
        older = pc.less(at, started_at - self.max_s)
        yield from broken(batch, older, self.column, f"column `{self.column}` is more than {self.shown} ago.")
        other = pc.and_(column.is_valid(), pc.is_null(at))
        yield from broken(batch, other, self.column, f"column `{self.column}` is not a time.")
