"""Which values fit a column, and as what they are staged: decided in Arrow, at the very limits of each type."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow as pa
import pytest

from reverse_etl.changeset.parts import ROW_NUMBER
from reverse_etl.destinations._sql.columns import Column, Kind
from reverse_etl.destinations._sql.fit import Fitted, fit
from reverse_etl.report import Outcome
from reverse_etl.sources.base import NOT_JSON, marked

UTC = dt.UTC
INSTANT = pa.timestamp("us", "UTC")
INF, NAN = float("inf"), float("nan")

TINY = Column("c", "tinyint", Kind.INTEGER, integers=(-128, 127))
BIG = Column("c", "bigint", Kind.INTEGER)
NUMERIC = Column("c", "numeric(5,2)", Kind.NUMERIC, precision=5, scale=2)
DOUBLE = Column("c", "double precision", Kind.FLOAT)
REAL = Column("c", "real", Kind.FLOAT, single=True)
UNSIGNED = Column("c", "bigint unsigned", Kind.INTEGER, integers=(0, 2**64 - 1), takes_booleans=True)
FINITE = Column("c", "double unsigned", Kind.FLOAT, finite=True, unsigned=True)
PRICE = Column("c", "decimal(5,2) unsigned", Kind.NUMERIC, precision=5, scale=2, finite=True, unsigned=True)
STAMP = Column("c", "timestamp(2)", Kind.INSTANT, instants=(1_000_000, 2**31 * 1_000_000 - 1), fraction=2)
CLOCK = Column("c", "datetime", Kind.WALL_CLOCK, fraction=0)
TEXT = Column("c", "varchar(5)", Kind.TEXT, characters=5, holds_nul=False)
NAME = Column("c", "name", Kind.TEXT, octets=5)


def of(kind: Kind) -> Column:
    """A column that takes any value of a kind."""
    return Column("c", kind.name.lower(), kind)


def fitted(values: list[Any], given: pa.Field, column: Column) -> Fitted:
    """One column, made ready."""
    numbers = pa.array(range(1, len(values) + 1), pa.int64())
    schema = pa.schema([given.with_name("c"), pa.field(ROW_NUMBER, pa.int64())])
    batch = pa.RecordBatch.from_arrays([pa.array(values, given.type), numbers], schema=schema)
    return fit(batch, [column], timezone="Europe/Berlin")


DECIMAL, JSON = marked("c", "decimal"), marked("c", "json")
INT, FLOAT, STRING, BOOL, DATE, TIME = (
    pa.field("c", each) for each in (pa.int64(), pa.float64(), pa.string(), pa.bool_(), pa.date32(), INSTANT)
)

MISFITS: list[tuple[pa.Field, Column, list[Any], dict[str, list[int]]]] = [
    (INT, TINY, [127, 128, -128, -129, None], {"out_of_range": [2, 4]}),
    (FLOAT, TINY, [1.0, 1.5, NAN, INF, 128.0, None], {"not_an_integer": [2, 3, 4], "out_of_range": [5]}),
    (FLOAT, BIG, [2.0**63, -(2.0**63), 2.0**63 - 1024, -(2.0**63) - 2048], {"out_of_range": [1, 4]}),
    (
        DECIMAL,
        BIG,
        ["9223372036854775807", "9223372036854775808", "1.0", "1.5", "1e3"],
        {"out_of_range": [2], "not_an_integer": [4]},
    ),
    (
        DECIMAL,
        BIG,
        ["-9223372036854775808", "-9223372036854775809", "1" * 60, "NaN", "1e999999999"],
        {"out_of_range": [2, 3], "not_an_integer": [4, 5]},
    ),
    (STRING, BIG, ["7", " +7 ", "", "x", None], {"not_a_number": [3, 4], "not_an_integer": [3, 4]}),
    (INT, of(Kind.BOOLEAN), [0, 1, 2, None], {"out_of_range": [3]}),
    (INT, NUMERIC, [999, 1000, -999, -1000], {"out_of_range": [2, 4]}),
    (
        DECIMAL,
        NUMERIC,
        ["999.99", "1000", "-0.01", "1.005", "1.500", "1e2", "1.2e-3"],
        {"out_of_range": [2], "too_many_decimals": [4, 7]},
    ),
    (DECIMAL, NUMERIC, ["NaN", "Infinity", None, "0001.1"], {"out_of_range": [2]}),
    (DECIMAL, of(Kind.NUMERIC), ["1" * 38 + "." + "1" * 38, "NaN", "1e300"], {}),
    (FLOAT, NUMERIC, [999.99, 999.996, 0.1 + 0.2, NAN, INF], {"out_of_range": [2, 5]}),
    (INT, DOUBLE, [2**53, 2**53 + 1, 2**62], {"not_exact": [2]}),
    (INT, REAL, [2**24, 2**24 + 1], {"not_exact": [2]}),
    (FLOAT, REAL, [0.1, 3.4e38, 3.5e38, 1e-45, 1e-46, INF, NAN, -0.0], {"out_of_range": [3, 5]}),
    (STRING, DOUBLE, ["1.5e10", "x"], {"not_a_number": [2]}),
    (INT, UNSIGNED, [0, 2**63 - 1, -1], {"out_of_range": [3]}),
    (STRING, UNSIGNED, ["18446744073709551615", "18446744073709551616", "-1", "0"], {"out_of_range": [2, 3]}),
    (FLOAT, UNSIGNED, [2.0**62, 2.0**63, -0.0, -1.0], {"out_of_range": [2, 4]}),
    (FLOAT, FINITE, [0.5, NAN, INF, -0.0, -0.5], {"not_a_number": [2, 3], "out_of_range": [5]}),
    (STRING, FINITE, ["1e3", "nan", "-inf", "-0", "-2"], {"not_a_number": [2, 3], "out_of_range": [5]}),
    (INT, FINITE, [1, -1], {"out_of_range": [2]}),
    (INT, PRICE, [999, 1000, 0, -1], {"out_of_range": [2, 4]}),
    (FLOAT, PRICE, [1.5, NAN, -0.01], {"not_a_number": [2], "out_of_range": [3]}),
    (DECIMAL, PRICE, ["999.99", "-0.00", "-0.01"], {"out_of_range": [3]}),
    (
        TIME,
        STAMP,
        [
            dt.datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC),
            dt.datetime(1970, 1, 1, tzinfo=UTC),
            dt.datetime(2038, 1, 19, 3, 14, 7, 999_999, UTC),
            dt.datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC),
        ],
        {"out_of_range": [2, 4]},
    ),
    (DATE, STAMP, [dt.date(2024, 1, 1), dt.date(1970, 1, 1), dt.date(2039, 1, 1)], {"out_of_range": [2, 3]}),
    (
        STRING,
        TEXT,
        ["äöüäö", "abcdef", "ab   ", "abc    ", "a\0", "", None],
        {"too_long": [2, 4], "nul_character": [5]},
    ),
    (STRING, NAME, ["äö", "äöü"], {"too_long": [2]}),
    (INT, TEXT, [12345, 123456], {"too_long": [2]}),
    (
        STRING,
        Column("c", "mood", Kind.ENUM, values=("sad", "glad")),
        ["sad", "Sad", "", None],
        {"not_an_allowed_value": [2, 3]},
    ),
    (
        STRING,
        of(Kind.UUID),
        ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "{A0EEBC999C0B4EF8BB6D6BB9BD380A11}", "a0eebc99"],
        {"not_a_uuid": [3]},
    ),
    (STRING, of(Kind.DATE), ["2024-02-29", "2024-02-29 10:00", "29/02/2024", "tomorrow"], {"not_a_date": [2, 3, 4]}),
    (STRING, of(Kind.WALL_CLOCK), ["2024-02-29 10:00", "2024-02-29T10:00:00Z", "now"], {"not_a_date_time": [2, 3]}),
    (
        STRING,
        of(Kind.INSTANT),
        ["2024-02-29 10:00:00.123456+02", "2024-02-29T10:00:00Z", "10:00", "2024-02-29 10:00:00.1234567"],
        {"not_a_date_time": [3, 4]},
    ),
    (
        TIME,
        of(Kind.DATE),
        [dt.datetime(2024, 7, 1, 22, tzinfo=UTC), dt.datetime(2024, 7, 1, tzinfo=UTC)],
        {"has_a_time": [2]},
    ),
    (TIME, of(Kind.UUID), [dt.datetime(2024, 7, 1, tzinfo=UTC), None], {"wrong_type": [1]}),
    (DATE, of(Kind.INTEGER), [dt.date(2024, 1, 1)], {"wrong_type": [1]}),
    (BOOL, of(Kind.INTEGER), [True, None], {"wrong_type": [1]}),
    (JSON, of(Kind.UUID), ["{}"], {"wrong_type": [1]}),
    (
        JSON,
        TINY,
        ["1", '"2"', '"abc"', '{"a": 1}', "1.5", "300", None, "[1]"],
        {"wrong_type": [4, 8], "not_a_number": [3], "not_an_integer": [3, 5], "out_of_range": [6]},
    ),
    (JSON, of(Kind.FLOAT), ["1.5", '"2e3"', NOT_JSON, '"x"'], {"wrong_type": [3], "not_a_number": [4]}),
    (JSON, of(Kind.DATE), ['"2024-02-29"', "7", '"\\u0032024-02-29"'], {"not_a_date": [2]}),
    (pa.field("c", pa.binary()), of(Kind.TEXT), [b"x", None], {"wrong_type": [1]}),
    (INT, Column("c", "integer", Kind.INTEGER, nullable=False), [1, None], {"null": [2]}),
    (pa.field("c", pa.null()), Column("c", "integer", Kind.INTEGER, nullable=False), [None], {"null": [1]}),
    (STRING, Column("c", "text", Kind.TEXT, key=True), ["", None], {"missing_identifier": [2]}),
]


@pytest.mark.parametrize(("given", "column", "values", "expected"), MISFITS)
def test_values_that_do_not_fit_are_named(
    given: pa.Field, column: Column, values: list[Any], expected: dict[str, list[int]]
) -> None:
    """By row number and reason; a value that does not fit is staged as nothing, the others are."""
    found = fitted(values, given, column)
    assert expected == {kept.why.reason: kept.rows.to_pylist() for kept in found.kept_back}
    assert {(Outcome.REJECTED, "c")} >= {(kept.outcome, kept.why.field) for kept in found.kept_back}
    bad = {row for rows in expected.values() for row in rows}
    nulls = found.batch.column("c").is_null().to_pylist()
    assert [value is None or place in bad for place, value in enumerate(values, 1)] == nulls


STAGED: list[tuple[pa.Field, Column, Any, pa.DataType, str]] = [
    (FLOAT, BIG, -0.0, pa.int64(), "0"),
    (STRING, BIG, " +0007.00 ", pa.int64(), "7"),
    (DECIMAL, BIG, "1.2e3", pa.int64(), "1200"),
    (DECIMAL, NUMERIC, "1.2e1", pa.string(), "12"),
    (FLOAT, NUMERIC, 0.1, pa.string(), "0.1"),
    (BOOL, TEXT, True, pa.string(), "true"),
    (BOOL, UNSIGNED, True, pa.int64(), "1"),
    (STRING, UNSIGNED, " 018446744073709551615.0", pa.string(), "18446744073709551615"),
    (TIME, STAMP, dt.datetime(2024, 7, 1, 22, 0, 0, 987_654, UTC), INSTANT, "2024-07-01 22:00:00.980000Z"),
    (TIME, CLOCK, dt.datetime(1960, 1, 1, 0, 0, 0, 1, UTC), pa.timestamp("us"), "1960-01-01 01:00:00.000000"),
    (TIME, of(Kind.DATE), dt.datetime(2024, 7, 1, 22, tzinfo=UTC), pa.date32(), "2024-07-02"),
    (TIME, of(Kind.WALL_CLOCK), dt.datetime(2024, 1, 1, tzinfo=UTC), pa.timestamp("us"), "2024-01-01 01:00:00.000000"),
    (TIME, of(Kind.TEXT), dt.datetime(1900, 1, 1, 0, 0, 0, 1, UTC), pa.string(), "1900-01-01T00:00:00.000001Z"),
    (DATE, of(Kind.WALL_CLOCK), dt.date(1, 1, 1), pa.timestamp("us"), "0001-01-01 00:00:00.000000"),
    (DATE, of(Kind.INSTANT), dt.date(2024, 7, 2), INSTANT, "2024-07-01 22:00:00.000000Z"),
    (pa.field("c", pa.null()), BIG, None, pa.string(), ""),
]


@pytest.mark.parametrize(("given", "column", "value", "expected", "text"), STAGED)
def test_values_become_those_of_the_column(
    given: pa.Field, column: Column, value: Any, expected: pa.DataType, text: str
) -> None:
    """A value of another kind that means the same is converted, in the destination's time zone."""
    found = fitted([value], given, column)
    staged = found.batch.column("c")
    assert (expected, []) == (staged.type, found.kept_back)
    assert text == (staged.cast(pa.string())[0].as_py() or "")


def test_a_batch_keeps_its_rows_and_the_order_of_the_table() -> None:
    """Columns come as the table has them, those that it does not name are left out; no rows are no trouble."""
    batch = pa.RecordBatch.from_pydict({"x": [1, 2], "b": ["u", "v"], "a": [True, None], ROW_NUMBER: [4, 9]})
    columns = [Column("a", "boolean", Kind.BOOLEAN), Column("b", "text", Kind.TEXT)]
    found = fit(batch, columns, timezone="UTC")
    assert {"a": [True, None], "b": ["u", "v"], ROW_NUMBER: [4, 9]} == found.batch.to_pydict()
    assert 0 == fit(batch.slice(0, 0), columns, timezone="UTC").batch.num_rows
