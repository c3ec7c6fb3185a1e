"""Arrow data of any type as canonical types."""

# ruff: noqa: DTZ001 - zone-less date-times are what is tested

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverse_etl.errors import ConfigError
from reverse_etl.sources._arrow import canonical, iso_duration
from reverse_etl.sources._instants import instants, seconds_text
from reverse_etl.sources._instants import values as python_values
from reverse_etl.sources.base import OUTSIDE_YEARS, logical_type

NS = 1_000_000_000
FIRST, LAST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


def one(array: pa.Array, *, timezone: str = "UTC") -> tuple[str, list[Any]]:
    """A column's canonical type and values."""
    batch = canonical(pa.record_batch([array], names=["v"]), timezone=timezone)
    return logical_type(batch.schema.field("v")), python_values(batch.column("v"))


@pytest.mark.parametrize(
    ("array", "logical", "values"),
    [
        (pa.nulls(2), "null", [None, None]),
        (pa.array([True, None]), "bool", [True, None]),
        (pa.array([1, None], pa.int8()), "int64", [1, None]),
        (pa.array([4294967295], pa.uint32()), "int64", [4294967295]),
        (pa.array([7, None], pa.uint64()), "int64", [7, None]),
        (pa.array([2**64 - 1, None, 7], pa.uint64()), "decimal", ["18446744073709551615", None, "7"]),
        (pa.array([1.5, None], pa.float16()), "double", [1.5, None]),
        (pa.array([1.5, float("inf")], pa.float32()), "double", [1.5, float("inf")]),
        (pa.array([0.1, 16777216, 3.4e38, 1e-45, None], pa.float32()), "double", [0.1, 16777216, 3.4e38, 1e-45, None]),
        (pa.array(np.array([0.1, 65504, 6e-8], np.float16)), "double", [0.1, 65500, 6e-8]),
        (pa.array([Decimal("0.10"), None], pa.decimal128(5, 2)), "decimal", ["0.10", None]),
        (
            pa.array([Decimal("0"), Decimal("1E-10")], pa.decimal128(38, 10)),
            "decimal",
            ["0.0000000000", "0.0000000001"],
        ),
        (pa.array([Decimal("12300"), None], pa.decimal128(5, -2)), "decimal", ["12300", None]),
        (pa.array([Decimal("9" * 70)], pa.decimal256(76, 0)), "decimal", ["9" * 70]),
        (pa.array(["é", None], pa.large_string()), "string", ["é", None]),
        (pa.array(["é", None], pa.string_view()), "string", ["é", None]),
        (pa.array(["a", "b", "a", None]).dictionary_encode(), "string", ["a", "b", "a", None]),
        (pa.RunEndEncodedArray.from_arrays([2, 3], pa.array(["a", None])), "string", ["a", "a", None]),
        (pa.array([b"a", None], pa.large_binary()), "binary", [b"a", None]),
        (pa.array([b"ab", None], pa.binary(2)), "binary", [b"ab", None]),
        (pa.array([b"ab", None], pa.binary_view()), "binary", [b"ab", None]),
        (pa.array([date(2024, 2, 29), None], pa.date64()), "date32[day]", [date(2024, 2, 29), None]),
        (pa.array([time(12), time(12, 0, 0, 500), None]), "string", ["12:00:00", "12:00:00.0005", None]),
        (pa.array([time(12, 30)], pa.time32("s")), "string", ["12:30:00"]),
        (pa.array([100, None], pa.time64("ns")), "string", ["00:00:00.0000001", None]),
        (pa.array([timedelta(days=1, seconds=1), None]), "string", ["PT24H1S", None]),
        (pa.array([(14, 3, 1_500_000_000), None], pa.month_day_nano_interval()), "string", ["P1Y2M3DT1.5S", None]),
        (
            pa.ExtensionArray.from_storage(pa.uuid(), pa.array([UUID(int=1).bytes, None], pa.binary(16))),
            "string",
            ["00000000-0000-0000-0000-000000000001", None],
        ),
        (pa.ExtensionArray.from_storage(pa.json_(), pa.array(['{"a":1}', None])), "json", ['{"a":1}', None]),
        (pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1, 0, None], pa.int8())), "bool", [True, False, None]),
        (pa.ExtensionArray.from_storage(pa.opaque(pa.int8(), "x", "y"), pa.array([1], pa.int8())), "int64", [1]),
    ],
)
def test_flat_types(array: pa.Array, logical: str, values: list[Any]) -> None:
    """Each Arrow type, with a null where it can hold one."""
    assert one(array) == (logical, values)


