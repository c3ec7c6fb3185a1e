"""Who answers for something, as Dagster takes it: an e-mail address or a team."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator

# Dagster 1.13.27, dagster/_core/utils.py, is_valid_email.
_OWNER: Final = re.compile(r"team:\S+|[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,7}")


def _owner(text: str) -> str:
    if _OWNER.fullmatch(text) is None:
        raise ValueError("an owner is an e-mail address or team:name")
    return text


Owner = Annotated[str, AfterValidator(_owner)]
"""A pydantic field that takes ``data@example.com`` or ``team:lifecycle``."""
