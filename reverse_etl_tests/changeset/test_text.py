"""Columns as identifier text: the same row is said alike wherever it is named."""

from __future__ import annotations

from datetime import date
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reverse_etl.changeset.text import as_text, unix_seconds
from reverse_etl.sources.base import marked


@pytest.mark.parametrize(
    ("column", "texts"),
    [
        (pa.array([42, -7, 2**63 - 1, None]), ["42", "-7", "9223372036854775807", None]),
        (pa.array([42.0, -0.0, 0.1, 1e15, 1e20, None]), ["42", "0", "0.1", "1000000000000000", "1e+20", None]),
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
    column = pa.array(['"a@example.com"', "42", '"say \\"x\\""', "null", None])
    expected = ["a@example.com", "42", 'say "x"', "null", None]
    assert expected == as_text(column, marked("id", "json")).to_pylist()


def test_decimals_keep_their_digits() -> None:
    """All but a fraction of zeros; text that looks like a decimal is left alone."""
    column = pa.array(["42.00", "42.50", "-3.0", "0.0", "12345678901234567890123456789", "NaN", None])
    said = as_text(column, marked("id", "decimal")).to_pylist()
    assert said == ["42", "42.50", "-3", "0", "12345678901234567890123456789", "NaN", None]
    assert as_text(pa.array(["42.00"]), pa.field("id", pa.string())).to_pylist() == ["42.00"]


@given(st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999))
def test_seconds_are_rounded_down(microseconds: int) -> None:
    """Before 1970 too."""
    column = pa.array([microseconds], pa.timestamp("us", "UTC"))
    assert unix_seconds(column).to_pylist() == [microseconds // 1_000_000]


@given(st.integers(-(2**53), 2**53))
def test_a_whole_float_says_the_same_as_its_integer(number: int) -> None:
    """Engines differ in whether an id is an integer or a float; people do not."""
    said = [
        as_text(pa.array([value], kind), pa.field("id", kind))
        for value, kind in ((number, pa.int64()), (float(number), pa.float64()))
    ]
    assert said[0] == said[1]
