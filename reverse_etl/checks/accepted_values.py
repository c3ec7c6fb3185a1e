"""``accepted_values: {column: plan, values: [free, pro]}``: nothing else is in the column. NULL passes.

Numbers are compared with all their digits. In a column of date-times a value is ISO 8601 text, in UTC where it has no
zone, or Unix seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Annotated

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BeforeValidator, Field

from reverse_etl.changeset.text import as_text, number_text
from reverse_etl.checks._batch import broken, is_number
from reverse_etl.checks._instants import microseconds
from reverse_etl.checks._settings import rule_of
from reverse_etl.checks.base import AnyRule, Finding, Rule
from reverse_etl.config.checks import CheckConfig
from reverse_etl.config.numbers import ExactNumber, exact
from reverse_etl.counted import counted
from reverse_etl.sources.base import logical_type, marked

Value = str | int | ExactNumber | bool


class Config(CheckConfig):
    """The check's keys."""

    check: str = "accepted_values"
    column: str = Field(min_length=1, description="The column to look at.")
    values: tuple[Annotated[Value, BeforeValidator(exact)], ...] = Field(
        min_length=1,
        description="All it may hold besides NULL; date-times as ISO 8601 text (UTC without a zone) or Unix seconds.",
    )


def rules(config: Config) -> list[AnyRule]:
    """The rule that a sync asks for."""
    count = len(config.values)
    description = f"Column `{config.column}` holds only the {counted(count, 'accepted value')}."
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
        column, field = batch.column(self.column), batch.schema.field(self.column)
        if pa.types.is_timestamp(field.type):
            values, accepted = pc.cast(column, pa.int64()), self._instants()
        else:
            values, accepted = as_text(column, field), pa.array(self._accepted(field), pa.string())
        other = pc.and_not(values.is_valid(), pc.is_in(values, value_set=accepted))
        yield from broken(batch, other, self.column, f"column `{self.column}` holds a value that is not accepted.")

    def _accepted(self, field: pa.Field) -> tuple[str, ...]:
        if pa.types.is_floating(field.type):
            # What is written may have more digits than a float keeps.
            floats = pa.array([float(text) for text in self.numbers if _is_number(text)], pa.float64())
            return (*self.numbers, *as_text(floats, pa.field("", floats.type)).to_pylist())
        if logical_type(field) == "json":
            return (*self.texts, *self.numbers)
        return self.numbers if is_number(field) else self.texts

    def _instants(self) -> pa.Int64Array:
        """The accepted values that are times, in microseconds; short numbers are Unix seconds too."""
        texts = pa.array(self.texts, pa.string())
        seconds = pa.array([text if _is_number(text) else None for text in self.texts], pa.string())
        read = microseconds(texts, pa.field("", pa.string())), microseconds(seconds, marked("", "decimal"))
        return pc.coalesce(*read).drop_null()


def _as_text(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(number_text(pa.array([str(value)]))[0]) if isinstance(value, Decimal) else str(value)


def _is_number(text: str) -> bool:
    try:
        return Decimal(text).is_finite()
    except InvalidOperation:
        return False
