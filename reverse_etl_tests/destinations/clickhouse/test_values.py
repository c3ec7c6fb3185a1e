"""What ClickHouse's types hold: exactly what was given, or the row fails; the server alone would store other values."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest

from reverse_etl.report import Outcome
from reverse_etl.sources.base import marked
from reverse_etl_tests.destinations.clickhouse.server import Clickhouse
from reverse_etl_tests.destinations.sql.tables import Delivery, delivered

AT = dt.datetime(2024, 7, 1, 12, 30, 15, 987_654, tzinfo=dt.UTC)
INSTANT = pa.timestamp("us", "UTC")
TEXT_ID = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"


def utc(*parts: int) -> dt.datetime:
    """An instant."""
    return dt.datetime(*parts, tzinfo=dt.UTC)  # type: ignore[arg-type, misc]


VALUES: list[tuple[str, Any, Any]] = [
    ("Int8", 127, 127),
    ("Int8", -128.0, -128),
    ("Int16", "-32768", -32768),
    ("UInt8", True, 1),
    ("UInt32", 2**32 - 1, 2**32 - 1),
    ("UInt64", "18446744073709551615", 2**64 - 1),
    ("UInt64", 2**63 - 1, 2**63 - 1),
    ("Int128", "-170141183460469231731687303715884105728", -(2**127)),
    ("UInt256", "1" + "0" * 75, 10**75),
    ("Int256", 7, 7),
    ("Float32", 0.1, 0.10000000149011612),
    ("Float32", 16_777_216, 16_777_216.0),
    ("Float64", float("inf"), float("inf")),
    ("Float64", "1.5e3", 1500.0),
    ("Decimal(5, 2)", 1.005, Decimal("1.00")),
    ("Decimal(5, 2)", 0.126, Decimal("0.13")),
    ("Decimal(5, 2)", 7, Decimal("7.00")),
    ("Decimal(5, 2)", " 1.50000", Decimal("1.50")),
    ("Decimal(9, 0)", "1e3", Decimal(1000)),
    ("Decimal(38, 10)", "1234567890123456789012345678.0123456789", Decimal("1234567890123456789012345678.0123456789")),
    ("Decimal(60, 1)", "9" * 59 + ".1", Decimal("9" * 59 + ".1")),
    ("Bool", True, True),
    ("Bool", "off", False),
    ("Bool", 1, True),
    ("Date", dt.date(2149, 6, 6), dt.date(2149, 6, 6)),
    ("Date", utc(2024, 2, 28, 23), dt.date(2024, 2, 29)),
    ("Date32", dt.date(1900, 1, 1), dt.date(1900, 1, 1)),
    ("Date32", "2299-12-31", dt.date(2299, 12, 31)),
    ("DateTime", AT, utc(2024, 7, 1, 12, 30, 15)),
    ("DateTime('UTC')", utc(2106, 2, 7, 6, 28, 15), utc(2106, 2, 7, 6, 28, 15)),
    ("DateTime", "2024-07-01T12:00:00", utc(2024, 7, 1, 10)),
    ("DateTime", "2024-07-01 12:00:00+05:30", utc(2024, 7, 1, 6, 30)),
    ("DateTime", dt.date(2024, 7, 1), utc(2024, 6, 30, 22)),
    ("DateTime64(0)", AT, utc(2024, 7, 1, 12, 30, 15)),
    ("DateTime64(2)", AT, utc(2024, 7, 1, 12, 30, 15, 980_000)),
    ("DateTime64(3)", AT, utc(2024, 7, 1, 12, 30, 15, 987_000)),
    ("DateTime64(5)", AT, utc(2024, 7, 1, 12, 30, 15, 987_650)),
    ("DateTime64(6)", utc(1900, 1, 1), utc(1900, 1, 1)),
    ("DateTime64(9)", AT, AT),
    ("DateTime64(6)", "2024-07-01T12:00:00.123456Z", utc(2024, 7, 1, 12, 0, 0, 123_456)),
    ("Enum8('sad' = 1, 'it\\'s' = 2, 'a\\\\b' = 3, '' = 4)", "it's", "it's"),
    ("Enum16('a\\\\b' = 3)", "a\\b", "a\\b"),
    ("UUID", TEXT_ID.upper(), UUID(TEXT_ID)),
    ("UUID", f"{{{TEXT_ID.replace('-', '')}}}", UUID(TEXT_ID)),
    ("FixedString(4)", "éb", "éb\0".encode()),
    ("LowCardinality(String)", "pro", "pro"),
    ("String", "a\0b", "a\0b"),
    ("String", 12, "12"),
    ("String", AT, "2024-07-01T12:30:15.987654Z"),
    ("IPv4", "10.0.0.1", IPv4Address("10.0.0.1")),
    ("IPv6", "::1", IPv6Address("::1")),
]
STORED_ALTERED: list[tuple[str, Any, str]] = [
    ("Int8", 300, "out_of_range"),
    ("Int8", -129, "out_of_range"),
    ("UInt32", -1, "out_of_range"),
    ("UInt64", "18446744073709551616", "out_of_range"),
    ("UInt64", 2.0**64, "out_of_range"),
    ("Int32", 1.7, "not_an_integer"),
    ("Int32", "1.7", "not_an_integer"),
    ("Int128", "170141183460469231731687303715884105728", "out_of_range"),
    ("UInt256", "1" + "0" * 78, "out_of_range"),
    ("Float32", 3.5e38, "out_of_range"),
    ("Float32", 16_777_217, "not_exact"),
    ("Decimal(5, 2)", "99999.99", "out_of_range"),
    ("Decimal(5, 2)", 99999.99, "out_of_range"),
    ("Decimal(5, 2)", "1.005", "too_many_decimals"),
    ("Decimal(5, 2)", float("nan"), "not_a_number"),
    ("Decimal(5, 2)", "one", "not_a_number"),
    ("Bool", "maybe", "not_a_boolean"),
    ("Bool", 2, "out_of_range"),
    ("Date", dt.date(1969, 12, 31), "out_of_range"),
    ("Date", dt.date(2149, 6, 7), "out_of_range"),
    ("Date", "2149-06-07", "out_of_range"),
    ("Date", AT, "has_a_time"),
    ("Date32", dt.date(1899, 12, 31), "out_of_range"),
    ("Date32", "2024-02-30", "not_a_date"),
    ("DateTime", utc(1960, 1, 1), "out_of_range"),
    ("DateTime", utc(2120, 1, 1), "out_of_range"),
    ("DateTime", dt.date(1960, 1, 1), "out_of_range"),
    ("DateTime", "1960-01-01T00:00:00Z", "out_of_range"),
    ("DateTime", "2024-02-30T00:00:00Z", "not_a_date_time"),
    ("DateTime64(6)", utc(2300, 1, 1), "out_of_range"),
    ("DateTime64(6)", utc(1899, 12, 31), "out_of_range"),
    ("DateTime64(9)", utc(2262, 4, 12), "out_of_range"),
    ("Enum8('sad' = 1)", "glad", "not_an_allowed_value"),
    ("UUID", "a0eebc99", "not_a_uuid"),
    ("FixedString(2)", "abc", "too_long"),
    ("String", b"ab", "wrong_type"),
]


def array(values: list[Any]) -> pa.Array:
    """Canonical values: instants in UTC."""
    instants = any(isinstance(value, dt.datetime) for value in values)
    return pa.array(values, INSTANT) if instants else pa.array(values)


def table(server: Clickhouse, types: list[str]) -> list[str]:
    """``customers`` with a column of each type, which may be empty; their names."""
    names = [f"x{at}" for at in range(len(types))]
    wrapped = [
        "LowCardinality(Nullable(String))" if kind.startswith("LowCardinality") else f"Nullable({kind})"
        for kind in types
    ]
    columns = ", ".join(f"{name} {kind}" for name, kind in zip(names, wrapped, strict=True))
    server.client.command(f"CREATE TABLE customers (id Int64, {columns}) ENGINE = ReplacingMergeTree ORDER BY id")
    return names


def test_values_of_a_type_arrive_and_are_no_change_again(server: Clickhouse, tmp_path: Path) -> None:
    """Compared as the table has them: what it rounds, cuts or pads is not written each time; NULL stays NULL."""
    types, given, stored = zip(*VALUES, strict=True)
    names = table(server, list(types))
    rows = {"id": [1, 2]} | {name: array([value, None]) for name, value in zip(names, given, strict=True)}
    server.run("CREATE MATERIALIZED VIEW writes ENGINE = MergeTree ORDER BY tuple() AS SELECT id FROM customers")
    for folder in ("1", "2"):
        delivery = delivered(server, tmp_path / folder, rows, settings={"timezone": "Europe/Berlin"})
        assert ([1, 2], {}) == (delivery.numbers(Outcome.DELIVERED), delivery.reasons())
    found, none = server.fetch(f"SELECT {', '.join(names)} FROM customers ORDER BY id")
    assert list(zip(types, stored, strict=True)) == list(zip(types, found, strict=True))
    assert {None} == set(none)
    assert [(2,)] == server.fetch("SELECT count(*) FROM writes")


def test_what_the_server_would_store_altered_fails_its_row_alone(server: Clickhouse, tmp_path: Path) -> None:
    """Found before it is sent, by column and reason; the row beside it is stored."""
    types, given, reasons = zip(*STORED_ALTERED, strict=True)
    names = table(server, list(types))
    count = len(names)
    rows: dict[str, Any] = {"id": [*range(count + 1)]}
    for at, (name, value) in enumerate(zip(names, given, strict=True)):
        rows[name] = array([value if place == at else None for place in range(count + 1)])
    delivery = delivered(server, tmp_path, rows)
    assert {at + 1: (reason, names[at]) for at, reason in enumerate(reasons)} == delivery.reasons()
    assert [(count,)] == server.fetch("SELECT id FROM customers")


def test_a_key_that_the_column_would_make_equal_is_refused(server: Clickhouse, tmp_path: Path) -> None:
    """Two instants within a second of a DateTime: the last one would stay, in place of both."""
    server.client.command("CREATE TABLE customers (at DateTime, n Int64) ENGINE = ReplacingMergeTree ORDER BY at")
    rows = {"at": array([AT, AT + dt.timedelta(microseconds=1)]), "n": [1, 2]}
    delivery = delivered(server, tmp_path, rows, identify_by="at")
    assert {2: ("duplicate_key", "at")} == delivery.reasons()
    assert [(1,)] == server.fetch("SELECT n FROM customers")


def test_not_a_number_is_the_same_again(server: Clickhouse, tmp_path: Path) -> None:
    """Which is equal to nothing, in SQL; zero below zero is a value of its own elsewhere, here it is zero."""
    server.client.command("CREATE TABLE customers (id Int64, x Float64) ENGINE = ReplacingMergeTree ORDER BY id")
    for folder in ("1", "2"):
        delivered(server, tmp_path / folder, {"id": [1], "x": [float("nan")]})
    assert [(1, "nan")] == server.client.query("SELECT count(), any(toString(x)) FROM customers").result_rows


def test_a_text_that_only_the_server_reads_fails_its_row_alone(server: Clickhouse, tmp_path: Path) -> None:
    """The server names no row: halves find it."""
    server.client.command("CREATE TABLE customers (id Int64, ip IPv4) ENGINE = ReplacingMergeTree ORDER BY id")
    rows = {"id": [1, 2, 3, 4], "ip": ["10.0.0.1", "nowhere", "10.0.0.3", "10.0.0.4"]}
    delivery = delivered(server, tmp_path, rows)
    assert ([2], [1, 3, 4]) == (delivery.numbers(Outcome.REFUSED), delivery.numbers(Outcome.DELIVERED))
    assert {2: ("wrong_value", "")} == delivery.reasons()
    assert [(1,), (3,), (4,)] == server.fetch("SELECT id FROM customers ORDER BY id")


@pytest.mark.parametrize("empty", ["write", "ignore"])
def test_null_is_not_a_default(server: Clickhouse, tmp_path: Path, empty: str) -> None:
    """It fails its row; with ``ignore`` where there is nothing to keep."""
    server.client.command(
        "CREATE TABLE customers (id Int64, a Int32 DEFAULT 7, b String) ENGINE = ReplacingMergeTree ORDER BY id"
    )
    rows = {"id": [1, 2, 3], "a": [1, None, 3], "b": ["x", "y", None]}
    delivery = delivered(server, tmp_path, rows, empty_values=empty)
    assert {2: ("null", "a"), 3: ("null", "b")} == delivery.reasons()
    assert [(1, 1, "x")] == server.fetch("SELECT * FROM customers")


def test_decimals_of_a_source_keep_every_digit(server: Clickhouse, tmp_path: Path) -> None:
    """Texts with all of their digits, as sources give them; a float is rounded to what the column keeps."""
    server.client.command(
        "CREATE TABLE customers (id Int64, d Decimal(38, 10)) ENGINE = ReplacingMergeTree ORDER BY id"
    )
    texts = ["0.0000000001", "-1234567890123456789012345678.0123456789", "1.00000000010"]
    schema = pa.schema([pa.field("id", pa.int64()), marked("d", "decimal")])
    batch = pa.RecordBatch.from_pydict({"id": [1, 2, 3], "d": texts}, schema=schema)
    delivery = Delivery(server, tmp_path, [batch], {"table": "customers", "identify_by": "id"})
    delivery.deliver()
    assert [] == delivery.failed()
    assert [(Decimal(text),) for text in texts] == server.fetch("SELECT d FROM customers ORDER BY id")
