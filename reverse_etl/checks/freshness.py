"""``freshness: {column: updated_at, max: 1d}``: a gate. The newest time in the column is not older than that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import pyarrow.compute as pc
from pydantic import Field

from reverse_etl.checks._instants import times
from reverse_etl.checks._settings import GateSeverity, rule_of
from reverse_etl.checks.base import AnyRule, Measured, Rule, Whole
from reverse_etl.config.checks import CheckConfig
from reverse_etl.config.intervals import Interval, format_interval
from reverse_etl.counted import counted

_AHEAD_S: Final = 86_400
"""Clocks differ, time zones are mistaken: up to a day ahead is now."""


class Config(CheckConfig):
    """The check's keys."""

    check: str = "freshness"
    column: str = Field(
        min_length=1,
        description="A column of dates, date-times, Unix seconds or ISO 8601 text, which without a zone is UTC: when "
        "the source changed the row, or loaded it.",
    )
    max: Interval = Field(
        description="The greatest age of its newest value at the run's start: 6h, 1d. Times more than a day after that "
        "do not count. A run without rows is not judged."
    )
    severity: GateSeverity = Field(
        default="stop", description="warn reports, stop ends the run before anything is sent."
    )


def rules(config: Config) -> list[AnyRule]:
    """The gate that a sync asks for."""
    shown = format_interval(config.max)
    description = f"The newest `{config.column}` is at most {shown} before the run's start."
    rule = rule_of(config, description, config.column, of_the_whole=True)
    return [Freshness(rule, config.column, config.max.total_seconds(), shown)]


@dataclass(frozen=True, slots=True)
class Freshness:
    """A limit on how long before the run's start the newest of a column's times lies."""

    rule: Rule
    column: str
    max_s: float
    shown: str

    def measure(self, whole: Whole, past: Sequence[float]) -> Measured:  # noqa: ARG002
        """The age of the newest time in seconds, negative for one after the run's start; none without a time."""
        newest: float | None = None
        rows = ahead = 0
        for batch in whole.batches(self.column):
            rows += batch.num_rows
            at = times(batch.column(0), batch.schema.field(0))
            known = pc.less_equal(at, float(whole.started_at + _AHEAD_S))
            ahead += known.false_count
            here = pc.max(at.filter(known)).as_py()
            if here is not None and (newest is None or here > newest):
                newest = here
        if not rows:
            return Measured(None, note="No rows were read, so how fresh the source is cannot be seen.")
        told = f"column `{self.column}` is more than a day in the future in {counted(ahead, 'row')}"
        if newest is None:
            why = f"{told} and no time in the others" if ahead else f"column `{self.column}` holds no time"
            return Measured(None, f"{why}, so it is not known how old the data is.")
        age_s = whole.started_at - newest
        if age_s > self.max_s:
            old = format_interval(_rounded(age_s))
            beside = f" beside {counted(ahead, 'row')} in the future" if ahead else ""
            return Measured(
                age_s, f"the newest `{self.column}`{beside} is {old} old, more than the {self.shown} allowed."
            )
        return Measured(age_s, note=f"{told[0].upper()}{told[1:]}, which does not count." if ahead else "")


def _rounded(age_s: float) -> timedelta:
    """To whole minutes below a day, and to whole hours from there on."""
    unit = 3600 if age_s >= 86_400 else 60 if age_s >= 60 else 1
    return timedelta(seconds=int(age_s // unit * unit))
