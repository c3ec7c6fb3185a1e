from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from dagster._utils.schedules import is_valid_cron_string, schedule_execution_time_iterator
from hypothesis import given, settings
from hypothesis import strategies as st

from reverse_etl.config.cron import check_cron


@pytest.mark.parametrize(
    "text",
    [
        "15 * * * *",
        "*/5 9-17 * * mon-fri",
        "0 0 1 jan,JUL *",
        "0 0 29 2 *",
        "0 12 * * 0,7",
        "5/15 * * * *",
        "0 0 1-31/2 * *",
        "@daily",
        "@hourly",
    ],
)
def test_an_expression_is_kept(text: str) -> None:
    """What is allowed comes back as it was written, and Dagster takes it."""
    assert check_cron(text) == text
    assert is_valid_cron_string(text)


def test_spaces_are_evened_out() -> None:
    """Tabs and double spaces are one space."""
    assert check_cron(" 0  9\t* * 1 ") == "0 9 * * 1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "five fields"),
        ("* * * *", "five fields"),
        ("0 * * * * *", "five fields"),
        ("60 * * * *", "'60' is not a valid minute"),
        ("0 24 * * *", "'24' is not a valid hour"),
        ("0 0 0 * *", "'0' is not a valid day of the month"),
        ("0 0 * 13 *", "'13' is not a valid month"),
        ("0 0 * * 8", "'8' is not a valid day of the week"),
        ("0 0 * * funday", "'funday' is not a valid day of the week"),
        ("0 0 * feb-jan *", "runs backwards in the month"),
        ("0 9-9 * * *", "'9-9' is one value of the hour: write 9"),
        ("*/0 * * * *", "step /0 does not fit the minute"),
        ("*/60 * * * *", "step /60 does not fit the minute"),
        ("1,,2 * * * *", "is not a valid minute"),
        ("? * * * *", "is not a valid minute"),
        ("0 0 L * *", "is not a valid day of the month"),
        ("0 0 31 2,4 *", "never comes due"),
        ("0 0 30 2 1", "never comes due"),
        ("@reboot", "unknown nickname"),
    ],
)
def test_anything_else_is_refused(text: str, message: str) -> None:
    """The message names the field."""
    with pytest.raises(ValueError, match=message):
        check_cron(text)


def fields(low: int, high: int) -> st.SearchStrategy[str]:
    """Fields of an expression, good ones and bad ones."""
    number = st.integers(low - 1, high + 1)
    spans = st.tuples(number, number).map("{0[0]}-{0[1]}".format)
    stepped = st.tuples(st.just("*") | spans, st.integers(0, high)).map("{0[0]}/{0[1]}".format)
    return st.lists(st.just("*") | number.map(str) | spans | stepped, min_size=1, max_size=2).map(",".join)


@settings(max_examples=150, deadline=None)
@given(st.tuples(fields(0, 59), fields(0, 23), fields(1, 31), fields(1, 12), fields(0, 6)).map(" ".join))
def test_dagster_runs_whatever_is_allowed(text: str) -> None:
    """Nothing that ``validate`` accepts makes the code location fail later, and every expression comes due."""
    try:
        check_cron(text)
    except ValueError:
        return

    assert is_valid_cron_string(text)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    tick = next(iter(schedule_execution_time_iterator(start.timestamp(), text, "UTC", ascending=True)))
    assert start <= tick < start + timedelta(days=366 * 8)
