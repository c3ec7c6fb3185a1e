"""How old the values of a time attribute are in a destination: freshness there, not of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

UPDATED_AT: Final = "updated_at"
"""How the name of an attribute ends that says when something about its row changed."""

BUCKETS: Final = ("last_hour", "last_4_hours", "last_day", "older", "no_time")
"""Each without the one before; the last is of rows in which the attribute holds no time."""

_UP_TO: Final = (timedelta(hours=1), timedelta(hours=4), timedelta(days=1))
_MILLISECONDS: Final = 1e11
"""Seconds since 1970 are less until the year 5138."""


def ages(texts: Iterable[str | None], now: datetime) -> dict[str, int]:
    """How many values are how old, by ``BUCKETS``; one that lies ahead is of the last hour.

    Args:
        texts: Unix seconds or milliseconds, or ISO 8601, in UTC where no zone is named.
        now: Aware.
    """
    found = Counter(_bucket(text, now) for text in texts)
    return {bucket: found[bucket] for bucket in BUCKETS}


def _bucket(text: str | None, now: datetime) -> str:
    time = _time(text or "")
    if time is None:
        return BUCKETS[-1]
    return next((bucket for bucket, most in zip(BUCKETS, _UP_TO, strict=False) if now - time <= most), "older")


def _time(text: str) -> datetime | None:
    try:
        try:
            seconds = float(text)
        except ValueError:
            time = datetime.fromisoformat(text.strip())
            return time if time.tzinfo else time.replace(tzinfo=UTC)
        seconds = seconds / 1_000 if abs(seconds) >= _MILLISECONDS else seconds
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
