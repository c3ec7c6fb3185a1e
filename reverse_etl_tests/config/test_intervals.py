from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverse_etl.config.intervals import format_interval, parse_interval


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("45m", timedelta(minutes=45)),
        ("1h", timedelta(hours=1)),
        ("1d", timedelta(days=1)),
        ("2w", timedelta(weeks=2)),
        ("30s", timedelta(seconds=30)),
        ("90 minutes", timedelta(minutes=90)),
        ("1 Hour", timedelta(hours=1)),
        (" 10 mins ", timedelta(minutes=10)),
        ("2 WEEKS", timedelta(weeks=2)),
        ("5 secs", timedelta(seconds=5)),
    ],
)
def test_common_ways_to_write_a_length_are_read(text: str, length: timedelta) -> None:
    """Letters and words, singular and plural, any case."""
    assert parse_interval(text) == length


@pytest.mark.parametrize(
    "text", ["", "h", "1", "1.5h", "-1h", "1y", "1 mo", "hourly", "1h30m", "0m", "0 weeks", "1ms", "9" * 30 + "m", "٣h"]
)
def test_anything_else_is_refused(text: str) -> None:
    """The message is made for the author of the file."""
    with pytest.raises(ValueError, match=r"is not a length of time|not longer than zero|longer than ten years"):
        parse_interval(text)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 520 * 7 * 86_400))
def test_what_is_written_is_read_back(seconds: int) -> None:
    """Formatting loses nothing."""
    assert parse_interval(format_interval(timedelta(seconds=seconds))) == timedelta(seconds=seconds)


def test_the_largest_whole_unit_is_written() -> None:
    """120 minutes are two hours; 90 minutes stay minutes."""
    lengths = [timedelta(minutes=120), timedelta(minutes=90), timedelta(days=7), timedelta(seconds=61)]

    assert [format_interval(length) for length in lengths] == ["2h", "90m", "1w", "61s"]
