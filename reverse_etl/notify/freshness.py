"""Fresh or stale: how old a sync's data is, and when that is too old. The one meaning that every command and page has.

A sync is as old as its last delivery: the end of a run whose rows were delivered, also where some of them failed. It is
stale after two of its intervals, the longest ones where a cron expression has several.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Final

from reverse_etl.config.cron import cron_values
from reverse_etl.schedule.cron_times import next_cron_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reverse_etl.config.schedule import ScheduleConfig
    from reverse_etl.state.syncs import SyncState

_DAYS: Final = 9
"""Days with due times to look ahead: a week of working days has its weekend among them."""


def longest_age(schedule: ScheduleConfig, now: datetime) -> timedelta | None:
    """The age from which a sync's data is stale: two intervals; None when its runs start by hand."""
    every = longest_interval(schedule, now)
    return None if every is None else 2 * every


def longest_interval(schedule: ScheduleConfig, now: datetime) -> timedelta | None:
    """The longest time between two runs that are due next to each other; None when runs start by hand."""
    if schedule.cron is None:
        return schedule.every
    minutes, hours, *_ = cron_values(schedule.cron)
    in_day = sorted(timedelta(hours=hour, minutes=minute) for hour in hours for minute in minutes)
    days = list(islice(_due_days(schedule.cron, now.astimezone(UTC).date()), _DAYS))
    over_night = [later + in_day[0] - (earlier + in_day[-1]) for earlier, later in pairwise(days)]
    return max(over_night + [later - earlier for earlier, later in pairwise(in_day)])


def age(state: SyncState, delivered_at: datetime | None, now: datetime) -> timedelta | None:
    """How long ago a sync delivered, or else was first seen; None before.

    Args:
        state: What is remembered of the sync.
        delivered_at: The end of its last run that delivered; None where the history has none.
        now: Aware.
    """
    completed = datetime.fromtimestamp(state.last_sync_time, UTC) if state.last_sync_time else None
    since = delivered_at or completed or state.first_seen_at
    return None if since is None else now - since


def is_stale(schedule: ScheduleConfig, old: timedelta | None, now: datetime) -> bool:
    """Whether an age is more than two intervals."""
    limit = longest_age(schedule, now)
    return old is not None and limit is not None and old > limit


def _due_days(cron: str, day: date) -> Iterator[datetime]:
    """The midnights before due times, in order, from a day on."""
    after = datetime.combine(day, time(), UTC) - timedelta(minutes=1)
    while True:
        midnight = datetime.combine(next_cron_time(cron, after).date(), time(), UTC)
        yield midnight
        after = midnight + timedelta(days=1, minutes=-1)
