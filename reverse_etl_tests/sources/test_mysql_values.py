"""Columns as MySQL sends them, made canonical; the values that a MariaDB cannot be brought to send."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from reverse_etl.sources._instants import values as python_values
from reverse_etl.sources.base import BATCH_BYTES, BATCH_ROWS, NO_DATE, NOT_TEXT, OUTSIDE_YEARS, logical_type
from reverse_etl.sources.mysql.pile import Pile
from reverse_etl.sources.mysql.types import Kind, kinds
from reverse_etl.sources.mysql.values import batch
from reverse_etl.sources.mysql.wire import Field, Row


def read(values: list[bytes | None], kind: Kind, *, timezone: str = "Europe/Berlin") -> tuple[str, list[object]]:
    """The logical type and the values of one column."""
    made = batch([pa.array(values, pa.binary())], ["value"], [kind], timezone=timezone)
    return logical_type(made.schema.field(0)), python_values(made.column(0))


def test_mysqls_json_is_json() -> None:
    """MariaDB has no such type on the wire."""
    (kind,) = kinds([Field("doc", 245, 0, 63, 0)], tinyint1_is_boolean=False)

    assert read([b'{"a": 1.10}', None], kind) == ("json", ['{"a": 1.10}', None])


def test_text_that_is_not_utf8_spoils_no_other_row() -> None:
    """A table filled with the wrong character set holds whatever was put in."""
    assert read([b"Zo\xeb", b"Zoe", None], Kind.TEXT) == ("string", [NOT_TEXT, "Zoe", None])


def test_bits_come_as_bytes_or_digits() -> None:
    """MySQL and tables send bytes; MariaDB's expressions send digits, and say so."""
    column, expression = (Field("b", 16, flags, 63, 8) for flags in (32, 160))

    assert kinds([column, expression], tinyint1_is_boolean=False) == [Kind.BITS, Kind.COMPUTED_BITS]
    assert read([b"1", b"\x00"], Kind.BITS) == ("int64", [49, 0])
    assert read([b"1", b"\xff", None], Kind.COMPUTED_BITS) == ("int64", [1, 255, None])
    assert read([b"\x01", b"1", b"\x00", b"0", None], Kind.BIT) == ("bool", [True, True, False, False, None])


def test_types_of_later_versions_are_text_or_bytes() -> None:
    """What is not known is distinguished by its character set."""
    fields = [Field("a", 243, 0, 45, 0), Field("b", 243, 0, 63, 0)]

    assert kinds(fields, tinyint1_is_boolean=False) == [Kind.TEXT, Kind.BINARY]


_DATES = (
    st.dates() | st.sampled_from(["0000-00-00", "2024-00-00", "2024-13-01", "2023-02-29", "0000-13-01"]) | st.none()
)


@settings(max_examples=50, deadline=None)
@given(st.lists(_DATES, min_size=1))
def test_one_day_that_is_none_changes_no_other(values: list[date | str | None]) -> None:
    """Each date is the same day, alone or among any others; a word for what is no day."""
    said = [None if value is None else str(value).encode() for value in values]
    _, found = read(said, Kind.DATE)

    assert found == [NO_DATE if isinstance(value, str) else value for value in values]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 30)) | st.none(), min_size=1))  # noqa: DTZ001
def test_instants_keep_their_microseconds(values: list[datetime | None]) -> None:
    """TIMESTAMP as it comes in UTC, with as many digits as the column has."""
    said = [None if value is None else str(value).encode() for value in values]

    _, found = read(said, Kind.INSTANT)

    assert found == [None if value is None else value.replace(tzinfo=UTC) for value in values]


def test_the_year_zero_is_a_year() -> None:
    """MySQL keeps days of it, which no check lets pass."""
    logical, found = read([b"0000-01-01", b"0000-02-30"], Kind.DATE)

    assert (logical, found) == ("date32[day]", [OUTSIDE_YEARS, NO_DATE])


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.lists(st.none() | st.binary(max_size=20), min_size=2, max_size=2), max_size=200), st.integers(0, 300)
)
def test_a_pile_gives_back_what_it_took(rows: list[list[bytes | None]], limit: int) -> None:
    """In order, and never more than the limit."""
    pile = Pile(2, limit=limit)
    given_rows: list[Row] = [tuple(row) for row in rows]
    at = 0
    while (room := pile.room) and at < len(given_rows):
        pile.add(given_rows[at : at + room])
        at += room
    columns = pile.take()

    expected = given_rows[:limit]
    assert list(zip(*(column.to_pylist() for column in columns), strict=True)) == expected
    assert pile.rows == 0


def test_a_pile_is_full_by_rows_or_bytes() -> None:
    """Rows that grow suddenly make a batch longer by one portion at most."""
    narrow, wide = Pile(1, limit=None), Pile(1, limit=None)
    while room := narrow.room:
        narrow.add([(b"x",)] * room)
    for _ in range(10):
        wide.add([(b"x",)] * wide.room)
    while room := wide.room:
        wide.add([(bytes(20_000),)] * room)

    assert narrow.rows == BATCH_ROWS
    assert wide.take()[0].nbytes < 2 * BATCH_BYTES
