"""``not_null: plan``: the column is never NULL. An empty text is a value here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from reverse_etl.checks._batch import broken
from reverse_etl.checks._settings import rule_of
from reverse_etl.checks.base import AnyRule, Finding, Rule
from reverse_etl.config.checks import CheckConfig


class Config(CheckConfig):
    """The check's keys."""

    SHORT: ClassVar[str] = "column"

    check: str = "not_null"
    column: str = Field(min_length=1, description="The column that is never NULL.")


def rules(config: Config) -> list[AnyRule]:
    """The rule that a sync asks for."""
    return [NotNull(rule_of(config, f"Column `{config.column}` is never NULL.", config.column), config.column)]


@dataclass(frozen=True, slots=True)
class NotNull:
    """No NULL in a column."""

    rule: Rule
    column: str

    def findings(self, batch: pa.RecordBatch, started_at: int) -> Iterator[Finding]:  # noqa: ARG002
        """Rows with NULL."""
        yield from broken(batch, pc.is_null(batch.column(self.column)), self.column, f"column `{self.column}` is NULL.")
