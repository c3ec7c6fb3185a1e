"""SQL Server's text, as the driver hands it over."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reverse_etl.sources.base import NOT_TEXT
from reverse_etl.sources.sqlserver.text import Text, readable, text


def handed_over(value: str | None) -> str | None:
    """A text as pyodbc gives it."""
    return None if value is None else value.encode("utf-16-le", "surrogatepass").decode("latin-1")


def expected(value: str | None) -> str | None:
    """What comes of it."""
    return NOT_TEXT if value and any("\ud800" <= unit <= "\udfff" for unit in value) else value


CHARACTERS = st.characters() | st.characters(categories=["Cs"]) | st.sampled_from("aé€\x7f\x80\u07ff\u0800👩")


@settings(deadline=None)
@given(st.lists(st.none() | st.text(CHARACTERS, max_size=5), max_size=9))
@example(["\ud83d", "\ude00", None])
@example(["", None, "a"])
@example([None, "é", ""])
def test_each_text_is_exactly_what_it_was(values: list[str | None]) -> None:
    """Halves of a pair that stand side by side in two rows do not become a character."""
    given = ["", *map(handed_over, values)]
    meant = [text(value) for value in given]

    found = readable(given)

    found.validate(full=True)
    assert found.to_pylist() == list(map(expected, meant))
    assert list(map(handed_over, meant)) == given


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([None, None], [None, None]),
        ([1, None, 2.5], [1, None, 2.5]),
        ([Text("12:00:00"), None], ["12:00:00", None]),
        ([handed_over("é"), 5, None, Text("x")], ["é", 5, None, "x"]),
        ([], []),
    ],
)
def test_other_values_stay_as_they_are(values: list[Any], found: list[Any]) -> None:
    """What a converter made, numbers, and text among them in a column of SQL_VARIANT."""
    assert list(readable(values)) == found
