"""What Snowflake's types become, in the shapes that the service sends them in, through the real connector."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from reverse_etl.errors import QueryError
from reverse_etl.sources import connect
from reverse_etl.sources._instants import values as python_values
from reverse_etl.sources.base import BATCH_BYTES, BATCH_ROWS, OUTSIDE_YEARS, Session, logical_type, marked
from reverse_etl.sources.snowflake.types import batches, regrouped
from reverse_etl_tests.servers.snowflake import SnowflakeServer
from reverse_etl_tests.sources.test_snowflake import settings_of

DATE_TIME = "timestamp[us, tz=UTC]"
TWO_PARTS = pa.struct([pa.field("epoch", pa.int64(), False), pa.field("fraction", pa.int32(), False)])
OFFSET = pa.field("timezone", pa.int32(), False)
BERLIN = 1440 + 120
"""Minutes, of which 1440 are UTC."""

DECFLOAT = pa.struct([("exponent", pa.int16()), ("significand", pa.binary())])
REAL = dict.fromkeys(("length", "byteLength", "precision", "scale")) | {"type": "real", "nullable": False}


@pytest.fixture
def session(snowflake: SnowflakeServer) -> Iterator[Session]:
    """A session of the reading user, who reads wall clocks in Berlin."""
    with connect(settings_of(snowflake)) as session:
        yield session


def answered(
    server: SnowflakeServer, session: Session, values: pa.Array, kind: dict[str, Any], **said: str
) -> pa.RecordBatch:
    """The batch of one column that the service sends as it is; ``said`` is what Arrow's field says of it."""
    logical = {"logicalType": kind["type"].upper()} | said
    table = pa.Table.from_arrays([values], schema=pa.schema([pa.field("V", values.type, metadata=logical)]))
    server.answer("SELECT v FROM t", table, [{"name": "V"} | kind])
    (batch,) = session.stream("SELECT v FROM t")
    return batch


@pytest.mark.parametrize(
    ("values", "kind", "said", "logical", "expected"),
    [
        (
            pa.array([125, -7, None], pa.int16()),
            {"type": "fixed", "scale": 2},
            {"scale": "2"},
            "decimal",
            ["1.25", "-0.07", None],
        ),
        (pa.array([7, None], pa.decimal128(38, 0)), {"type": "fixed", "scale": 0}, {"scale": "0"}, "int64", [7, None]),
        (
            pa.array([{"epoch": 253402300799, "fraction": 999999000}, None], TWO_PARTS),
            {"type": "timestamp_ntz"},
            {"scale": "9"},
            DATE_TIME,
            [datetime(9999, 12, 31, 22, 59, 59, 999999, tzinfo=UTC), None],
        ),
        (
            pa.array([17_198_280_001_234_567], pa.int64()),
            {"type": "timestamp_ntz"},
            {"scale": "7"},
            DATE_TIME,
            [datetime(2024, 7, 1, 8, 0, 0, 123456, tzinfo=UTC)],
        ),
        (
            pa.array([1_719_828_000_123], pa.int64()),
            {"type": "timestamp_ltz"},
            {"scale": "3"},
            DATE_TIME,
            [datetime(2024, 7, 1, 10, 0, 0, 123000, tzinfo=UTC)],
        ),
        (
            pa.array(
                [{"epoch": 1_719_828_000, "fraction": 123_456_789, "timezone": BERLIN}, None],
                pa.struct([*TWO_PARTS, OFFSET]),
            ),
            {"type": "timestamp_tz"},
            {"scale": "9", "byteLength": "16"},
            DATE_TIME,
            [datetime(2024, 7, 1, 10, 0, 0, 123456, tzinfo=UTC), None],
        ),
        (
            pa.array([{"epoch": 1_719_828_000_123, "timezone": BERLIN}], pa.struct([TWO_PARTS[0], OFFSET])),
            {"type": "timestamp_tz"},
            {"scale": "3", "byteLength": "8"},
            DATE_TIME,
            [datetime(2024, 7, 1, 10, 0, 0, 123000, tzinfo=UTC)],
        ),
        (pa.array([45_296_500], pa.int64()), {"type": "time"}, {"scale": "3"}, "string", ["12:34:56.5"]),
        (
            pa.array([14, None, -1], pa.int64()),
            {"type": "interval_year_month"},
            {},
            "string",
            ["P1Y2M", None, "P-1M"],
        ),
        (
            pa.array([93_784_500_000_000, None], pa.decimal128(38, 0)),
            {"type": "interval_day_time"},
            {"scale": "9"},
            "string",
            ["PT26H3M4.5S", None],
        ),
        (
            pa.array(['{"a":1.10000000000000000001}', '"text"', None]),
            {"type": "variant"},
            {},
            "json",
            ['{"a":1.10000000000000000001}', '"text"', None],
        ),
        (
            pa.array(['[\n  1,\n  undefined,\n  "undefined \\"x"\n]', "[]", '["NaN"]', None]),
            {"type": "array"},
            {},
            "json",
            ['[1,null,"undefined \\"x"]', "[]", '["NaN"]', None],
        ),
        (pa.array(['{"a":NaN}', "[-Infinity,1]", '"inf"']), {"type": "object"}, {}, "json", ["NaN", "NaN", '"inf"']),
        (
            pa.array(['{"coordinates":[1,2],"type":"Point"}']),
            {"type": "object", "extTypeName": "GEOGRAPHY"},
            {},
            "json",
            ['{"coordinates":[1,2],"type":"Point"}'],
        ),
        (
            pa.array([[1.5, 2.5]], pa.list_(pa.float32(), 2)),
            {"type": "vector", "vectorDimension": 2, "fields": [REAL]},
            {},
            "json",
            ["[1.5,2.5]"],
        ),
    ],
)
def test_types_of_its_own(
    snowflake: SnowflakeServer,
    session: Session,
    values: pa.Array,
    kind: dict[str, Any],
    said: dict[str, str],
    logical: str,
    expected: list[Any],
) -> None:
    """Digits are kept, times are instants, and what is JSON there is JSON here."""
    batch = answered(snowflake, session, values, kind, **said)

    assert (logical_type(batch.schema.field(0)), batch.column(0).to_pylist()) == (logical, expected)


