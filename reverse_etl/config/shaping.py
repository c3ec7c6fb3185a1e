"""How a file asks for rows to be shaped: keys that stand beside a query, at its top and in sections with one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import Field, WithJsonSchema

from reverse_etl.config.column_values import RUN_FACTS, SOURCES, THEN, TYPES, ColumnValue, read_columns
from reverse_etl.config.conditions import OPERATORS, Condition, read_condition
from reverse_etl.config.model import Misfit, YamlModel
from reverse_etl.config.transforms import Transform, TransformBesideFile

_TESTS = {
    "type": "object",
    "description": "Operators with their values; all must hold.",
    "properties": {operator: {"description": meaning} for operator, meaning in OPERATORS.items()},
    "additionalProperties": False,
}
_CONDITIONS = {
    "type": "object",
    "patternProperties": {"^(all|any|not)$": {"anyOf": [{"type": "object"}, {"type": "array"}]}},
    "additionalProperties": {"anyOf": [*({"type": kind} for kind in ("string", "number", "boolean")), _TESTS]},
}

_NAMES = {"anyOf": [{"type": "string", "enum": [*THEN]}, {"type": "array", "items": {"enum": [*THEN]}}]}
_VALUE = {
    "type": "object",
    "additionalProperties": False,
    "oneOf": [{"required": [source]} for source in SOURCES],
    "properties": {
        "column": {"type": "string", "description": "A column of the query."},
        "value": {"description": "A constant."},
        "template": {"type": "string", "description": "Text with columns in braces."},
        "join": {"type": "array", "items": {"type": "string"}, "description": "Columns, those with a value."},
        "with": {"type": "string", "description": "What comes between the columns of join; a blank by default."},
        "run": {"enum": [*RUN_FACTS], "description": "A fact of the run."},
        "then": {**_NAMES, "description": "What is done to a text, one after the other."},
        "as": {"enum": [*TYPES], "description": "What the value becomes."},
    },
}
_COLUMNS = {"type": "object", "additionalProperties": {"anyOf": [{"type": "string"}, _VALUE]}}


@dataclass(frozen=True, slots=True)
class Shape:
    """What a stream asks of its rows before they are checked.

    Attributes:
        where: Which are kept; None for all.
        columns: What each column of the destination is made of; None where they are those of the query.
        transform: A function of the rows that are kept; None for none.
    """

    where: Condition | None = None
    columns: Mapping[str, ColumnValue] | None = None
    transform: Transform | None = None

    def __bool__(self) -> bool:
        return any(part is not None for part in (self.where, self.columns, self.transform))

    def asked(self) -> dict[str, str]:
        """A text for each key that is there, which differs where the key means something else."""
        parts = {"where": self.where, "transform": self.transform, "columns": self.columns}
        return {key: repr(part) for key, part in parts.items() if part is not None}


NO_SHAPE: Final = Shape()


class ShapedModel(YamlModel):
    """Keys that shape the rows of a query.

    Attributes:
        only_where: As it is written.
        transform: The file that was read.
        columns: As they are written.
    """

    only_where: Annotated[dict[str, Any] | None, WithJsonSchema(_CONDITIONS)] = Field(
        default=None, alias="where", description="Conditions by column: rows that do not meet them are left out."
    )

    transform: TransformBesideFile | None = Field(
        default=None, description="A .py or .js file with transform(row), relative to this file; after where."
    )
    columns: Annotated[dict[str, Any] | None, WithJsonSchema(_COLUMNS)] = Field(
        default=None, description="The destination's columns, each with what it is made of; no other is sent."
    )

    @property
    def own_shape(self) -> Shape:
        """What these keys ask for."""
        where = read_condition(self.only_where)[0] if self.only_where else None
        return Shape(where, read_columns(self.columns)[0] if self.columns else None, self.transform)

    @classmethod
    def misfits(cls, given: Mapping[str, Any]) -> Iterator[Misfit]:
        """What the grammar does not have."""
        if "where" in given:
            yield from read_condition(given["where"])[1]
        if "columns" in given:
            yield from read_columns(given["columns"])[1]
        yield from super().misfits(given)
