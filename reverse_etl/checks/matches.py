"""``matches: {column: sku, pattern: "[A-Z]{3}-[0-9]+"}``: the pattern covers each whole value. NULL passes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AfterValidator, Field

from reverse_etl.changeset.text import as_text
from reverse_etl.checks._batch import broken
from reverse_etl.checks._settings import rule_of
from reverse_etl.checks.base import AnyRule, Finding, Rule
from reverse_etl.config.checks import CheckConfig


def _whole(pattern: str) -> str:
    return rf"\A(?:{pattern})\z"


def _compiles(pattern: str) -> str:
    try:
        pc.match_substring_regex(pa.array([""]), _whole(pattern))
    except pa.ArrowInvalid as error:
        raise ValueError(f"is not a pattern of RE2: {error}") from None
    return pattern


class Config(CheckConfig):
    """The check's keys."""

    check: str = "matches"
    column: str = Field(min_length=1, description="The column to look at.")
    pattern: Annotated[str, AfterValidator(_compiles)] = Field(
        description="A regular expression (RE2) for the whole value; write .* for the parts that do not matter."
    )


def rules(config: Config) -> list[AnyRule]:
    """The rule that a sync asks for."""
    description = f"Column `{config.column}` matches {config.pattern}"
    return [Matches(rule_of(config, description, config.column), config.column, config.pattern)]


@dataclass(frozen=True, slots=True)
class Matches:
    """A pattern for a column's values, which it must cover whole."""

    rule: Rule
    column: str
    pattern: str

    def findings(self, batch: pa.RecordBatch, started_at: int) -> Iterator[Finding]:  # noqa: ARG002
        """Rows with a value that does not match."""
        texts = as_text(batch.column(self.column), batch.schema.field(self.column))
        other = pc.invert(pc.match_substring_regex(texts, _whole(self.pattern)))
        yield from broken(batch, other, self.column, f"column `{self.column}` does not match the pattern.")
