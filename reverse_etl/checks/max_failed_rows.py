"""``max_failed_rows: 5%``: a gate. When more rows are rejected than that, nothing is sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from pydantic import Field

from reverse_etl.checks._settings import GateSeverity, RowLimit, rule_of
from reverse_etl.checks.base import AnyRule, Measured, Rule, Whole
from reverse_etl.config.checks import CheckConfig
from reverse_etl.config.limits import Limit
from reverse_etl.counted import counted


class Config(CheckConfig):
    """The check's keys."""

    SHORT: ClassVar[str] = "limit"

    check: str = "max_failed_rows"
    limit: RowLimit = Field(description="A number of rows, or a share of the rows extracted, as in 5%.")
    severity: GateSeverity = Field(
        default="stop", description="warn reports, stop ends the run before anything is sent."
    )


def rules(config: Config) -> list[AnyRule]:
    """The gate that a sync asks for."""
    description = f"At most {config.limit} of the rows are rejected."
    is_share = config.limit.percent is not None
    return [MaxFailedRows(rule_of(config, description, of_the_whole=is_share, share=is_share), config.limit)]


@dataclass(frozen=True, slots=True)
class MaxFailedRows:
    """A limit on rejected rows."""

    rule: Rule
    limit: Limit

    def measure(self, whole: Whole, past: Sequence[float]) -> Measured:  # noqa: ARG002
        """The rows that were rejected."""
        failed, rows = whole.counts.rejected, whole.counts.extracted
        if not self.limit.exceeded_by(failed, rows):
            return Measured(failed)
        return Measured(failed, f"{failed:,} of {counted(rows, 'row')} failed, more than the {self.limit} allowed.")
