"""``in_range: {column: age, min: 0, max: 150}``: numbers or times between two bounds, both included. NULL passes.

Numbers are compared with all their digits. Times without a zone, in the column's text or in a bound, are UTC.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BeforeValidator, Field

from reverse_etl.changeset.text import as_text
from reverse_etl.checks._batch import broken, is_number
from reverse_etl.checks._instants import seconds
from reverse_etl.checks._settings import rule_of
from reverse_etl.checks.base import AnyRule, Finding, Rule
from reverse_etl.config.checks import CheckConfig
from reverse_etl.config.numbers import ExactNumber, exact

Number = int | float | Decimal
Bound = Annotated[int | ExactNumber | datetime | date, BeforeValidator(exact)]


class Config(CheckConfig):
    """The check's keys."""

    check: str = "in_range"
    column: str = Field(
        min_length=1,
        description="A column of numbers, dates, date-times or ISO 8601 text, which without a zone is UTC.",
    )
    min: Bound | None = Field(default=None, description="The smallest value that passes; a time without a zone is UTC.")
    max: Bound | None = Field(default=None, description="The largest value that passes; a time without a zone is UTC.")

    @classmethod
    def misfits(cls, given: Mapping[str, object]) -> Iterator[tuple[str, str]]:
        """At least one bound, in order."""
        low, high = given.get("min"), given.get("max")
        if low is None and high is None:
            yield "", "needs min, max or both"
        kinds = (int, float, Decimal, date)
        if isinstance(low, kinds) and isinstance(high, kinds) and _number(exact(low)) > _number(exact(high)):
            yield "min", "is more than max"


def rules(config: Config) -> list[AnyRule]:
    """The rule that a sync asks for."""
    bounds = " and ".join(
        f"{words} {bound}" for words, bound in (("at least", config.min), ("at most", config.max)) if bound is not None
    )
    low = None if config.min is None else _number(config.min)
    high = None if config.max is None else _number(config.max)
    rule = rule_of(config, f"Column `{config.column}` is {bounds}.", config.column)
    return [InRange(rule, config.column, low, high)]


def _number(bound: Number | date) -> Number:
    if isinstance(bound, datetime):
        return (bound if bound.tzinfo else bound.replace(tzinfo=UTC)).timestamp()
    if isinstance(bound, date):
        return datetime(bound.year, bound.month, bound.day, tzinfo=UTC).timestamp()
    return bound


@dataclass(frozen=True, slots=True)
class InRange:
    """Bounds for a column's values; times in Unix seconds."""

    rule: Rule
    column: str
    low: Number | None
    high: Number | None

    def findings(self, batch: pa.RecordBatch, started_at: int) -> Iterator[Finding]:  # noqa: ARG002
        """Rows outside the bounds, and rows with something that is not a number or a time."""
        column, field = batch.column(self.column), batch.schema.field(self.column)
        values = seconds(column, field)
        low = -math.inf if self.low is None else float(self.low)
        high = math.inf if self.high is None else float(self.high)
        outside = pc.or_(pc.less(values, low), pc.greater(values, high))
        if is_number(field):
            at_bound = pc.or_(pc.equal(values, low), pc.equal(values, high))
            outside = pc.or_(outside, self._exactly_outside(as_text(column, field), at_bound))
        yield from broken(batch, outside, self.column, f"column `{self.column}` is out of range.")
        other = pc.and_(column.is_valid(), pc.is_null(values))
        yield from broken(batch, other, self.column, f"column `{self.column}` is neither a number nor a time.")

    def _exactly_outside(self, texts: pa.StringArray, at_bound: pa.BooleanArray) -> pa.BooleanArray:
        """Of values that are a bound as 64-bit floats, those that are outside by digits a float cannot hold."""
        low, high = _digits(self.low), _digits(self.high)
        candidates = pc.unique(pc.filter(texts, at_bound)).to_pylist()
        outside = [
            text
            for text in candidates
            if (low is not None and Decimal(text) < low) or (high is not None and Decimal(text) > high)
        ]
        return pc.and_(at_bound, pc.is_in(texts, value_set=pa.array(outside, pa.string())))


def _digits(bound: Number | None) -> Decimal | None:
    return None if bound is None else Decimal(str(bound))