_AROUND = (253_402_300_800, 1_719_828_000, -62_135_596_801, None)


@pytest.mark.parametrize(
    ("values", "kind", "scale"),
    [
        (pa.array(_AROUND, pa.int64()), "timestamp_ltz", "0"),
        (pa.array([at and at * 1000 for at in _AROUND], pa.int64()), "timestamp_ltz", "3"),
        (pa.array([at and {"epoch": at, "fraction": 0} for at in _AROUND], TWO_PARTS), "timestamp_ltz", "9"),
    ],
)
def test_times_outside_the_calendar_keep_their_rows(
    snowflake: SnowflakeServer, session: Session, values: pa.Array, kind: str, scale: str
) -> None:
    """Whatever form the service gives them in; the others are as they would be."""
    batch = answered(snowflake, session, values, {"type": kind}, scale=scale)

    assert (batch.schema.field(0).type, python_values(batch.column(0))) == (
        pa.timestamp("us", "UTC"),
        [OUTSIDE_YEARS, datetime(2024, 7, 1, 10, tzinfo=UTC), OUTSIDE_YEARS, None],
    )


@pytest.mark.parametrize(
    ("values", "kind", "said"),
    [
        (pa.array([{"exponent": -3, "significand": b"\x04\xd2"}], DECFLOAT), {"type": "decfloat"}, {}),
        (pa.array(["x"]), {"type": "brandnew"}, {}),
    ],
)
def test_what_the_connector_cannot_read_is_an_error(
    snowflake: SnowflakeServer, session: Session, values: pa.Array, kind: dict[str, Any], said: dict[str, str]
) -> None:
    """And how to cast it; also a type that was not there when the connector was made."""
    with pytest.raises(QueryError, match=r"cannot read (a column|column `V`) of") as refused:
        answered(snowflake, session, values, kind, **said)

    assert "::TIMESTAMP_NTZ(6)" in refused.value.hint


_LAST_S = 253_402_300_799
_FAR = [{"epoch": _LAST_S, "fraction": 999_999_999}, {"epoch": 1_719_828_000, "fraction": 123_456_789}, None]


