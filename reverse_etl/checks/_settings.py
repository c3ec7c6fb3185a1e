"""What the checks that a sync asks for have in common: rule names, severities that only concern gates, shares."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, WithJsonSchema

from reverse_etl.checks.base import Rule, Severity
from reverse_etl.config.checks import CheckConfig
from reverse_etl.config.limits import Limit, parse_limit
from reverse_etl.config.limits import RowLimit as RowLimit
from reverse_etl.config.percent import PATTERN

GateSeverity = Literal["warn", "stop"]
"""A gate concerns the changeset as a whole, so there is no row that it could keep back."""


def rule_of(
    config: CheckConfig,
    description: str,
    column: str = "",
    *,
    of_the_whole: bool = False,
    share: bool = False,
    needs_column: bool = True,
) -> Rule:
    """The rule of a check: ``not_null`` on ``plan`` is ``not_null_plan``; ``column`` may be any other word, too."""
    words = re.sub(r"[^a-z0-9]+", "_", column.lower()).strip("_")
    name = f"{config.check}_{words}" if words else config.check
    return Rule(
        name, Severity(config.severity), description, (column,) if column and needs_column else (), of_the_whole, share
    )


def _parse_share(value: object) -> Any:
    limit = parse_limit(value)
    if limit.percent is None:
        raise ValueError("must be a share, as in 5%")
    return limit


Share = Annotated[
    Limit,
    BeforeValidator(_parse_share),
    WithJsonSchema({"type": "string", "pattern": PATTERN, "examples": ["5%"]}),
]
"""A pydantic field that takes ``5%``."""
