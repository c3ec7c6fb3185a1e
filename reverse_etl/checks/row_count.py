"""``row_count: {min: 1, max: 100000}``: a gate on the rows extracted, both bounds included."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import Field

from reverse_etl.checks._settings import GateSeverity, rule_of
from reverse_etl.checks.base import AnyRule, Rule
from reverse_etl.config.checks import CheckConfig
from reverse_etl.counted import counted
from reverse_etl.report import Counts


class Config(CheckConfig):
    """The check's keys."""

    check: str = "row_count"
    min: int | None = Field(default=None, ge=0, description="Fewer rows than this exceed the gate.")
    max: int | None = Field(default=None, ge=0, description="More rows than this exceed the gate.")
    severity: GateSeverity = Field(
        default="stop", description="warn reports, stop ends the run before anything is sent."
    )

    @classmethod
    def misfits(cls, given: Mapping[str, object]) -> Iterator[tuple[str, str]]:
        """At least one bound, in order."""
        low, high = given.get("min"), given.get("max")
        if low is None and high is None:
            yield "", "needs min, max or both"
        if isinstance(low, int) and isinstance(high, int) and low > high:
            yield "min", "is more than max"


def rules(config: Config) -> list[AnyRule]:
    """The gate that a sync asks for."""
    bounds = [
        f"{words} {counted(bound, 'row')}"
        for words, bound in (("at least", config.min), ("at most", config.max))
        if bound is not None
    ]
    rule = rule_of(config, f"The query returns {' and '.join(bounds)}.", of_the_whole=True)
    return [RowCount(rule, config.min, config.max)]


@dataclass(frozen=True, slots=True)
class RowCount:
    """Bounds for the number of rows; None where there is none."""

    rule: Rule
    low: int | None
    high: int | None

    def exceeded(self, counts: Counts) -> str:
        """By how much."""
        if self.low is not None and counts.extracted < self.low:
            return f"{counted(counts.extracted, 'row')} to check, fewer than {self.low:,}."
        if self.high is not None and counts.extracted > self.high:
            return f"{counted(counts.extracted, 'row')} to check, more than {self.high:,}."
        return ""
