"""No value of a row stays in a message that Customer.io wrote about it."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverse_etl.destinations.base import Refusal
from reverse_etl.destinations.customerio.masking import masked_refusals, shortened
from reverse_etl_tests.destinations.customerio import by_patterns

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


def masked_refusal(reason: str, field: str, message: str, item: bytes) -> tuple[str, str, str]:
    """One refusal of one item, masked."""
    [refusal] = masked_refusals([Refusal(0, reason, field, message)], [item])
    return refusal[1:]


def masked(message: str, item: bytes) -> str:
    """A message about one item, masked."""
    return masked_refusal("", "", message, item)[2]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("ann@example.com is taken", "… is taken"),
        ("value 'pro' is not allowed", "value '…' is not allowed"),
        ("improper", "improper"),
        ("property value cannot be longer than 1000 bytes", "property value cannot be longer than 1000 bytes"),
        ("1234567 is too large", "… is too large"),
        ("'1234567' is 1234567.", "'…' is …."),
        ("ann@example.com-1234567", "…-…"),
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


@pytest.mark.parametrize(
    ("reason", "field", "expected"),
    [
        ("invalid", "email", ("invalid", "email")),
        ("invalid", "attributes.plan", ("invalid", "attributes.plan")),
        ("Ann@example.com is taken", "x", ("… is taken", "x")),
        ("pro", "ann@example.com", ("…", "…")),
        ("customer-42", "list.secret1", ("…", "list.…")),
        ("required", "identifiers.customer-42", ("required", "identifiers.…")),
        ("value_1234567", "1234567", ("value_1234567", "…")),
    ],
)
def test_reason_and_field_are_masked_as_the_message_is(reason: str, field: str, expected: tuple[str, str]) -> None:
    """A value however short, where it is all there is; Customer.io's own words and the item's attributes stay."""
    assert (*expected, "…") == masked_refusal(reason, field, "secret1", ITEM)


def test_a_value_that_reads_like_a_word_of_the_api_hides_no_reason() -> None:
    """Whoever has a plan `invalid` still sees why the row was refused."""
    item = json.dumps({"type": "person", "attributes": {"state": "invalid", "email": "email"}}).encode()
    assert ("invalid", "email", "… …") == masked_refusal("invalid", "email", "invalid email", item)


def test_names_inside_a_json_value_are_the_rows() -> None:
    """A JSON column's keys are content, whatever column names are."""
    item = json.dumps({"type": "person", "attributes": {"scores": {"bob@example.com": {"deep": [1]}}}}).encode()
    assert ("…", "scores.…", "… of scores") == masked_refusal(
        "bob@example.com", "scores.bob@example.com", "bob@example.com of scores", item
    )


@settings(max_examples=60)
@given(st.text(min_size=4, max_size=200), st.sampled_from(["reason", "field", "message"]))
def test_no_text_keeps_a_planted_value(value: str, where: str) -> None:
    """Any characters, in any of the three: whole, and before it is cut."""
    planted = f"Zq{value}Zq"
    item = json.dumps({"type": "person", "attributes": {"x": planted}}).encode()
    texts = {"reason": "odd", "field": "x", "message": "odd"} | {where: planted}
    assert "Zq" not in "".join(masked_refusal(**texts, item=item))


LETTERS = "aBk1-.'\"\\ _é\u212aςΣİß\n"
"""Few, so that values meet words; with those that are one letter but for their case, and those that JSON escapes."""

words = st.text(LETTERS, max_size=6)
leaves = words | st.integers(-99_999, 99_999) | st.floats(allow_nan=False, allow_infinity=False, width=16)
content = st.recursive(leaves, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words, inner, max_size=2))
names = words | st.sampled_from(["email", "plan", "type", "action", "attributes"])
attributes = st.dictionaries(names, content, max_size=4) | st.dictionaries(names, leaves, max_size=4)


@st.composite
def refusals(draw: st.DrawFn) -> tuple[tuple[str, str, str], bytes]:
    """A refusal that may quote what is in its item, in any case and spelling, and the item."""
    item = {"type": "person", "identifiers": {"id": draw(words)}, "action": "identify", "attributes": draw(attributes)}
    quoted = [
        text
        for value in by_patterns.values(json.loads(json.dumps(item), **by_patterns.NUMBERS))
        for text in [value, value.upper(), json.dumps(value)[1:-1]]
    ]
    piece = words | st.sampled_from([*quoted, "email", "attributes.plan", "invalid", "'", " "])
    text = st.lists(piece, max_size=5).map("".join)
    spelled = json.dumps(item, ensure_ascii=draw(st.booleans()), separators=draw(st.sampled_from([(",", ":"), None])))
    return (draw(text), draw(text), draw(text)), spelled.encode()


@settings(max_examples=100, deadline=None)
@given(st.lists(refusals(), min_size=1, max_size=6), st.booleans())
def test_refusals_are_masked_as_patterns_would(drawn: list[tuple[tuple[str, str, str], bytes]], alike: bool) -> None:
    """The same as with a regular expression for each value, whether the items are refused in the same words or not."""
    said = [Refusal(place, *drawn[0 if alike else place][0]) for place in range(len(drawn))]
    expected = [
        Refusal(place, *by_patterns.masked_refusal((reason, field, message), drawn[place][1]))
        for place, reason, field, message in said
    ]
    assert expected == masked_refusals(said, [item for _, item in drawn])


@pytest.mark.thorough
def test_letters_are_the_same_as_for_regular_expressions() -> None:
    """Every letter of Unicode that another one may be but for its case."""
    for c in map(chr, range(0x110000)):
        others = {c.lower(), c.upper(), c.upper().lower(), c.title(), c.casefold()} - {c}
        for other in (other for other in others if len(other) == 1):
            same = re.fullmatch(re.escape(c), other, re.IGNORECASE) is not None
            assert same == (masked(f"'{other}'", json.dumps({"attributes": {"x": c}}).encode()) == "'…'"), (c, other)
