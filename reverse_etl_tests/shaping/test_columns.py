"""What each column of the destination is made of; what cannot be made is a rejected row, never another value."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reverse_etl.config.column_values import read_columns
from reverse_etl.errors import ConfigError
from reverse_etl.shaping.columns import RunFacts, with_columns
from reverse_etl.sources.base import logical_type
from reverse_etl_tests.shaping.test_where import batch

STARTED = datetime(2026, 1, 5, 1, 30, tzinfo=UTC)
FACTS = RunFacts(STARTED, "run-1", "customers")


def made(value: Any, of: pa.RecordBatch | None = None) -> tuple[list[Any], str, list[int]]:
    """A column's values, its logical type, and the numbers of the rows in which it could not be made."""
    values, problems = read_columns({"x": value})
    assert [] == problems
    found, lost = with_columns(values, batch() if of is None else of, FACTS, timezone="Europe/Berlin", of="the query")
    assert ["x"] == found.schema.names
    rows = [number for each in lost for number, bad in enumerate(each.rows.to_pylist(), start=1) if bad]
    return found.column(0).to_pylist(), logical_type(found.schema.field(0)), rows


def texts(*values: Any) -> pa.RecordBatch:
    """A batch of one text column."""
    return pa.RecordBatch.from_arrays([pa.array(values, pa.string())], names=["t"])


@pytest.mark.parametrize(
    ("value", "expected", "kind"),
    [
        ("plan", ["pro", "free", "", None], "string"),
        ({"column": "balance"}, ["0.10", "100", "12345678901234567890.000000000000000001", None], "decimal"),
        ({"value": "shop"}, ["shop"] * 4, "string"),
        ({"value": 5}, [5] * 4, "int64"),
        ({"value": 0.1}, ["0.1"] * 4, "decimal"),
        ({"value": 2**70}, [str(2**70)] * 4, "decimal"),
        ({"value": True}, [True] * 4, "bool"),
        ({"value": "2026-01-05", "as": "date"}, [date(2026, 1, 5)] * 4, "date32[day]"),
        ({"run": "started_at"}, [STARTED] * 4, "timestamp[us, tz=UTC]"),
        ({"run": "started_at", "as": "date"}, [STARTED.date()] * 4, "date32[day]"),
        ({"run": "run_id"}, ["run-1"] * 4, "string"),
        ({"run": "sync", "then": "upper"}, ["CUSTOMERS"] * 4, "string"),
        ({"join": ["plan", "visits"], "with": "-"}, ["pro-1", "free-2", str(2**63 - 1), None], "string"),
        ({"join": ["plan", "active"]}, ["pro true", "free false", "true", None], "string"),
        ({"template": "{{{plan}}} {visits}!"}, ["{pro} 1!", "{free} 2!", "{} 9223372036854775807!", None], "string"),
        ({"template": "{balance}"}, ["0.10", "100", "12345678901234567890.000000000000000001", None], "string"),
        ({"template": "{score}"}, ["0.5", "1", "nan", None], "string"),
        ({"template": "{born_on}"}, ["2026-01-01", "2026-01-02", "2026-01-03", None], "string"),
        ({"template": "{seen_at}"}, [f"2026-01-0{day}T12:00:00Z" for day in (1, 2, 3)] + [None], "string"),
        ({"column": "seen_at", "as": "text"}, [f"2026-01-0{day}T12:00:00Z" for day in (1, 2, 3)] + [None], "string"),
        ({"column": "seen_at", "as": "date"}, [date(2026, 1, day) for day in (1, 2, 3)] + [None], "date32[day]"),
        ({"column": "tags", "as": "text"}, ['["a"]', "{}", "1", None], "string"),
        ({"column": "visits", "as": "text"}, ["1", "2", str(2**63 - 1), None], "string"),
        ({"column": "visits", "as": "number"}, [1, 2, 2**63 - 1, None], "int64"),
        ({"column": "plan", "then": ["upper", "null_if_empty"]}, ["PRO", "FREE", None, None], "string"),
        ({"column": "mixed", "as": "boolean"}, [True, True, False, None], "bool"),
        ({"column": "nothing", "as": "date"}, [None] * 4, "date32[day]"),
        ({"column": "nothing", "then": "lower"}, [None] * 4, "null"),
        ({"join": ["nothing", "plan"]}, ["pro", "free", None, None], "string"),
    ],
)
def test_a_column_is_made(value: Any, expected: list[Any], kind: str) -> None:
    """Of a column, a constant, a fact, several columns."""
    assert (expected, kind, []) == made(value)


