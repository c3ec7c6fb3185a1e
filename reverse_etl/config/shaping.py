"""How a file asks for rows to be shaped: keys that stand beside a query, at its top and in sections with one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import Field, WithJsonSchema

from reverse_etl.config.conditions import OPERATORS, Condition, read_condition
from reverse_etl.config.model import Misfit, YamlModel

_TESTS = {
    "type": "object",
    "description": "Operators with their values; all must hold.",
    "properties": {operator: {} for operator in OPERATORS},
    "additionalProperties": False,
}
_CONDITIONS = {
    "type": "object",
    "patternProperties": {"^(all|any|not)$": {"anyOf": [{"type": "object"}, {"type": "array"}]}},
    "additionalProperties": {"anyOf": [*({"type": kind} for kind in ("string", "number", "boolean")), _TESTS]},
}


@dataclass(frozen=True, slots=True)
class Shape:
    """What a stream asks of its rows before they are checked.

    Attributes:
        where: Which are kept; None for all.
    """

    where: Condition | None = None

    def __bool__(self) -> bool:
        return self.where is not None

    def asked(self) -> dict[str, str]:
        """A text for each key that is there, which differs where the key means something else."""
        return {"where": repr(self.where)} if self.where is not None else {}


NO_SHAPE: Final = Shape()


class ShapedModel(YamlModel):
    """Keys that shape the rows of a query.

    Attributes:
        only_where: As it is written.
    """

    only_where: Annotated[dict[str, Any] | None, WithJsonSchema(_CONDITIONS)] = Field(
        default=None, alias="where", description="Conditions by column: rows that do not meet them are left out."
    )

    @property
    def own_shape(self) -> Shape:
        """What these keys ask for."""
        return Shape(read_condition(self.only_where)[0] if self.only_where else None)

    @classmethod
    def misfits(cls, given: Mapping[str, Any]) -> Iterator[Misfit]:
        """What the grammar does not have."""
        if "where" in given:
            yield from read_condition(given["where"])[1]
        yield from super().misfits(given)
