"""Wall clocks and instants, in years that Arrow's zones know and in later ones."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverse_etl.sources._zones import instants_of, walls_of

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/Sao_Paulo")
WALL, INSTANT = pa.timestamp("us"), pa.timestamp("us", "UTC")


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(ZONES), st.datetimes(datetime(1975, 1, 1), datetime(9999, 12, 28)))  # noqa: DTZ001
def test_instants_and_walls_are_those_of_the_tz_database(zone: str, wall: datetime) -> None:
    """Python's zones are the measure; an instant's wall clock is the one that it came from."""
    instant = wall.replace(tzinfo=UTC)
    expected = instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    assert [expected, None] == walls_of(pa.array([instant, None], INSTANT), zone).to_pylist()
    (back,) = instants_of(pa.array([expected], WALL), zone).to_pylist()
    assert back == min(expected.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC) for fold in (0, 1))


@pytest.mark.parametrize("year", [2024, 2037, 2038, 2040, 2600])
def test_what_the_clock_skips_is_the_first_instant_after(year: int) -> None:
    """The same in every year; a time that comes twice is the first of the two."""
    march = max(day for day in range(25, 32) if datetime(year, 3, day, tzinfo=UTC).weekday() == 6)
    october = max(day for day in range(25, 32) if datetime(year, 10, day, tzinfo=UTC).weekday() == 6)
    walls = [datetime(year, 3, march, 2, 30), datetime(year, 10, october, 2, 30)]  # noqa: DTZ001
    expected = [datetime(year, 3, march, 1, tzinfo=UTC), datetime(year, 10, october, 0, 30, tzinfo=UTC)]
    assert expected == instants_of(pa.array(walls, WALL), "Europe/Berlin").to_pylist()