@pytest.mark.parametrize(
    ("word", "before", "after"),
    [
        ("trim", " a b ", "a b"),
        ("lower", "ÄB", "äb"),
        ("upper", "äb", "ÄB"),
        ("capitalize", "ann lee", "Ann lee"),
        ("title", "ann lee", "Ann Lee"),
        ("single_spaces", "a \t b", "a b"),
        ("digits", "+1 (555) 01-2", "1555012"),
        ("null_if_empty", "", None),
    ],
)
def test_what_is_done_to_a_text(word: str, before: str, after: str | None) -> None:
    """NULL stays NULL."""
    assert ([after, None], "string", []) == made({"column": "t", "then": word}, texts(before, None))


@pytest.mark.parametrize(
    ("into", "spelled", "expected"),
    [
        ("integer", ["1", " +2 ", "-3", str(2**63 - 1)], [1, 2, -3, 2**63 - 1]),
        ("number", ["1", " 1.50 ", "-0.1", "+7", "1e3", "007"], ["1", "1.50", "-0.1", "7", "1000", "7"]),
        ("boolean", ["true", "F", "Yes", "0", "on"], [True, False, True, False, True]),
        ("date", ["2026-01-05", "2026-01-05T23:30:00", "2026-01-05T23:30:00-02:00"], [5, 5, 6]),
        (
            "timestamp",
            ["2026-01-05T01:30:00Z", "2026-01-05 02:30", "2026-01-05T02:30:00.5+01:00", "20260105T013000Z"],
            [STARTED, STARTED, STARTED.replace(microsecond=500_000), STARTED],
        ),
        ("timestamp", ["2026-01-05"], [datetime(2026, 1, 5, tzinfo=UTC)]),
    ],
)
def test_text_becomes_another_type(into: str, spelled: list[str], expected: list[Any]) -> None:
    """Every usual spelling; a time without a zone is one of the database's."""
    if into == "date":
        expected = [date(2026, 1, day) for day in expected]
    found, _, lost = made({"column": "t", "as": into}, texts(*spelled))
    assert ([], expected) == (lost, found)


@pytest.mark.parametrize(
    ("into", "spelled"),
    [
        ("integer", ["1.5", "x", "", str(2**63), "1_0", "٣", "0x1"]),
        ("number", ["x", "", "NaN", "Infinity", "1_0", "1,5", "1e999"]),
        ("boolean", ["maybe", "", "2"]),
        ("date", ["2026-02-30", "5.1.2026", "", "soon", "20261345"]),
        ("timestamp", ["2026-02-30T00:00:00Z", "2026-01-05T25:00:00Z", "now", "", "10000-01-01T00:00:00Z"]),
    ],
)
def test_text_that_is_none_rejects_its_row(into: str, spelled: list[str]) -> None:
    """The others are made all the same."""
    for bad in spelled:
        found, _, lost = made({"column": "t", "as": into}, texts("1", bad, None) if into != "date" else texts(bad))
        assert (len(found) - 1 if into != "date" else 1) in lost or lost == [2], bad
        assert found[0 if into == "date" else 1] is None


