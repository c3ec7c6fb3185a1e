"""Which columns hold times, as far as their names show."""

from __future__ import annotations

import re
from typing import Final

import pyarrow as pa

_TIME: Final = re.compile(r"(.*_)?(at|time|date|timestamp)(_.*)?", re.IGNORECASE)

_PAST: Final = re.compile(
    r"(last|first|previous)_.*|(.*_)?(created|inserted|updated|modified|changed|signed_up|signup|registered|joined|"
    r"placed|ordered|purchased|paid|deleted|canceled|cancelled|churned|seen|logged_in|login|visited|sent|received)"
    r"(_(at|time|date|timestamp|on))?",
    re.IGNORECASE,
)


def named_like_times(schema: pa.Schema | None) -> list[str]:
    """The columns of a schema that are named like times: ``created_at``, ``order_date``."""
    return [name for name in (schema.names if schema is not None else ()) if _TIME.fullmatch(name)]


def is_time_name(name: str) -> bool:
    """Whether a column is named like a time."""
    return _TIME.fullmatch(name) is not None


def is_past_name(name: str) -> bool:
    """Whether a column is named like the time of something that has happened: ``last_login_at``, ``created_at``."""
    return is_time_name(name) and _PAST.fullmatch(name) is not None
