"""JSON without losing a digit."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverse_etl.sandbox.exact_json import dumps, item_sizes, loads

_NUMBERS = st.one_of(
    st.decimals(min_value=-(10**30), max_value=10**30, places=18).map(lambda number: f"{number:f}"),
    st.floats(allow_nan=False, allow_infinity=False).map(json.dumps),
    st.integers().map(str),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(_NUMBERS, max_size=4))
def test_every_number_comes_back_as_it_was_sent(numbers: list[str]) -> None:
    """In value, both when read and when written again."""
    sent = f"[{','.join(numbers)}]".encode()
    expected = [Decimal(number) for number in numbers]
    assert [Decimal(str(value)) for value in loads(sent)] == expected
    assert [Decimal(str(value)) for value in loads(dumps(loads(sent)))] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.30000000000000004", 0.30000000000000004),
        ("1.2345678901234567e-07", 1.2345678901234567e-07),
        ("1234567890.1234567890", Decimal("1234567890.1234567890")),
        ("9007199254740993", 9007199254740993),
        ("18446744073709551615", 18446744073709551615),
        ("18446744073709551616", Decimal(18446744073709551616)),
        ('"12345678901234567890.1.2"', "12345678901234567890.1.2"),
        ('"4111111111111111"', "4111111111111111"),
        ("1.0", 1.0),
    ],
)
def test_only_what_a_float_or_64_bits_cannot_hold_is_a_decimal(text: str, expected: Any) -> None:
    """All else is what any reader of JSON gives."""
    found = loads(text.encode())
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize("text", [b"NaN", b"[Infinity, 1.2345678901234567890]", b"", b"\xff"])
def test_what_is_no_json_is_refused(text: bytes) -> None:
    """Whichever way a body is read."""
    with pytest.raises(ValueError):
        loads(text)


def test_only_json_is_written() -> None:
    """Anything else is a defect of ours, and says its type."""
    with pytest.raises(TypeError):
        dumps({"a": object()})


@pytest.mark.parametrize(
    "body",
    [b'{"batch":[{"a":1},{"a":[1,2]}]}', b'{ "x" : [ 9 ] , "batch" : [ {"a":1} ,\n{"a":[1,2]} ] , "y" : {} }'],
)
def test_items_are_measured_as_sent(body: bytes) -> None:
    """White space between items belongs to none of them."""
    assert item_sizes(body, loads(body)["batch"], 5) == [7, 11]


def test_items_of_a_name_given_twice_are_measured_in_the_last() -> None:
    """As every reader takes the last."""
    body = b'{"batch":[1,2,3],"batch":[ "' + b"\\u0061" * 10 + b'" ]}'
    assert item_sizes(body, loads(body)["batch"], 20) == [62]
    other = b'{"batch":[ "' + b"\\u0061" * 10 + b'" ],"\\u0062atch":[5]}'
    assert item_sizes(other, loads(other)["batch"], 20) == [1]
