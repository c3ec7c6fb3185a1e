"""A column's JSON says exactly the column's values."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal

import orjson
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverse_etl.destinations._http.json_text import identifier_text, json_text, quoted
from reverse_etl.sources.base import marked

UTC = dt.UTC
MICROSECONDS = pa.timestamp("us", "UTC")
TEXTS = st.text(st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from('"\\\n\x00\x1f\x7f\u2028')))


@settings(max_examples=60)
@given(st.lists(st.none() | TEXTS, max_size=20), st.integers(0, 5))
def test_any_text_becomes_the_json_string_that_orjson_writes(texts: list[str | None], start: int) -> None:
    """Byte for byte, nulls stay, and slices of a column say their own rows alone."""
    column = pa.array(texts, pa.string()).slice(min(start, len(texts)))
    expected = [None if text is None else orjson.dumps(text).decode() for text in column.to_pylist()]
    assert expected == quoted(column).to_pylist()


@settings(max_examples=60)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=20))
def test_floats_come_back_exactly(floats: list[float]) -> None:
    """The shortest JSON that is the same float."""
    said = json_text(pa.array(floats, pa.float64()), pa.field("x", pa.float64()))
    assert floats == [float(json.loads(text)) for text in said.to_pylist()]


@pytest.mark.parametrize(
    ("values", "field", "expected"),
    [
        ([True, False, None], pa.field("x", pa.bool_()), ["true", "false", None]),
        ([2**63 - 1, -(2**63), None], pa.field("x", pa.int64()), ["9223372036854775807", "-9223372036854775808", None]),
        ([1.5, 42.0, 1e300], pa.field("x", pa.float64()), ["1.5", "42", "1e+300"]),
        (["12345678901234567890123.456789", "-0.10", "1E+5", None], marked("x", "decimal"),
         ["12345678901234567890123.456789", "-0.10", "1E+5", None]),
        (["NaN", "Infinity", "007", ""], marked("x", "decimal"), ['"NaN"', '"Infinity"', '"007"', None]),
        (['{"a": [1, null]}', "null", " null ", '""', "", "[]", None], marked("x", "json"),
         ['{"a": [1, null]}', None, None, None, None, "[]", None]),
        (['1},{"type":"person"', "{"], marked("x", "json"), ['"1},{\\"type\\":\\"person\\""', '"{"']),
        ([dt.datetime(2026, 1, 5, 1, 30, 0, 999_999, UTC), None], pa.field("x", MICROSECONDS), ["1767576600", None]),
        ([dt.datetime(1969, 12, 31, 23, 59, 59, 500_000, UTC)], pa.field("x", MICROSECONDS), ["-1"]),
        ([dt.date(1970, 1, 2), dt.date(1, 1, 1), None], pa.field("x", pa.date32()), ["86400", "-62135596800", None]),
        (["", "a", None], pa.field("x", pa.string()), [None, '"a"', None]),
        ([None, None], pa.field("x", pa.null()), [None, None]),
        ([float("nan"), float("-inf")], pa.field("x", pa.float64()), ['"nan"', '"-inf"']),
        ([b"\x01\xff"], pa.field("x", pa.binary()), ['"01ff"']),
    ],
)  # fmt: skip
def test_each_type_has_its_json(values: list[object], field: pa.Field, expected: list[str | None]) -> None:
    """As the specification's table of values says; null where the value is empty; always valid JSON."""
    said = json_text(pa.array(values, field.type), field).to_pylist()
    assert expected == said
    for text in said:
        assert text is None or json.loads(text, parse_float=Decimal) is not None


def test_identifiers_are_text_whatever_their_type() -> None:
    """42 is "42", whether integer, whole float or decimal; empty ones are null."""
    for values, field in (([42], pa.field("id", pa.int64())), ([42.0], pa.field("id", pa.float64()))):
        assert ['"42"'] == identifier_text(pa.array(values, field.type), field).to_pylist()
    assert ['"42"'] == identifier_text(pa.array(["42.00"]), marked("id", "decimal")).to_pylist()
    assert ['"a\\"b"', None, None] == identifier_text(
        pa.array(['a"b', "", None]), pa.field("id", pa.string())
    ).to_pylist()
