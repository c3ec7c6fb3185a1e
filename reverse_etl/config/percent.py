"""Shares as people write them: ``5%``."""

from __future__ import annotations

import re
from typing import Final

PATTERN: Final = r"^\s*([0-9]{1,2}(\.[0-9]+)?|100(\.0+)?)\s*%\s*$"
"""For JSON Schema, too."""

_PERCENT: Final = re.compile(PATTERN)


def parse_percent(value: object) -> float | None:
    """The number before the sign, from 0 to 100; None for anything else."""
    match = _PERCENT.match(value) if isinstance(value, str) else None
    return float(match[1]) if match else None
