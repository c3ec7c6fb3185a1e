"""Cron's next due time is the one that Dagster's scheduler will tick at."""

from __future__ import annotations

import importlib
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverse_etl.schedule.cron_times import next_cron_time

EXPRESSIONS = (
    "15 * * * *",
    "*/7 8-18/3 * * *",
    "0 6 1,15 * *",
    "30 2 * * mon-fri",
    "0 0 13 * 5",
    "0 12 31 * *",
    "5 4 29 2 *",
    "0 0 * 6-8 7",
    "* * */10 10 3",
    "0 0 11 5 0-6",
    "* 9-15 */1 * 0",
    "@hourly",
    "@weekly",
    "@yearly",
)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(EXPRESSIONS), MOMENTS)
def test_the_next_time_is_dagsters(text: str, after: datetime) -> None:
    """For any expression and moment, both name the same minute."""
    croniter: Any = importlib.import_module("dagster._vendored.croniter").croniter
    assert next_cron_time(text, after) == croniter(text, after).get_next(datetime)


def test_a_due_time_itself_is_over() -> None:
    """At the very minute of a due time, the next one is named."""
    assert next_cron_time("0 * * * *", datetime(2026, 1, 5, 10, tzinfo=UTC)) == datetime(2026, 1, 5, 11, tzinfo=UTC)


def test_an_expression_that_never_comes_due_is_an_error() -> None:
    """Such a one is refused when the file is read; here it ends rather than searches forever."""
    with pytest.raises(ValueError, match="next date"):
        next_cron_time("0 0 30 2 *", datetime(2026, 1, 5, tzinfo=UTC))
