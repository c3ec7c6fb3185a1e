"""How long an answer may take."""

from __future__ import annotations

import os
from typing import Final

from reverse_etl.errors import ConfigError

CONNECT_TIMEOUT_S: Final = 10.0
READ_TIMEOUT_S: Final = 30.0

READ_TIMEOUT_VARIABLE: Final = "REVERSE_ETL_ANSWER_TIMEOUT_S"
"""Seconds that an answer may take, for networks where ``READ_TIMEOUT_S`` does not fit."""


def answer_timeout_s() -> float:
    """How long an answer may take: ``REVERSE_ETL_ANSWER_TIMEOUT_S`` where it is set.

    Raises:
        ConfigError: The variable is not a number of seconds above 0.
    """
    text = os.environ.get(READ_TIMEOUT_VARIABLE, "")
    try:
        seconds = float(text or READ_TIMEOUT_S)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise ConfigError(
            f"{READ_TIMEOUT_VARIABLE} is not a number of seconds above 0.", hint=f"Example: {READ_TIMEOUT_VARIABLE}=30"
        )
    return seconds


def longest_s(answer_timeout_s: float) -> float:
    """How long a request may take in all, from connecting to the last byte of its answer: nothing drips for ever."""
    return min(CONNECT_TIMEOUT_S, answer_timeout_s) + 2 * answer_timeout_s
