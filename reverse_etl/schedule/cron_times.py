"""When a cron expression is next due, in UTC. For intervals with a start time: ``cadence``."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Final

from reverse_etl.config.cron import cron_values

_FURTHEST_DAYS: Final = 366 * 28
"""A 29 February on a given weekday comes once in 28 years."""


def next_cron_time(text: str, after: datetime) -> datetime:
    """The first due time that is after ``after``, in UTC.

    Args:
        text: An expression that ``config.cron.check_cron`` accepts.
        after: Aware.

    Raises:
        ValueError: It does not come due within 28 years.
    """
    minutes, hours, days, months, weekdays = cron_values(text)
    weekdays = {weekday % 7 for weekday in weekdays}
    either = len(days) < 31 and len(weekdays) < 7
    first = after.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
    for ahead in range(_FURTHEST_DAYS):
        day = first.date() + timedelta(days=ahead)
        if day.month not in months:
            continue
        in_days, in_weekdays = day.day in days, day.isoweekday() % 7 in weekdays
        if not ((in_days or in_weekdays) if either else (in_days and in_weekdays)):
            continue
        for hour in sorted(hours):
            for minute in sorted(minutes):
                due = datetime.combine(day, time(hour, minute), UTC)
                if due >= first:
                    return due
    raise ValueError(f"{text!r} does not come due within 28 years")
