"""Lengths of time as people write them (``45m``, ``1h``, ``2 weeks``). When runs are due: ``schedule.cadence``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, WithJsonSchema

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_WORDS: Final = {"second": "s", "sec": "s", "minute": "m", "min": "m", "hour": "h", "day": "d", "week": "w"}
_LONGEST: Final = timedelta(weeks=520)
_NOTHING: Final = re.compile(r"\s*0+\s*(?:[smhdw]|sec(?:ond)?s?|min(?:ute)?s?|hours?|days?|weeks?)\s*", re.ASCII | re.I)
_INTERVAL: Final = re.compile(r"\s*([0-9]+)\s*([A-Za-z]+)\s*", re.ASCII)

HOW_TO_WRITE: Final = "write a whole number and a unit, as in 45m, 1h, 1d or 2w"


def parse_interval(text: str) -> timedelta:
    """The length of time that ``45m``, ``1h``, ``1d``, ``2w``, ``30s`` or ``90 minutes`` means.

    Returns:
        From one second to ten years.

    Raises:
        ValueError: It is none of these; the message says how to write one.
    """
    match = _INTERVAL.fullmatch(text)
    unit = match[2].lower() if match else ""
    unit = _WORDS.get(unit.removesuffix("s") if len(unit) > 1 else unit, unit)
    if match is None or unit not in _SECONDS:
        raise ValueError(f"{text!r} is not a length of time: {HOW_TO_WRITE}")
    count = int(match[1]) if len(match[1]) < 12 else 10**12
    if count == 0:
        raise ValueError(f"{text!r} is not longer than zero: {HOW_TO_WRITE}")
    if count * _SECONDS[unit] > _LONGEST.total_seconds():
        raise ValueError(f"{text!r} is longer than ten years")
    return timedelta(seconds=count * _SECONDS[unit])


def format_interval(length: timedelta) -> str:
    """The shortest way to write a length of whole seconds: ``timedelta(minutes=120)`` is ``2h``."""
    seconds = int(length.total_seconds())
    if not seconds:
        return "0s"
    unit = next(unit for unit in ("w", "d", "h", "m", "s") if seconds % _SECONDS[unit] == 0)
    return f"{seconds // _SECONDS[unit]}{unit}"


def _read(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str):
        return parse_interval(value)
    raise ValueError(f"must be a length of time: {HOW_TO_WRITE}")


INTERVAL_SCHEMA: Final[dict[str, Any]] = {
    "type": "string",
    "pattern": r"^\s*[0-9]+\s*([sSmMhHdDwW]|sec(ond)?s?|min(ute)?s?|hours?|days?|weeks?)\s*$",
    "examples": ["15m", "1h", "1d", "2w"],
}
"""For editors."""


def _read_or_none_at_all(value: object) -> timedelta:
    return timedelta() if isinstance(value, str) and _NOTHING.fullmatch(value) else _read(value)


Interval = Annotated[timedelta, BeforeValidator(_read), WithJsonSchema(INTERVAL_SCHEMA)]
"""A pydantic field that takes ``1h`` from YAML or a ``timedelta`` from code."""

IntervalOrZero = Annotated[
    timedelta, BeforeValidator(_read_or_none_at_all), WithJsonSchema({**INTERVAL_SCHEMA, "examples": ["10m", "0s"]})
]
"""The same, and ``0s``."""