def test_numbers_become_other_types_exactly_or_not_at_all() -> None:
    """A fraction is no integer; NaN is none; a time outside the calendar is no text."""
    assert ([None, 1, None, None], "int64", [1, 3]) == made({"column": "score", "as": "integer"})
    assert ([None, 100, None, None], "int64", [1, 3]) == made({"column": "balance", "as": "integer"})
    assert ([True, None, None, None], "bool", [2, 3]) == made({"column": "visits", "as": "boolean"})
    beyond = pa.RecordBatch.from_arrays([pa.array([2**62], pa.timestamp("us", "UTC"))], names=["t"])
    for into in ("text", "date"):
        assert [1] == made({"column": "t", "as": into}, beyond)[2]
    assert [1] == made({"template": "{t}"}, beyond)[2]


@given(st.lists(st.integers(-(2**70), 2**70) | st.none(), max_size=20))
def test_any_integer_as_text_comes_back_or_is_lost(numbers: list[int | None]) -> None:
    """64 bits, to the last one."""
    found, _, lost = made({"column": "t", "as": "integer"}, texts(*(None if n is None else str(n) for n in numbers)))
    fits = [n is None or -(2**63) <= n < 2**63 for n in numbers]
    assert [n if fit else None for n, fit in zip(numbers, fits, strict=True)] == found
    assert [place for place, fit in enumerate(fits, start=1) if not fit] == lost


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("pln", "columns.x: the query returns no column `pln`."),
        ({"join": ["plan", "nme"]}, "the query returns no column `nme`."),
        ({"column": "visits", "then": "lower"}, "column `visits` holds numbers, and then takes text."),
        ({"column": "tags", "then": "lower"}, "column `tags` holds JSON, and then takes text."),
        ({"column": "active", "as": "integer"}, "column `active` holds booleans, and it cannot be integer."),
        ({"column": "seen_at", "as": "number"}, "column `seen_at` holds date-times, and it cannot be number."),
        ({"column": "score", "as": "timestamp"}, "column `score` holds numbers, and it cannot be timestamp."),
    ],
)
def test_what_does_not_go_with_a_column_is_an_error(value: Any, message: str) -> None:
    """With the next step."""
    with pytest.raises(ConfigError) as caught:
        made(value)
    assert message in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("value", "place", "text"),
    [
        ("", "columns.x", "is empty"),
        (None, "columns.x", "is empty"),
        (5, "columns.x", "must be a column of the query"),
        ({"colum": "a"}, "columns.x.colum", "unknown key; did you mean `column`?"),
        ({"then": "trim"}, "columns.x", "has no value: add one of column, value"),
        ({"column": "a", "value": 1}, "columns.x", "has column and value: keep one of them"),
        ({"column": "a", "with": "-"}, "columns.x.with", "goes with join"),
        ({"column": "a", "then": "lowr"}, "columns.x.then", "did you mean `lower`?"),
        ({"column": "a", "then": [5]}, "columns.x.then", "must be of trim"),
        ({"column": "a", "as": "int"}, "columns.x.as", "did you mean `integer`?"),
        ({"column": 5}, "columns.x.column", "must be the name of a column"),
        ({"value": None}, "columns.x.value", "must be a text"),
        ({"value": [1]}, "columns.x.value", "must be a text"),
        ({"run": "started"}, "columns.x.run", "did you mean `started_at`?"),
        ({"join": "a"}, "columns.x.join", "must be a list of columns"),
        ({"join": ["a"], "with": 5}, "columns.x.join", "put it in quotes"),
        ({"template": "{a"}, "columns.x.template", "has a brace without its other"),
        ({"template": "{}"}, "columns.x.template", "write {first_name}"),
        ({"template": "{a:>5}"}, "columns.x.template", "write {first_name}"),
        ({"template": "a"}, "columns.x.template", "names no column"),
    ],
)
def test_a_value_that_the_grammar_does_not_have(value: Any, place: str, text: str) -> None:
    """Each is a place and a sentence."""
    found, problems = read_columns({"x": value})
    assert {} == found
    [(path, problem)] = problems
    assert place == ".".join(map(str, path))
    assert text in problem
