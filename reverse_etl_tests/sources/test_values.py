"""Columns of Python values as canonical types."""

# ruff: noqa: DTZ001 - zone-less date-times are what is tested

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from ipaddress import ip_address
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverse_etl.sources._instants import values as python_values
from reverse_etl.sources._values import columns_to_batch
from reverse_etl.sources.base import NOT_JSON, NOT_TEXT, OUTSIDE_YEARS, logical_type


class Plan(Enum):
    """An enum as a driver may give it."""

    PRO = "pro"

    def __str__(self) -> str:
        return self.value


def one(values: list[Any]) -> tuple[str, list[Any]]:
    """A column's canonical type and values."""
    batch = columns_to_batch(["v"], [values], timezone="Europe/Berlin")
    return logical_type(batch.schema.field("v")), python_values(batch.column("v"))


@pytest.mark.parametrize(
    ("values", "logical", "expected"),
    [
        ([], "null", []),
        ([None, None], "null", [None, None]),
        ([True, None, False], "bool", [True, None, False]),
        ([1, None], "int64", [1, None]),
        ([2**63, -1], "decimal", ["9223372036854775808", "-1"]),
        ([0.5, None, math.inf], "double", [0.5, None, math.inf]),
        ([Decimal("1.10"), None], "decimal", ["1.10", None]),
        ([Decimal("1E+3"), Decimal("1E-3")], "decimal", ["1000", "0.001"]),
        ([Decimal("NaN"), Decimal("sNaN"), Decimal("-Infinity")], "decimal", ["NaN", "NaN", "-Infinity"]),
        ([1, 2.5, Decimal("3.10")], "decimal", ["1", "2.5", "3.10"]),
        ([1, math.nan, -math.inf], "decimal", ["1", "NaN", "-Infinity"]),
        (["", None, "é"], "string", ["", None, "é"]),
        ([b"a", None], "binary", [b"a", None]),
        ([bytearray(b"a"), memoryview(b"b")], "binary", [b"a", b"b"]),
        ([date(2024, 2, 29), None], "date32[day]", [date(2024, 2, 29), None]),
        ([time(12, 30, 0, 500_000), None], "string", ["12:30:00.500000", None]),
        ([timedelta(hours=26, microseconds=500), -timedelta(seconds=1)], "string", ["26:00:00.0005", "-00:00:01"]),
        ([UUID(int=1), "x"], "string", ["00000000-0000-0000-0000-000000000001", "x"]),
        ([Plan.PRO, ip_address("10.0.0.1")], "string", ["pro", "10.0.0.1"]),
        ([{"a": [1, None]}, None], "json", ['{"a":[1,null]}', None]),
        ([(1, 2), [3], {4}], "json", ["[1,2]", "[3]", "[4]"]),
        ([{"a": Decimal("1.10"), 2: 2**70}], "json", ['{"a":1.10,"2":1180591620717411303424}']),
        ([{"at": datetime(2024, 1, 1), "d": date(2024, 1, 1), "t": time(1)}], "json", None),
        ([{"a": math.nan}, {"a": b"x"}, {"a": Decimal("NaN")}, [1]], "json", ["NaN", "NaN", "NaN", "[1]"]),
        ([1, "a", None, True], "json", ["1", '"a"', None, "true"]),
        (["a", b"\xff"], "json", ['"a"', "NaN"]),
        ([1, math.inf, "x"], "json", ["1", "NaN", '"x"']),
        ([True, 1], "json", ["true", "1"]),
        (["ok", "\udcff", "\ud83d", None], "string", ["ok", NOT_TEXT, NOT_TEXT, None]),
        ([1, "\ud83d"], "json", ["1", NOT_JSON]),
        (["x", date(1970, 1, 2), datetime(1970, 1, 1, 1)], "json", ['"x"', "86400", "0"]),
        ([1, datetime(1, 1, 1)], "json", ["1", NOT_JSON]),
        ([timedelta(seconds=1), 1], "json", ['"00:00:01"', "1"]),
    ],
)
def test_what_a_column_becomes(values: list[Any], logical: str, expected: list[Any] | None) -> None:
    """The narrowest type that holds every value of the batch."""
    found = one(values)

    assert found[0] == logical
    assert expected is None or found[1] == expected


def test_date_times_in_json_are_iso_text() -> None:
    """Inside a document they stay readable."""
    (text,) = one([{"at": datetime(2024, 1, 1, 12), "d": date(2024, 1, 1), "t": time(1)}])[1]

    assert text == '{"at":"2024-01-01T12:00:00","d":"2024-01-01","t":"01:00:00"}'


def test_date_times_with_and_without_a_zone_mix() -> None:
    """The zone-less ones are the connection's, the others their own; dates are midnight UTC."""
    aware = datetime(2024, 7, 1, 12, tzinfo=timezone(timedelta(hours=5)))

    assert one([datetime(2024, 7, 1, 12), None, aware, date(2024, 7, 1)]) == (
        "timestamp[us, tz=UTC]",
        [
            datetime(2024, 7, 1, 10, tzinfo=UTC),
            None,
            datetime(2024, 7, 1, 7, tzinfo=UTC),
            datetime(2024, 7, 1, tzinfo=UTC),
        ],
    )


def test_a_date_time_that_does_not_fit_changes_no_other() -> None:
    """Midnight of 0001-01-01 in Berlin is still the year before, in UTC."""
    usual = datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC)

    assert one([datetime(1, 1, 1), usual, None]) == ("timestamp[us, tz=UTC]", [OUTSIDE_YEARS, usual, None])


@given(
    values=st.lists(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        max_size=6,
    )
)
@settings(max_examples=80, deadline=None)
def test_every_value_can_be_read_back(values: list[Any]) -> None:
    """Whatever the mixture: the same values, of the same kinds, in the same order."""
    logical, found = one(values)

    if logical == "json":
        found = [None if text is None else orjson.loads(text) for text in found]
        # orjson reads integers beyond 64 bits as floats; their text has all the digits.
        values = [float(value) if type(value) is int and not -(2**63) <= value < 2**64 else value for value in values]
    if logical == "decimal":
        found = [None if text is None else Decimal(text) for text in found]
        values = [None if value is None else Decimal(repr(value)) for value in values]
    assert found == values


@given(columns=st.lists(st.lists(st.integers(), min_size=3, max_size=3), min_size=1, max_size=4))
@settings(max_examples=20, deadline=None)
def test_columns_stay_in_place(columns: list[list[int]]) -> None:
    """Names, order and rows are those that came."""
    names = [f"column {number}" for number in range(len(columns))]
    batch = columns_to_batch(names, columns, timezone="UTC")

    assert (batch.schema.names, batch.num_rows) == (names, 3)
