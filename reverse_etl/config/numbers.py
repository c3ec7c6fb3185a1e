"""Numbers of a file with all the digits that were written, where a float would keep fifteen of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import Field, WithJsonSchema


class WrittenNumber(float):
    """A number with more digits than a float keeps, which remembers its text."""

    __slots__ = ("text",)

    text: str

    def __new__(cls, text: str) -> Self:
        """Makes the number; ``text`` is as ``float`` takes it."""
        number = super().__new__(cls, text)
        number.text = text
        return number

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:
        return type(self), (self.text,)


def written(text: str) -> float:
    """The number that a text spells, in a syntax that ``float`` takes."""
    number = float(text)
    return number if Decimal(repr(number)) == Decimal(text) else WrittenNumber(text)


ExactNumber = Annotated[Decimal, Field(allow_inf_nan=True), WithJsonSchema({"type": "number"})]
"""A pydantic field that keeps every digit; ``exact`` comes before it."""


def exact(value: Any) -> Any:
    """A float as the decimal that was written; anything else as it is."""
    if isinstance(value, WrittenNumber):
        return Decimal(value.text)
    return Decimal(repr(value)) if isinstance(value, float) else value
