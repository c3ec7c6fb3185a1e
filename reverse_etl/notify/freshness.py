"""How old a sync's data is, and when that is too old."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from reverse_etl.schedule.cron_times import next_cron_time

if TYPE_CHECKING:
    from reverse_etl.config.syncs import ScheduleConfig
    from reverse_etl.state.history import SyncState


def interval(schedule: ScheduleConfig, now: datetime) -> timedelta | None:
    """The time between runs, for a cron expression that between the next two; None when they start by hand."""
    if schedule.cron is None:
        return schedule.every
    due = next_cron_time(schedule.cron, now)
    return next_cron_time(schedule.cron, due) - due


def longest_age(schedule: ScheduleConfig, now: datetime) -> timedelta | None:
    """The age from which a sync's data is stale: two intervals; None when its runs start by hand."""
    every = interval(schedule, now)
    return None if every is None else 2 * every


def age(state: SyncState, now: datetime) -> timedelta | None:
    """How long ago the last completed run started, or else the sync was first seen; None before."""
    since = datetime.fromtimestamp(state.last_sync_time, UTC) if state.last_sync_time else state.first_seen_at
    return None if since is None else now - since