@pytest.mark.parametrize(
    ("array", "texts"),
    [
        (pa.array([[1, None], [], None, [3]]), ["[1,null]", "[]", None, "[3]"]),
        (pa.array([[1], [2, 3], None, [4]])[1:], ["[2,3]", None, "[4]"]),
        (pa.array([[1, 2], None], pa.list_(pa.int8(), 2)), ["[1,2]", None]),
        (pa.array([[1, 2], None, []], pa.large_list(pa.int8())), ["[1,2]", None, "[]"]),
        (pa.array([[1, 2], None, []], pa.list_view(pa.int8())), ["[1,2]", None, "[]"]),
        (pa.array([{"a": 1, "b": {"c": "é"}}, None]), ['{"a":1,"b":{"c":"é"}}', None]),
        (pa.array([{"a": 1}, {"a": None}, None, {"a": 2}])[1:], ['{"a":null}', None, '{"a":2}']),
        (pa.array([{}, None], pa.struct([])), ["{}", None]),
        (pa.array([[("k", 1), ("l", None)], None], pa.map_(pa.string(), pa.int8())), ['{"k":1,"l":null}', None]),
        (pa.array([[(1, "x")], [(2, "y")]], pa.map_(pa.int8(), pa.string()))[1:], ['{"2":"y"}']),
        (pa.array([[(Decimal("1.50"), 1)]], pa.map_(pa.decimal128(5, 2), pa.int8())), ['{"1.50":1}']),
        (pa.array([[(2**64 - 1, 1)]], pa.map_(pa.uint64(), pa.int8())), ['{"18446744073709551615":1}']),
        (pa.array([[(True, 1)], []], pa.map_(pa.bool_(), pa.int8())), ['{"true":1}', "{}"]),
        (pa.array([[(date(2026, 1, 5), 2)]], pa.map_(pa.date32(), pa.int8())), ['{"2026-01-05":2}']),
        (pa.array([[Decimal("1.10")]], pa.list_(pa.decimal128(38, 28))), ["[1.1000000000000000000000000000]"]),
        (pa.array([[2**64 - 1]], pa.list_(pa.uint64())), ["[18446744073709551615]"]),
        (pa.array([[datetime(2024, 7, 1, 12)]], pa.list_(pa.timestamp("s"))), ['["2024-07-01T10:00:00+00:00"]']),
        (pa.array([[2**63 - 1]], pa.list_(pa.int64())).cast(pa.list_(pa.timestamp("us"))), ["NaN"]),
        (pa.array([[date(2024, 2, 29), None]]), ['["2024-02-29",null]']),
        (pa.array([[1.5], [float("nan")], [float("-inf")]]), ["[1.5]", "NaN", "NaN"]),
        (pa.array([{"a": [b"x"]}, {"a": [None]}]), ["NaN", '{"a":[null]}']),
        (pa.array([["NaN", "Infinity"]]), ['["NaN","Infinity"]']),
        (pa.array([[time(12)]]), ['["12:00:00"]']),
        (
            pa.UnionArray.from_sparse(pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array([1.5, float("nan")])]),
            ["1", "NaN"],
        ),
        (pa.array([[0.1, None]], pa.list_(pa.float32())), ["[0.1,null]"]),
        (pa.array([{"share": 0.1}], pa.struct([("share", pa.float32())])), ['{"share":0.1}']),
        (
            pa.UnionArray.from_dense(
                pa.array([0, 1, 0], pa.int8()),
                pa.array([0, 0, 1], pa.int32()),
                [pa.array([0.1, 0.3], pa.float32()), pa.array(["x"])],
            )[1:],
            ['"x"', "0.3"],
        ),
    ],
)
def test_nested_types_come_as_json(array: pa.Array, texts: list[str | None]) -> None:
    """To any depth, without losing a digit; what JSON cannot hold spoils its own row only."""
    assert one(array, timezone="Europe/Berlin") == ("json", texts)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_timestamps_of_any_unit_come_in_microseconds_utc(unit: str) -> None:
    """With a zone, and without one read in the connection's."""
    instant = datetime(2024, 7, 1, 10, tzinfo=UTC)
    zoned = pa.array([instant, None], pa.timestamp(unit, "America/New_York"))
    zoneless = pa.array([datetime(2024, 7, 1, 12), None], pa.timestamp(unit))

    expected = ("timestamp[us, tz=UTC]", [instant, None])
    assert one(zoned, timezone="Europe/Berlin") == expected
    assert one(zoneless, timezone="Europe/Berlin") == expected


