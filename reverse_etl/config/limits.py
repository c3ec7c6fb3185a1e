"""Limits as people write them: a number of rows, or a share of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import BeforeValidator, WithJsonSchema

from reverse_etl.config.percent import PATTERN, parse_percent

ALWAYS_ALLOWED: Final = 10
"""Rows that any share allows, whatever part of all they are."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A number of rows, or a share of all rows; exactly one is set."""

    rows: int | None = None
    percent: float | None = None

    def exceeded_by(self, rows: int, of_rows: int) -> bool:
        """Whether this many rows are more than the limit allows; none never are."""
        if self.percent is not None:
            return rows * 100 > self.percent * of_rows
        return rows > (self.rows or 0)

    def most(self, of_rows: int) -> int:
        """The most rows that it allows; of a share at least ten, because a share of few rows is none."""
        if self.percent is None:
            return self.rows or 0
        return max(ALWAYS_ALLOWED, int(of_rows * self.percent / 100))

    def __str__(self) -> str:
        return f"{self.percent:g}%" if self.percent is not None else f"{self.rows:,}"


def parse_limit(value: object) -> Limit:
    """Reads ``5%``, ``0.5%`` or ``100``.

    Raises:
        ValueError: It is none of these, or more than 100%.
    """
    if isinstance(value, Limit):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return Limit(rows=value)
    if isinstance(value, str):
        if (percent := parse_percent(value)) is not None:
            return Limit(percent=percent)
        if value.strip().isdecimal():
            return Limit(rows=int(value))
    raise ValueError("must be a number of rows, as in 100, or a share of them, as in 5%")


def _parse_any(value: object) -> Limit | None:
    return None if value is None else parse_limit(value)


_AS_WRITTEN: Final = WithJsonSchema(
    {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": PATTERN}], "examples": ["5%", 100]}
)
RowLimit = Annotated[Limit, BeforeValidator(parse_limit), _AS_WRITTEN]
"""A pydantic field that takes ``5%`` or ``100``."""

AnyRowLimit = Annotated[Limit | None, BeforeValidator(_parse_any), _AS_WRITTEN]
"""The same, where there need not be one."""
