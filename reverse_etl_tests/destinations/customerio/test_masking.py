"""No value of a row stays in a message that Customer.io wrote about it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverse_etl.destinations.customerio.masking import masked, shortened

ITEM = json.dumps(
    {
        "type": "person",
        "identifiers": {"id": "customer-42"},
        "action": "identify",
        "attributes": {
            "email": "Ann@example.com",
            "plan": "pro",
            "balance": 1234567,
            "note": 'a "b"\nc',
            "list": ["secret1"],
        },
    }
).encode()


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("ann@example.com is taken", "… is taken"),
        ("value 'pro' is not allowed", "value '…' is not allowed"),
        ("improper", "improper"),
        ("property value cannot be longer than 1000 bytes", "property value cannot be longer than 1000 bytes"),
        ("1234567 is too large", "… is too large"),
        ('"a \\"b\\"\\nc" is odd', '"…" is odd'),
        ("customer-42: secret1", "…: …"),
        ("two\nlines\tand  spaces", "two lines and spaces"),
        ("action identify", "action identify"),
    ],
)
def test_values_are_masked_and_the_rest_stays(message: str, expected: str) -> None:
    """Values in any case, as they are or as JSON spells them; short ones only in quotes."""
    assert expected == masked(message, ITEM)


@settings(max_examples=60)
@given(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=4, max_size=900))
def test_a_planted_value_is_never_kept(value: str) -> None:
    """However long: it is masked before the message is cut."""
    item = json.dumps({"type": "person", "attributes": {"x": f"Zq{value}"}}).encode()
    kept = masked(f"cannot take 'Zq{value}' nor Zq{value}: too odd", item)
    assert "cannot take '…' nor …: too odd" == kept


def test_long_messages_are_cut() -> None:
    """300 characters, the last of which says that there was more; other types are no message."""
    assert 300 == len(shortened("x" * 301))
    assert "x" * 300 == shortened("x" * 300)
    assert "" == shortened({"a": 1})
