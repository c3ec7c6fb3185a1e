"""The longest time between two due runs, which says when a sync is late."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Final

from reverse_etl.config.cron import cron_values
from reverse_etl.schedule.cron_times import next_cron_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reverse_etl.config.schedule import ScheduleConfig

_DAYS: Final = 9
"""Days with due times to look ahead: a week of working days has its weekend among them."""


def longest_interval(schedule: ScheduleConfig, now: datetime) -> timedelta | None:
    """The longest time between two runs that are due next to each other; None when runs start by hand."""
    if schedule.cron is None:
        return schedule.every
    minutes, hours, *_ = cron_values(schedule.cron)
    in_day = sorted(timedelta(hours=hour, minutes=minute) for hour in hours for minute in minutes)
    days = list(islice(_due_days(schedule.cron, now.astimezone(UTC).date()), _DAYS))
    over_night = [later + in_day[0] - (earlier + in_day[-1]) for earlier, later in pairwise(days)]
    return max(over_night + [later - earlier for earlier, later in pairwise(in_day)])


def _due_days(cron: str, day: date) -> Iterator[datetime]:
    """The midnights before due times, in order, from a day on."""
    after = datetime.combine(day, time(), UTC) - timedelta(minutes=1)
    while True:
        midnight = datetime.combine(next_cron_time(cron, after).date(), time(), UTC)
        yield midnight
        after = midnight + timedelta(days=1, minutes=-1)
