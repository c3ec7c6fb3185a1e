"""When Dagster calls a delivery stale: as ``notify.freshness`` has it for every command."""

from datetime import UTC, datetime

import dagster as dg

from reverse_etl.config.schedule import ScheduleConfig
from reverse_etl.notify.freshness import longest_age


def freshness_policy(schedule: ScheduleConfig) -> dg.FreshnessPolicy | None:
    """Fails after two intervals without a delivery, warns after one and a half; None for runs by hand."""
    longest = longest_age(schedule, datetime.now(UTC))
    return None if longest is None else dg.FreshnessPolicy.time_window(fail_window=longest, warn_window=longest * 3 / 4)
