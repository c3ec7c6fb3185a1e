"""Shares as people write them: ``5%``."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import BeforeValidator, WithJsonSchema

PATTERN: Final = r"^\s*([0-9]{1,2}(\.[0-9]+)?|100(\.0+)?)\s*%\s*$"
"""For JSON Schema, too."""

_PERCENT: Final = re.compile(PATTERN)


def parse_percent(value: object) -> float | None:
    """The number before the sign, from 0 to 100; None for anything else."""
    match = _PERCENT.match(value) if isinstance(value, str) else None
    return float(match[1]) if match else None


def _percent(value: object) -> object:
    share = value if isinstance(value, float) else parse_percent(value)
    if share is None or not 0 <= share <= 100:
        raise ValueError("must be a share from 0% to 100%, as in 50%")
    return share


Percent = Annotated[
    float,
    BeforeValidator(_percent),
    WithJsonSchema({"type": "string", "pattern": PATTERN, "examples": ["50%"]}),
]
"""A pydantic field that takes ``50%``, and is the number before the sign."""
