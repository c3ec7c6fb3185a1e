from __future__ import annotations

import pickle
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverse_etl.config.document import read_document
from reverse_etl.config.environment import PlacedText
from reverse_etl.config.numbers import exact


def values_of(text: str) -> Any:
    """What a file without problems holds."""
    document = read_document(text.encode(), "a.yaml")
    assert document.problems == []
    return document.values


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("Off", "Off"),
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("007", "007"),
        ("0", 0),
        ("-12", -12),
        ("1_000", "1_000"),
        ("0x1F", "0x1F"),
        ("1:30", "1:30"),
        ("1.50", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-.inf", float("-inf")),
        ("1.2.3", "1.2.3"),
        ("2026-01-05", "2026-01-05"),
        ("2026-01-05T01:30:00Z", "2026-01-05T01:30:00Z"),
        ("'12'", "12"),
        ('"true"', "true"),
        ("!!str 12", "12"),
        ("5%", "5%"),
        ("9" * 40, "9" * 40),
    ],
)
def test_only_what_is_surely_a_number_or_a_boolean_is_one(written: str, value: object) -> None:
    """Words such as yes, dates, and numbers that would lose digits stay text."""
    found = values_of(f"key: {written}\n")["key"]

    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", ["12345678901234567890.10", "0.12345678901234567890", "1e400"])
def test_a_number_keeps_the_digits_that_a_float_loses(text: str) -> None:
    """It is a float, and a setting that needs the digits has them; copies too."""
    found = values_of(f"key: {text}\n")["key"]

    assert found == float(text)
    assert Decimal(text) == exact(found) == exact(pickle.loads(pickle.dumps(found)))  # noqa: S301 - our own


def test_keys_are_text() -> None:
    """YAML 1.1 would make a boolean of ``on`` and a number of 12."""
    assert values_of("on: 1\n12: 2\nnull: 3\n") == {"on": 1, "12": 2, "null": 3}


def test_every_key_and_item_has_its_line() -> None:
    """Lines count from 1, comments and blank lines included; a list's items have their own."""
    document = read_document(b"# top\n\na:\n  b: 1\n  c:\n    - x\n    - y: 2\n", "a.yaml")

    lines = {
        path: document.place.line_of(path)
        for path in [("a",), ("a", "b"), ("a", "c", 0), ("a", "c", 1), ("a", "c", 1, "y"), ("a", "missing")]
    }

    assert lines == {
        ("a",): 3,
        ("a", "b"): 4,
        ("a", "c", 0): 6,
        ("a", "c", 1): 7,
        ("a", "c", 1, "y"): 7,
        ("a", "missing"): 3,
    }


@pytest.mark.parametrize(
    ("written", "text_line", "block"), [("|\n  x\n", 2, True), (">\n  x\n", 2, False), ("x\n", 1, False)]
)
def test_text_knows_where_it_begins(written: str, text_line: int, block: bool) -> None:
    """A block's first line is the one after its marker."""
    place = read_document(f"query: {written}".encode(), "a.yaml").place.at("query")

    assert place is not None
    assert (place.line, place.text_line, place.block) == (1, text_line, block)


def test_text_with_a_variable_remembers_its_place() -> None:
    """Needed for the message about an unset variable; other text is plain."""
    values = values_of("a: x\nb:\n  c: ${NAME}\n")

    assert type(values["a"]) is str
    assert isinstance(values["b"]["c"], PlacedText)
    assert (values["b"]["c"].file, values["b"]["c"].line) == ("a.yaml", 3)


def test_anchors_and_merges_share_values() -> None:
    """An alias has the anchor's value and its own line; merged keys give way to written ones."""
    text = (
        "base: &base {type: sqlite, path: a}\n"
        "same: *base\n"
        "other:\n  <<: *base\n  path: b\n"
        "both:\n  <<: [*base, {x: 1}]\n"
    )
    document = read_document(text.encode(), "a.yaml")

    assert document.values == {
        "base": {"type": "sqlite", "path": "a"},
        "same": {"type": "sqlite", "path": "a"},
        "other": {"type": "sqlite", "path": "b"},
        "both": {"type": "sqlite", "path": "a", "x": 1},
    }
    assert document.place.line_of(("same",)) == 2
    assert document.place.line_of(("same", "type")) == 1
    assert document.place.line_of(("other", "path")) == 5
    assert document.place.line_of(("other", "type")) == 1
    assert document.place.line_of(("both", "x")) == 7


def test_a_byte_order_mark_is_no_part_of_the_first_key() -> None:
    """Windows editors write one."""
    assert read_document(b"\xef\xbb\xbfdatabase: shop\r\n", "a.yaml").values == {"database": "shop"}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", (1, "is empty")),
        (b"---\n...\n", (2, "is empty")),
        (b"a: 1\nb: \xff\n", (2, "is not UTF-8 text")),
        ("a: 1\n".encode("utf-16"), (1, "is not UTF-8 text")),
        (b"a: 1\nb: \x01\n", (2, "contains a control character")),
        (b'a: "\\q"\n', (1, "is not YAML: found unknown escape character while parsing a quoted scalar")),
        (b"a:\n  " + b"[" * 60 + b"]" * 60, (2, "is nested too deeply")),
        (b"a: 1\nlost\nb: 2\n", (2, "is neither a key nor a value: write `key: value`")),
        (b"a: 1\n<<: 5\n", (2, "<<: takes an alias of keys and values")),
        (b"just text\n", (1, "must be keys and values, such as `database: shop`")),
    ],
)
def test_what_cannot_be_read_is_one_problem(content: bytes, problem: tuple[int, str]) -> None:
    """Nothing is guessed from a file that cannot be read."""
    assert read_document(content, "a.yaml").problems == [problem]


def test_aliases_cannot_multiply() -> None:
    """A few lines of aliases of aliases would otherwise be gigabytes."""
    levels = "".join(f"l{level}: &l{level} [{', '.join([f'*l{level - 1}'] * 10)}]\n" for level in range(1, 12))

    document = read_document(f"l0: &l0 [x, x]\n{levels}".encode(), "a.yaml")

    assert document.problems == [(6, "aliases multiply to too many values")]


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200) | st.text(alphabet="ab:-[]{}&*!|>'\"%@#,\n\t <", max_size=60))
def test_any_text_gives_values_or_problems(text: str) -> None:
    """No file makes reading it fail; without a problem there is a mapping."""
    document = read_document(text.encode("utf-8", "surrogatepass"), "a.yaml")

    assert document.problems or isinstance(document.values, dict)
    assert all(line >= 1 for line, _ in document.problems)
