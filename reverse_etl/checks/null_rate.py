"""``null_rate: {column: phone, max: 20%, change: 50%}``: a gate on the share of NULLs in a column."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import Field

from reverse_etl.checks._past import NOTHING_TO_COMPARE, LastRuns, changed_by, of_runs
from reverse_etl.checks._settings import GateSeverity, Share, rule_of
from reverse_etl.checks.base import AnyRule, Measured, Rule, Whole
from reverse_etl.config.checks import CheckConfig
from reverse_etl.config.limits import Limit
from reverse_etl.config.percent import Percent
from reverse_etl.counted import counted


class Config(CheckConfig):
    """The check's keys."""

    check: str = "null_rate"
    column: str = Field(min_length=1, description="The column to look at.")
    max: Share | None = Field(default=None, description="The greatest share of NULLs among all rows, as in 20%.")
    change: Percent | None = Field(
        default=None,
        description="A share of NULLs that is higher by more than this part of the median of the last completed runs "
        "exceeds the gate: with 50%, more than 6% where it used to be 4%.",
    )
    last: LastRuns = 7
    severity: GateSeverity = Field(
        default="stop", description="warn reports, stop ends the run before anything is sent."
    )

    @classmethod
    def misfits(cls, given: Mapping[str, object]) -> Iterator[tuple[str, str]]:
        """At least one bound."""
        if given.get("max") is None and given.get("change") is None:
            yield "", "needs max or change"


def rules(config: Config) -> list[AnyRule]:
    """The gate that a sync asks for."""
    bounds = [] if config.max is None else [f"at most {config.max} of column `{config.column}` is NULL"]
    if config.change is not None:
        runs = f"the median of the last {counted(config.last, 'completed run')}"
        bounds.append(f"the share of NULLs in column `{config.column}` is at most {config.change:g}% above {runs}")
    description = f"{', and '.join(bounds)}."
    description = description[0].upper() + description[1:]
    rule = rule_of(config, description, config.column, of_the_whole=True, share=True)
    return [NullRate(rule, config.column, config.max, config.change, config.last)]


@dataclass(frozen=True, slots=True)
class NullRate:
    """Limits on the share of NULLs; None where there is none."""

    rule: Rule
    column: str
    limit: Limit | None
    change: float | None = None
    last: int = 7

    def measure(self, whole: Whole, past: Sequence[float]) -> Measured:
        """The share of NULLs; none without rows."""
        nulls = rows = 0
        for batch in whole.batches(self.column):
            nulls += batch.column(0).null_count
            rows += batch.num_rows
        if not rows:
            return Measured(None)
        share = nulls / rows
        found = f"column `{self.column}` is NULL in {nulls:,} of {counted(rows, 'row')}"
        if self.limit is not None and self.limit.exceeded_by(nulls, rows):
            return Measured(share, f"{found}, over the {self.limit} allowed.")
        if self.change is None:
            return Measured(share)
        compared = changed_by(share, past, self.last)
        if compared is None:
            return Measured(share, note=NOTHING_TO_COMPARE)
        median, percent, runs = compared
        if share > median and percent > self.change:
            usual = f"{median * 100:.3g}% in {of_runs(runs)}"
            return Measured(share, f"{found} ({share * 100:.3g}%), {usual}; {self.change:g}% more is allowed.")
        return Measured(share)
