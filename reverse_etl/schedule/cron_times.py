"""When a cron expression is next due, in UTC, as Dagster's scheduler reads it. Intervals with a start: ``cadence``."""

from __future__ import annotations

from datetime import UTC, datetime


def next_cron_time(text: str, after: datetime) -> datetime:
    """The first due time that is after ``after``, in UTC.

    Args:
        text: An expression that ``config.cron.check_cron`` accepts.
        after: Aware.

    Raises:
        ValueError: It never comes due.
    """
    from croniter import croniter

    due: datetime = croniter(text, after.astimezone(UTC)).get_next(datetime)
    return due
