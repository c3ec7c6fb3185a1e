"""How old a delivery may be before Dagster calls it stale: by its sync's interval, as ``reverse-etl status`` does."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import dagster as dg

from reverse_etl.config.syncs import ScheduleConfig
from reverse_etl.schedule.cron_times import next_cron_time

_DUE_TIMES = 9
"""Due times of a cron expression to look ahead: a week of working days has its weekend among them."""


def freshness_policy(schedule: ScheduleConfig) -> dg.FreshnessPolicy | None:
    """Warns when one interval and a half passed without a delivery, fails after two; None for runs by hand."""
    longest = longest_interval(schedule, datetime.now(UTC))
    if longest is None:
        return None
    return dg.FreshnessPolicy.time_window(fail_window=2 * longest, warn_window=longest * 3 / 2)


def longest_interval(schedule: ScheduleConfig, now: datetime) -> timedelta | None:
    """The longest time between two runs that are due next to each other; None when runs start by hand."""
    if schedule.cron is None:
        return schedule.every
    due = [next_cron_time(schedule.cron, now)]
    for _ in range(_DUE_TIMES - 1):
        due.append(next_cron_time(schedule.cron, due[-1]))
    return max(later - earlier for earlier, later in pairwise(due))
