"""When runs are due: a fixed grid in UTC, ``start_at + n * every``, with minutes as its finest step.

Pure arithmetic, free of Dagster and of clocks: the time comes in as an argument.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

from reverse_etl.config.intervals import format_interval, parse_interval

__all__ = ["Cadence", "first_due", "format_interval", "parse_interval"]

_MINUTE: Final = timedelta(minutes=1)
_DAY_MINUTES: Final = 1440
_WEEK_MINUTES: Final = 7 * _DAY_MINUTES
_SUNDAY: Final = datetime(1970, 1, 4, tzinfo=UTC)
"""A midnight that begins cron's day 0 of the week."""

_MOST_EXPRESSIONS: Final = 16
"""More cron expressions than this for one sync cost more than the ticks they avoid."""

_TIME_TO_START: Final = timedelta(minutes=2)
"""From when a sync is first seen until the clock that is to run it surely looks: a daemon takes its time to start."""


def first_due(first_seen_at: datetime) -> datetime:
    """The first due time of a sync without ``start_at``: one to two minutes after it was first seen; aware UTC."""
    return first_seen_at.astimezone(UTC).replace(second=0, microsecond=0) + _TIME_TO_START


@dataclass(frozen=True, slots=True)
class Cadence:
    """Run n is due at ``start_at + n * every``, the first at ``start_at``.

    Attributes:
        start_at: Aware; kept in UTC. Seconds are dropped: the grid is one of minutes.
        every: A whole number of minutes, at least one.

    Raises:
        ValueError: ``start_at`` has no zone, or ``every`` is not whole minutes.
    """

    start_at: datetime
    every: timedelta

    def __post_init__(self) -> None:
        if self.start_at.tzinfo is None:
            raise ValueError("start_at has no zone")
        if self.every < _MINUTE or self.every % _MINUTE:
            raise ValueError("every must be whole minutes, 1m or more")
        object.__setattr__(self, "start_at", self.start_at.astimezone(UTC).replace(second=0, microsecond=0))

    def is_due(self, at: datetime) -> bool:
        """Whether a run is due at exactly this aware moment."""
        return at >= self.start_at and not (at - self.start_at) % self.every

    def latest_due(self, now: datetime) -> datetime | None:
        """The last due time that is not after ``now``, in UTC; None before the first."""
        if now < self.start_at:
            return None
        return self.start_at + (now - self.start_at) // self.every * self.every

    def next_due(self, after: datetime) -> datetime:
        """The first due time that is after ``after``, in UTC."""
        latest = self.latest_due(after)
        return self.start_at if latest is None else latest + self.every

    def missed(self, before: datetime | None, at: datetime) -> datetime | None:
        """The due time that came and went unseen between two looks at the clock; the latest of several.

        Args:
            before: When the grid was last looked at, aware; None: not known, so that nothing was missed.
            at: Now, aware, and no due time itself.
        """
        latest = self.latest_due(at)
        return latest if before is not None and latest is not None and before < latest else None

    def cron_covering(self) -> list[str]:
        """Cron expressions in UTC whose ticks, together, include every due time.

        Cron repeats with the week at the longest. Where the interval divides a week the ticks are exactly the due
        times from ``start_at`` on, unless that would take too many expressions; otherwise there are more ticks and
        ``is_due`` decides which of them count.
        """
        every = int(self.every / _MINUTE)
        step = math.gcd(every, _WEEK_MINUTES)
        expressions = self._ticks(step)
        # Coarser common steps first, so that the fallback ticks as seldom as 16 expressions allow.
        finer = sorted((part for part in range(1, step) if step % part == 0), reverse=True)
        return next(found for found in (expressions, *map(self._ticks, finer)) if len(found) <= _MOST_EXPRESSIONS)

    def _ticks(self, step: int) -> list[str]:
        """Cron expressions for every ``step`` minutes, which divide a week, on the grid of ``start_at``."""
        first = int((self.start_at - _SUNDAY) / _MINUTE) % step
        if 60 % step == 0:
            return [f"{_list(range(first, 60, step), 60)} * * * *"]
        hours: dict[tuple[int, int], list[int]] = defaultdict(list)
        for minutes in range(first, _WEEK_MINUTES, step):
            day, of_day = divmod(minutes, _DAY_MINUTES)
            hours[day, of_day % 60].append(of_day // 60)
        days: dict[tuple[int, tuple[int, ...]], list[int]] = defaultdict(list)
        for (day, minute), at_hours in sorted(hours.items()):
            days[minute, tuple(at_hours)].append(day)
        return [
            f"{minute} {_list(at_hours, 24)} * * {_list(on_days, 7)}" for (minute, at_hours), on_days in days.items()
        ]


def _list(values: range | tuple[int, ...] | list[int], size: int) -> str:
    """A cron field for evenly or unevenly spaced values out of ``size``."""
    if len(values) == size:
        return "*"
    steps = {later - earlier for earlier, later in pairwise(values)}
    if len(values) > 2 and len(steps) == 1:
        step = steps.pop()
        if values[0] < step and values[-1] + step >= size:
            return f"*/{step}" if values[0] == 0 else f"{values[0]}-{size - 1}/{step}"
    return ",".join(map(str, values))
