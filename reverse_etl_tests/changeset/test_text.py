"""Columns as identifier text: the same row is written alike wherever it is named."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reverse_etl.changeset.text import as_text, unix_seconds
from reverse_etl.sources._arrow import canonical_field
from reverse_etl.sources._values import column
from reverse_etl.sources.base import marked


@pytest.mark.parametrize(
    ("column", "texts"),
    [
        (pa.array([42, -7, 2**63 - 1, None]), ["42", "-7", "9223372036854775807", None]),
        (pa.array([42.0, -0.0, 0.1, 1e15, None]), ["42", "0", "0.1", "1000000000000000", None]),
        (pa.array([4.2e18, 1e20, 1e-7, -1e300]), ["42" + "0" * 17, "1" + "0" * 20, "0.0000001", "-1" + "0" * 300]),
        (pa.array([float("nan"), float("inf"), -float("inf")]), ["nan", "inf", "-inf"]),
        (pa.array([True, False, None]), ["true", "false", None]),
        (pa.array(["x", "", None]), ["x", "", None]),
        (pa.array([b"ab", None]), ["6162", None]),
        (pa.array([date(2026, 1, 5), None]), ["2026-01-05", None]),
        (pa.array([1_500_000, -500_000, None], pa.timestamp("us", "UTC")), ["1", "-1", None]),
        (pa.nulls(2), [None, None]),
        (pa.array([], pa.float64()), []),
    ],
)
def test_each_type_has_one_text(column: pa.Array, texts: list[Any]) -> None:
    """Whole numbers never carry a fraction, and null stays null."""
    said = as_text(column, pa.field("id", column.type))
    assert (said.to_pylist(), said.type) == (texts, pa.string())


def test_texts_of_a_mixed_column_lose_their_quotes() -> None:
    """One number in a column of addresses changes nothing for the addresses."""
    column = pa.array(['"a@example.com"', "42", "42.0", '"42.0"', '"say \\"x\\""', None])
    expected = ["a@example.com", "42", "42", "42.0", 'say "x"', None]
    assert expected == as_text(column, marked("id", "json")).to_pylist()


def test_null_in_json_is_null() -> None:
    """Nobody is called null; a text that says so is a text. Blanks around a value of JSON are no part of it."""
    column = pa.array(["null", " null\n", '"null"', '"NULL"', ' "x" ', " 42.0 ", '" x "', "[null]", None])
    expected = [None, None, "null", "NULL", "x", "42", " x ", "[null]", None]
    assert expected == as_text(column, marked("id", "json")).to_pylist()
    assert ["null", None] == as_text(pa.array(["null", None]), pa.field("id", pa.string())).to_pylist()


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("42.00", "42"),
        ("0.50", "0.5"),
        ("10.250", "10.25"),
        ("1000.00", "1000"),
        ("1000", "1000"),
        ("-3.0", "-3"),
        ("0.0", "0"),
        ("-0.00", "0"),
        ("1E2", "100"),
        ("1.50e+3", "1500"),
        ("25E-2", "0.25"),
        ("12345678901234567890123456789.10", "12345678901234567890123456789.1"),
        ("NaN", "NaN"),
        ("1E999999999", "1E999999999"),
        (None, None),
    ],
)
def test_a_decimal_has_one_spelling(number: str | None, text: str | None) -> None:
    """All its digits, without an exponent and without zeros at the end of a fraction."""
    assert as_text(pa.array([number, "7"], pa.string()), marked("id", "decimal")).to_pylist() == [text, "7"]


def test_half_a_surrogate_pair_is_replaced() -> None:
    """A check rejects the row; what names it must still be text."""
    column = pa.array(['"sam"', '"\\ud83d!"', '"\\ud83d\\ude00"'])
    assert as_text(column, marked("id", "json")).to_pylist() == ["sam", "\ufffd!", "😀"]


def test_text_that_looks_like_a_decimal_is_left_alone() -> None:
    """A column of text is not a column of numbers."""
    assert as_text(pa.array(["42.00"]), pa.field("id", pa.string())).to_pylist() == ["42.00"]


@given(st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999))
def test_seconds_are_rounded_down(microseconds: int) -> None:
    """Before 1970 too."""
    column = pa.array([microseconds], pa.timestamp("us", "UTC"))
    assert unix_seconds(column).to_pylist() == [microseconds // 1_000_000]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_spelled_alike_whatever_stands_beside_it(number: float) -> None:
    """Alone, among floats, decimals and texts; a text that looks like the number stays a text."""
    beside = ((), (0.5, 1e300, 2.0), (Decimal("0.5"),), ("42.0", "tail"))
    made = (column([number, *others], timezone="UTC") for others in beside)
    spelled = [as_text(array, canonical_field("id", array, mark)) for array, mark in made]
    first = {texts[0].as_py() for texts in spelled}
    assert (1, "42.0") == (len(first), spelled[3][1].as_py())
    assert float(first.pop()) == number


@given(st.integers(-(2**53), 2**53))
def test_a_whole_float_says_the_same_as_its_integer(number: int) -> None:
    """Engines differ in whether an id is an integer or a float; people do not."""
    said = [
        as_text(pa.array([value], kind), pa.field("id", kind))
        for value, kind in ((number, pa.int64()), (float(number), pa.float64()))
    ]
    assert said[0] == said[1]
