"""When events happened, in every spelling that a query may give it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverse_etl.changeset.occurred_at import occurred_at, with_zones
from reverse_etl.sources.base import logical_type, marked

AT = datetime(2026, 1, 5, 1, 30, tzinfo=UTC)
EARLY = AT.replace(year=2, tzinfo=None)


def read(text: str | None, zone: str = "UTC") -> datetime | None:
    """One text's instant, in a database of some time zone."""
    column = pa.array([text, "2026-01-01T00:00:00Z"], pa.string())
    batch = with_zones(pa.record_batch([column], names=["occurred_at"]), timezone=zone)
    found = occurred_at(batch.column(0), batch.schema.field(0)).to_pylist()
    assert found[1] == datetime(2026, 1, 1, tzinfo=UTC)
    at: datetime | None = found[0]
    return at


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-01-05T01:30:00Z", AT),
        ("2026-01-05 01:30:00Z", AT),
        ("2026-01-05T01:30Z", AT),
        ("2026-01-05t01:30:00z", AT),
        ("2026-01-05T03:30:00+02:00", AT),
        ("2026-01-04T20:30:00-0500", AT),
        ("2026-01-05T03:30:00+02", AT),
        (" 2026-01-05T01:30:00Z\n", AT),
        ("2026-01-05T01:30:00.25Z", AT + timedelta(milliseconds=250)),
        ("2026-01-05T01:30:00,25Z", AT + timedelta(milliseconds=250)),
        ("2026-01-05T01:30:00.123456789Z", AT + timedelta(microseconds=123456)),
        ("20260105T013000Z", AT),
        ("2026-W02-1T01:30:00Z", AT),
        ("2026-01-05", datetime(2026, 1, 5, tzinfo=UTC)),
        ("20260105", datetime(2026, 1, 5, tzinfo=UTC)),
        ("1767576600", AT),
        ("1767576600.5", AT + timedelta(milliseconds=500)),
        ("2026-02-30T01:30:00Z", None),
        ("2026-01-05T25:00:00Z", None),
        ("2026-01-05T01:30:60Z", None),
        ("05/01/2026", None),
        ("yesterday", None),
        ("9999-12-31T23:00:00-05:00", None),
        ("0001-01-01T00:00:00+05:00", None),
        ("12345", None),
        ("", None),
        (None, None),
    ],
)
def test_text_is_an_instant(text: str | None, at: datetime | None) -> None:
    """ISO 8601 as RFC 3339 and Python have it, and Unix seconds; everything else is no time."""
    assert read(text) == at


@pytest.mark.parametrize(
    "text", ["2026-07-01T12:00:00", "2026-07-01 12:00", "20260701T120000", "2026-07-01T12:00:00.0000000"]
)
def test_text_without_a_zone_is_in_the_databases(text: str) -> None:
    """A date alone is at midnight UTC, as a column of dates is."""
    assert read(text, "Europe/Berlin") == datetime(2026, 7, 1, 10, tzinfo=UTC)
    assert read("2026-07-01", "Europe/Berlin") == datetime(2026, 7, 1, tzinfo=UTC)


def test_json_texts_are_read_too() -> None:
    """A column of SQLite that mixes numbers and texts comes as JSON."""
    column = pa.array(['"2026-01-05 01:30:00"', "1767576600", '"x"', None], pa.string())
    batch = pa.RecordBatch.from_arrays([column], schema=pa.schema([marked("occurred_at", "json")]))
    spelled = with_zones(batch, timezone="UTC")
    assert logical_type(spelled.schema.field(0)) == "string"
    assert occurred_at(spelled.column(0), spelled.schema.field(0)).to_pylist() == [AT, AT, None, None]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([AT], pa.timestamp("us", "UTC")),
        pa.array([1767576600]),
        pa.array([1767576600.0]),
        pa.array(["2026-01-05T01:30:00Z"]),
        pa.array([date(2026, 1, 5)]),
    ],
)
def test_every_type_is_an_instant(column: pa.Array) -> None:
    """Whatever an engine gives."""
    at = occurred_at(column, pa.field("occurred_at", column.type)).to_pylist()
    assert at == [AT if column.type != pa.date32() else datetime(2026, 1, 5, tzinfo=UTC)]


@settings(max_examples=100, deadline=None)
@given(
    at=st.datetimes(EARLY, EARLY.replace(year=9998), timezones=st.just(UTC)),
    minutes=st.integers(-14 * 60, 14 * 60),
    separator=st.sampled_from("T "),
)
def test_equal_instants_are_equal_in_every_zone(at: datetime, minutes: int, separator: str) -> None:
    """To the microsecond."""
    assert read(at.astimezone(timezone(timedelta(minutes=minutes))).isoformat(separator)) == at