@pytest.mark.parametrize(
    ("values", "kind", "scale"),
    [
        (pa.array(_FAR, TWO_PARTS), "timestamp_ltz", 9),
        (pa.array(_FAR, TWO_PARTS), "timestamp_ltz", 8),
        (
            pa.array([at and {**at, "timezone": BERLIN} for at in _FAR], pa.struct([*TWO_PARTS, OFFSET])),
            "timestamp_tz",
            9,
        ),
        (pa.array([_LAST_S * 10**7 + 9_999_999, 17_198_280_001_234_567, None], pa.int64()), "timestamp_ltz", 7),
    ],
)
def test_a_time_beyond_what_nanoseconds_reach_keeps_its_microseconds(
    snowflake: SnowflakeServer, session: Session, values: pa.Array, kind: str, scale: int
) -> None:
    """Years after 2262, such as 9999 for "without end", end no run, and are no other time."""
    batch = answered(snowflake, session, values, {"type": kind, "scale": scale}, scale=str(scale), byteLength="16")

    assert batch.column(0).to_pylist() == [
        datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(2024, 7, 1, 10, 0, 0, 123456, tzinfo=UTC),
        None,
    ]


@pytest.mark.parametrize("second", [0, 1, -1, -62_135_596_800, _LAST_S, -11_676_096_000, 9_223_372_036, 9_223_372_037])
def test_tenths_of_microseconds_keep_every_time_of_the_calendar(
    snowflake: SnowflakeServer, session: Session, second: int
) -> None:
    """From the year 1 to 9999, though the connector counts nanoseconds in 64 bits."""
    values = pa.array([second * 10**7], pa.int64())
    batch = answered(snowflake, session, values, {"type": "timestamp_ltz", "scale": 7}, scale="7")

    assert batch.column(0).cast(pa.int64()).to_pylist() == [second * 10**6]


def test_a_time_that_could_be_another_is_not_read(snowflake: SnowflakeServer, session: Session) -> None:
    """Beside nanoseconds after 2262 the connector does not tell how it counted tenths of microseconds."""
    table = pa.table(
        [pa.array(_FAR, TWO_PARTS), pa.array([17_198_280_001_234_567] * 3, pa.int64())],
        schema=pa.schema(
            [
                pa.field("FAR", TWO_PARTS, metadata={"logicalType": "TIMESTAMP_NTZ", "scale": "9"}),
                pa.field("NEAR", pa.int64(), metadata={"logicalType": "TIMESTAMP_NTZ", "scale": "7"}),
            ]
        ),
    )
    kinds = [
        {"name": "FAR", "type": "timestamp_ntz", "scale": 9},
        {"name": "NEAR", "type": "timestamp_ntz", "scale": 7},
    ]
    snowflake.answer("SELECT far, near FROM t", table, kinds)
    with pytest.raises(QueryError, match="cannot read a column"):
        list(session.stream("SELECT far, near FROM t"))


def test_a_part_is_cut_by_rows_and_bytes() -> None:
    """Each piece is as small as a batch may be, and an empty part still has its columns."""
    many = pa.table({"N": pa.array(range(BATCH_ROWS * 2 + 1), pa.int32())})
    wide = pa.table({"T": pa.array(["x" * 2**20] * 40)})

    assert [batch.num_rows for batch in batches(many, ["FIXED"], timezone="UTC")] == [BATCH_ROWS, BATCH_ROWS, 1]
    assert max(batch.nbytes for batch in batches(wide, ["TEXT"], timezone="UTC")) <= BATCH_BYTES * 1.1
    (empty,) = batches(many.slice(0, 0), ["FIXED"], timezone="UTC")
    assert (empty.num_rows, empty.schema.names) == (0, ["N"])


def test_small_batches_of_one_schema_are_put_together() -> None:
    """In order; where a column's type changes, another batch begins."""

    def numbered(values: list[int]) -> pa.RecordBatch:
        return pa.record_batch({"N": pa.array(values, pa.int64())})

    digits = pa.RecordBatch.from_arrays([pa.array(["3"])], schema=pa.schema([marked("N", "decimal")]))
    full = numbered(list(range(BATCH_ROWS)))

    found = list(regrouped([numbered([1]), numbered([2]), digits, numbered([4]), full]))

    assert [batch.num_rows for batch in found] == [2, 1, 1, BATCH_ROWS]
    assert [batch.column(0)[0].as_py() for batch in found] == [1, "3", 4, 0]
    assert list(regrouped([])) == []