@given(seconds=st.lists(st.none() | st.integers(-(2**50), 2**50), min_size=1, max_size=6), berlin=st.booleans())
@settings(max_examples=60, deadline=None)
def test_instants_are_the_same_whatever_their_batch(seconds: list[int | None], berlin: bool) -> None:
    """One distant instant changes no other, and the batch read again is the same."""
    timezone = "Europe/Berlin" if berlin else "UTC"
    column = pa.array(seconds, pa.int64()).cast(pa.timestamp("s"))
    together = instants(column, timezone=timezone)

    alone = [instants(pa.array([value], column.type), timezone=timezone) for value in column]
    assert together.equals(pa.concat_arrays(alone))
    assert instants(together, timezone=timezone).equals(together)


@given(values=st.lists(st.none() | st.datetimes(timezones=st.just(UTC)), max_size=6))
@settings(max_examples=60, deadline=None)
def test_seconds_are_rounded_down(values: list[datetime | None]) -> None:
    """Before 1970 too, and in every year that fits."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    column = pa.array(values, pa.timestamp("us", "UTC"))

    expected = [None if value is None else str((value - epoch) // timedelta(seconds=1)) for value in values]
    assert seconds_text(column).to_pylist() == expected


def test_dates_that_do_not_fit_change_no_other() -> None:
    """Nor do infinite ones."""
    days = [-(2**31 - 1), -719_163, 0, None, 2_932_897, 2**31 - 1]
    column = pa.array(days, pa.int32()).cast(pa.date32())

    beyond = OUTSIDE_YEARS
    assert one(column) == ("date32[day]", [beyond, beyond, date(1970, 1, 1), None, beyond, beyond])


def test_the_first_and_last_second_that_fit() -> None:
    """The years 0001 and 9999 are whole."""
    assert one(pa.array([FIRST, LAST])) == ("timestamp[us, tz=UTC]", [FIRST, LAST])


def test_an_unknown_time_zone_is_a_sentence() -> None:
    """A slim container may have no zone data."""
    with pytest.raises(ConfigError, match="no data for the time zone Mars/Olympus") as unknown:
        one(pa.array([datetime(2024, 1, 1)]), timezone="Mars/Olympus")

    assert "tzdata" in unknown.value.hint


@given(
    months=st.integers(-30, 30),
    days=st.integers(-40, 40),
    ns=st.integers(-(10**15), 10**15),
)
@settings(max_examples=60, deadline=None)
def test_durations_add_up(months: int, days: int, ns: int) -> None:
    """Each part of the text carries its own sign, and nothing is lost."""
    text = iso_duration(months, days, ns)
    assert _read(text) == (months, days, ns)


def _read(text: str) -> tuple[int, int, int]:
    when, _, clock = text.removeprefix("P").partition("T")
    units = {"Y": (0, 12), "M": (0, 1), "D": (1, 1), "h": (2, 3600 * NS), "m": (2, 60 * NS), "S": (2, NS)}
    sums = [0, 0, 0]
    number = ""
    for letter in when + clock.replace("H", "h").replace("M", "m"):
        if letter in units:
            place, size = units[letter]
            sums[place] += int(Decimal(number) * size)
            number = ""
        else:
            number += letter
    return sums[0], sums[1], sums[2]


def test_nothing_is_zero_seconds() -> None:
    """ISO 8601 has no empty duration."""
    assert iso_duration(0, 0, 0) == "PT0S"


def test_canonical_twice_is_canonical_once() -> None:
    """Marked columns, names, order and rows stay."""
    batch = pa.record_batch(
        {
            "d": pa.array([Decimal("1.50"), None]),
            "j": pa.array([[1], None]),
            "t": pa.array(["a", None], pa.large_string()),
            "at": pa.array([datetime(2024, 1, 1), None]),
            "u": pa.array([2**64 - 1, 1], pa.uint64()),
        }
    )
    once = canonical(batch, timezone="Europe/Berlin")
    twice = canonical(once, timezone="America/New_York")

    assert twice.equals(once, check_metadata=True)
    assert once.schema.names == batch.schema.names


@pytest.mark.parametrize(
    "key",
    [
        pa.array([float("nan")]),
        pa.array([b"x"]),
        pa.array([10**8], pa.int32()).cast(pa.date32()),
        pa.array([2**62], pa.int64()).cast(pa.timestamp("us")),
    ],
    ids=lambda key: str(key.type),
)
def test_a_map_with_a_key_that_no_text_spells_fails_its_row(key: pa.Array) -> None:
    """As such a value does; the key is not sent as something else."""
    maps = pa.MapArray.from_arrays([0, 1], key, pa.array([1]))
    assert ("json", ["NaN"]) == one(maps)
