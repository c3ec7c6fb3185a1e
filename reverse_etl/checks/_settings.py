"""What the checks that a sync asks for have in common: rule names, severities that only concern gates, shares."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, WithJsonSchema

from reverse_etl.checks.base import Rule, Severity
from reverse_etl.config.checks import CheckConfig
from reverse_etl.config.percent import PATTERN, parse_percent

GateSeverity = Literal["warn", "stop"]
"""A gate concerns the changeset as a whole, so there is no row that it could keep back."""


def rule_of(config: CheckConfig, description: str, column: str = "", *, of_the_whole: bool = False) -> Rule:
    """The rule of a check: ``not_null`` on ``plan`` is ``not_null_plan``."""
    words = re.sub(r"[^a-z0-9]+", "_", column.lower()).strip("_")
    name = f"{config.check}_{words}" if words else config.check
    return Rule(name, Severity(config.severity), description, (column,) if column else (), of_the_whole)


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


def _parse_share(value: object) -> Any:
    limit = parse_limit(value)
    if limit.percent is None:
        raise ValueError("must be a share, as in 5%")
    return limit


RowLimit = Annotated[
    Limit,
    BeforeValidator(parse_limit),
    WithJsonSchema(
        {
            "anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": PATTERN}],
            "examples": ["5%", 100],
        }
    ),
]
"""A pydantic field that takes ``5%`` or ``100``."""

Share = Annotated[
    Limit,
    BeforeValidator(_parse_share),
    WithJsonSchema({"type": "string", "pattern": PATTERN, "examples": ["5%"]}),
]
"""A pydantic field that takes ``5%``."""
