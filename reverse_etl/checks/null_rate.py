"""``null_rate: {column: phone, max: 20%}``: a gate on the share of NULLs in a column."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import Field

from reverse_etl.changeset.parts import Parts
from reverse_etl.checks._settings import GateSeverity, Share, rule_of
from reverse_etl.checks.base import AnyRule, ColumnFinding, Rule
from reverse_etl.config.checks import CheckConfig
from reverse_etl.config.limits import Limit
from reverse_etl.counted import counted

if TYPE_CHECKING:
    import duckdb


class Config(CheckConfig):
    """The check's keys."""

    check: str = "null_rate"
    column: str = Field(min_length=1, description="The column to look at.")
    max: Share = Field(description="The greatest share of NULLs among all rows, as in 20%.")
    severity: GateSeverity = Field(
        default="stop", description="warn reports, stop ends the run before anything is sent."
    )


def rules(config: Config) -> list[AnyRule]:
    """The rule that a sync asks for."""
    description = f"At most {config.max} of column `{config.column}` is NULL."
    return [NullRate(rule_of(config, description, config.column, of_the_whole=True), config.column, config.max)]


@dataclass(frozen=True, slots=True)
class NullRate:
    """A limit on the share of NULLs."""

    rule: Rule
    column: str
    limit: Limit

    def findings_across(
        self,
        parts: Parts,
        database: duckdb.DuckDBPyConnection,  # noqa: ARG002
    ) -> Iterator[ColumnFinding]:
        """The column, when it has more NULLs."""
        nulls = rows = 0
        for batch in parts.batches([self.column]):
            nulls += batch.column(0).null_count
            rows += batch.num_rows
        if self.limit.exceeded_by(nulls, rows):
            share = f"{nulls:,} of {counted(rows, 'row')}"
            message = f"column `{self.column}` is NULL in {share}, over the {self.limit} allowed."
            yield ColumnFinding(self.column, message)
