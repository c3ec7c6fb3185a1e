"""``accepted_values: {column: plan, values: [free, pro]}``: nothing else is in the column. NULL passes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from reverse_etl.changeset.text import as_text, number_text
from reverse_etl.checks._batch import broken, is_number
from reverse_etl.checks._settings import rule_of
from reverse_etl.checks.base import AnyRule, Finding, Rule
from reverse_etl.config.checks import CheckConfig
from reverse_etl.sources.base import logical_type


class Config(CheckConfig):
    """The check's keys."""

    check: str = "accepted_values"
    column: str = Field(min_length=1, description="The column to look at.")
    values: tuple[str | int | float | bool, ...] = Field(min_length=1, description="All it may hold besides NULL.")


def rules(config: Config) -> list[AnyRule]:
    """The rule that a sync asks for."""
    count = len(config.values)
    description = f"Column `{config.column}` holds only the {count} accepted value{'s' if count != 1 else ''}."
    texts = tuple(_as_text(value) for value in config.values)
    bits = tuple(str(int(value)) for value in config.values if isinstance(value, bool))
    numbers = (*number_text(pa.array(texts)).to_pylist(), *bits)
    return [AcceptedValues(rule_of(config, description, config.column), config.column, texts, numbers)]


@dataclass(frozen=True, slots=True)
class AcceptedValues:
    """Only some values in a column, compared as text: the number 1 and the text ``1`` are the same.

    Attributes:
        texts: What a column of text may hold, as written.
        numbers: What a column of numbers may hold, in their one spelling: 0.50 is 0.5, true is 1.
    """

    rule: Rule
    column: str
    texts: tuple[str, ...]
    numbers: tuple[str, ...]

    def findings(self, batch: pa.RecordBatch, started_at: int) -> Iterator[Finding]:  # noqa: ARG002
        """Rows with another value."""
        field = batch.schema.field(self.column)
        texts = as_text(batch.column(self.column), field)
        mixed = logical_type(field) == "json"
        accepted = (*self.texts, *self.numbers) if mixed else self.numbers if is_number(field) else self.texts
        other = pc.and_not(texts.is_valid(), pc.is_in(texts, value_set=pa.array(accepted, pa.string())))
        yield from broken(batch, other, self.column, f"column `{self.column}` holds a value that is not accepted.")


def _as_text(value: str | float | bool) -> str:
    array = pa.array([value])
    return str(as_text(array, pa.field("", array.type))[0].as_py())
