"""How points and lengths of time are written for people, and for programs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from reverse_etl.counted import counted

_UNITS: Final = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


def iso(moment: datetime | None) -> str | None:
    """A point in time as JSON has it: ISO 8601 in UTC, whole seconds."""
    return None if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def clock(moment: datetime | None) -> str:
    """A point in time for people: ``2026-01-05 12:00:00 UTC``; empty for None."""
    return "" if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def minute(moment: datetime | None) -> str:
    """A point in time for a table whose heading says UTC: ``2026-01-05 12:00``; empty for None."""
    return "" if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def at_unix(seconds: int) -> datetime | None:
    """Unix seconds as an aware date-time; None for 0, which means never."""
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


def length(time: timedelta) -> str:
    """A length of time in its largest unit, rounded down: ``12 minutes``."""
    seconds = int(abs(time).total_seconds())
    unit, size = next(((unit, size) for unit, size in _UNITS if seconds >= size), _UNITS[-1])
    count = seconds // size
    return counted(count, unit)


def from_now(moment: datetime | None, now: datetime, *, never: str = "never") -> str:
    """Where a point in time lies: ``12 minutes ago``, ``in 3 hours``; ``never`` for None."""
    if moment is None:
        return never
    if abs(moment - now) < timedelta(seconds=1):
        return "now"
    return f"{length(now - moment)} ago" if moment < now else f"in {length(moment - now)}"
