"""The table of typed cases: what every engine makes of a value, in SQL of its own, read in Europe/Berlin."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from reverse_etl.sources.base import OUTSIDE_YEARS

TIMEZONE: Final = "Europe/Berlin"
TEXT: Final = "string"
DATE: Final = "date32[day]"
DATE_TIME: Final = "timestamp[us, tz=UTC]"


@dataclass(frozen=True, slots=True)
class Case:
    """One value.

    Attributes:
        name: What an engine's table of SQL expressions calls it.
        logical: Its canonical type, as ``base.logical_type`` says it.
        value: What ``to_pylist`` gives.
    """

    name: str
    logical: str
    value: Any


def utc(*parts: int) -> datetime:
    """A date-time in UTC."""
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


CASES: Final = (
    Case("text", TEXT, "Zoë e\u0301 👩\u200d👩\u200d👧 ‘x’\n\t\"y\", 'z'\\"),
    Case("empty_text", TEXT, ""),
    Case("text_null_word", TEXT, "NULL"),
    Case("true", "bool", True),
    Case("false", "bool", False),
    Case("small_integer", "int64", -7),
    Case("greatest_integer", "int64", 2**63 - 1),
    Case("least_integer", "int64", -(2**63)),
    Case("beyond_integer", "decimal", "18446744073709551616"),
    Case("decimal", "decimal", "1234567890123456789.0123456789"),
    Case("negative_decimal", "decimal", "-0.0000000001"),
    Case("float", "double", 0.1),
    Case("tiny_float", "double", 5e-324),
    Case("infinite_float", "double", float("inf")),
    Case("not_a_number", "double", float("nan")),
    Case("date", DATE, date(2024, 2, 29)),
    Case("first_date", DATE, date(1, 1, 1)),
    Case("last_date", DATE, date(9999, 12, 31)),
    Case("instant", DATE_TIME, utc(2024, 7, 1, 10, 0, 0, 123456)),
    Case("first_instant", DATE_TIME, utc(1, 1, 1)),
    Case("last_instant", DATE_TIME, utc(9999, 12, 31, 23, 59, 59, 999999)),
    Case("summer_wall_clock", DATE_TIME, utc(2024, 7, 1, 10)),
    Case("winter_wall_clock", DATE_TIME, utc(2024, 1, 1, 11)),
    Case("wall_clock_in_spring_gap", DATE_TIME, utc(2026, 3, 29, 1)),
    Case("wall_clock_twice_in_autumn", DATE_TIME, utc(2026, 10, 25, 0, 30)),
    Case("last_wall_clock", DATE_TIME, utc(9999, 12, 31, 22, 59, 59)),
    Case("first_wall_clock", DATE_TIME, OUTSIDE_YEARS),
    Case("distant_date", DATE, OUTSIDE_YEARS),
    Case("infinite_date", DATE, OUTSIDE_YEARS),
    Case("infinite_instant", DATE_TIME, OUTSIDE_YEARS),
    Case("time", TEXT, "12:34:56.5"),
    Case("interval", TEXT, "P1Y2DT3.5S"),
    Case("uuid", TEXT, "0b5d1c1e-8f3d-4b7a-9d55-0f5f2f1f8a11"),
    Case("enum", TEXT, "pro"),
    Case("bytes", "binary", b"\x00\xffa"),
    Case("json", "json", '{"a": 1.10000000000000000001}'),
    Case("array", "json", "[1,null,3]"),
    Case("empty_array", "json", "[]"),
    Case("array_of_text", "json", '["a","NaN",""]'),
    Case("array_with_not_a_number", "json", "NaN"),
    Case("struct", "json", '{"x":1,"y":"é"}'),
)
