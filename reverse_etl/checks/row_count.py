"""``row_count: {min: 1, max: 100000, change: 50%}``: a gate on the rows extracted, all bounds included."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import Field

from reverse_etl.checks._past import NOTHING_TO_COMPARE, LastRuns, changed_by, of_runs
from reverse_etl.checks._settings import GateSeverity, rule_of
from reverse_etl.checks.base import AnyRule, Measured, Rule, Whole
from reverse_etl.config.checks import CheckConfig
from reverse_etl.config.percent import Percent
from reverse_etl.counted import counted


class Config(CheckConfig):
    """The check's keys."""

    check: str = "row_count"
    min: int | None = Field(default=None, ge=0, description="Fewer rows than this exceed the gate.")
    max: int | None = Field(default=None, ge=0, description="More rows than this exceed the gate.")
    change: Percent | None = Field(
        default=None,
        description="A number of rows that differs by more than this share from the median of the last completed "
        "runs, up or down, exceeds the gate. Runs that read everything and runs that read what changed are not "
        "compared with each other.",
    )
    last: LastRuns = 7
    severity: GateSeverity = Field(
        default="stop", description="warn reports, stop ends the run before anything is sent."
    )

    @classmethod
    def misfits(cls, given: Mapping[str, object]) -> Iterator[tuple[str, str]]:
        """At least one bound, in order."""
        low, high = given.get("min"), given.get("max")
        if low is None and high is None and given.get("change") is None:
            yield "", "needs min, max or change"
        if isinstance(low, int) and isinstance(high, int) and low > high:
            yield "min", "is more than max"


def rules(config: Config) -> list[AnyRule]:
    """The gate that a sync asks for."""
    bounds = [
        f"{words} {counted(bound, 'row')}"
        for words, bound in (("at least", config.min), ("at most", config.max))
        if bound is not None
    ]
    if config.change is not None:
        bounds.append(f"within {config.change:g}% of the median of the last {counted(config.last, 'completed run')}")
    rule = rule_of(config, f"The query returns {' and '.join(bounds)}.", of_the_whole=True)
    return [RowCount(rule, config.min, config.max, config.change, config.last)]


@dataclass(frozen=True, slots=True)
class RowCount:
    """Bounds for the number of rows; None where there is none."""

    rule: Rule
    low: int | None
    high: int | None
    change: float | None = None
    last: int = 7

    def measure(self, whole: Whole, past: Sequence[float]) -> Measured:
        """The rows that were found, and by how many there are too many or too few."""
        rows = whole.counts.extracted
        found = f"{counted(rows, 'row')} to check"
        if self.low is not None and rows < self.low:
            return Measured(rows, f"{found}, fewer than {self.low:,}.")
        if self.high is not None and rows > self.high:
            return Measured(rows, f"{found}, more than {self.high:,}.")
        if self.change is None:
            return Measured(rows)
        compared = changed_by(rows, past, self.last)
        if compared is None:
            return Measured(rows, note=NOTHING_TO_COMPARE)
        median, percent, runs = compared
        if percent > self.change:
            more = "more" if rows > median else "fewer"
            by = f"{percent:.0f}% {more} than" if median else "where there were none in"
            usual = f" ({counted(round(median), 'row')})" if median else ""
            return Measured(rows, f"{found}, {by} {of_runs(runs)}{usual}; {self.change:g}% is allowed.")
        return Measured(rows)
