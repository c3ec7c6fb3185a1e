"""Fresh or stale: how old a sync's data is, and when that is too old. The one meaning that every command and page has.

A sync is as old as its last delivery: the end of a run whose rows were delivered, also where some of them failed. It is
stale after two of its intervals, the longest ones where a cron expression has several.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from reverse_etl.schedule.longest_interval import longest_interval

if TYPE_CHECKING:
    from reverse_etl.config.schedule import ScheduleConfig
    from reverse_etl.state.syncs import SyncState


def longest_age(schedule: ScheduleConfig, now: datetime) -> timedelta | None:
    """The age from which a sync's data is stale: two intervals; None when its runs start by hand."""
    every = longest_interval(schedule, now)
    return None if every is None else 2 * every


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
