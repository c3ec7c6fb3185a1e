"""Which rows each operator keeps, of every type; a missing value is none of them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reverse_etl.config.conditions import OPERATORS, read_condition
from reverse_etl.errors import ConfigError
from reverse_etl.shaping.where import kept
from reverse_etl.sources.base import marked

TIMES = [datetime(2026, 1, day, 12, tzinfo=UTC) for day in (1, 2, 3)]
COLUMNS = {
    "plan": (pa.field("plan", pa.string()), ["pro", "free", "", None]),
    "visits": (pa.field("visits", pa.int64()), [1, 2, 2**63 - 1, None]),
    "score": (pa.field("score", pa.float64()), [0.5, 1.0, float("nan"), None]),
    "balance": (marked("balance", "decimal"), ["0.10", "100", "12345678901234567890.000000000000000001", None]),
    "active": (pa.field("active", pa.bool_()), [True, False, True, None]),
    "seen_at": (pa.field("seen_at", pa.timestamp("us", "UTC")), [*TIMES, None]),
    "born_on": (pa.field("born_on", pa.date32()), [*(at.date() for at in TIMES), None]),
    "tags": (marked("tags", "json"), ['["a"]', "{}", "1", None]),
    "mixed": (marked("mixed", "json"), ['"yes"', "1", "false", "null"]),
    "nothing": (pa.field("nothing", pa.null()), [None] * 4),
}


def batch() -> pa.RecordBatch:
    """Four rows with a column of every type; the last has no value."""
    fields = [field for field, _ in COLUMNS.values()]
    arrays = [pa.array(values, field.type) for field, values in COLUMNS.values()]
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def rows(where: dict[str, Any], of: pa.RecordBatch | None = None) -> list[int]:
    """The numbers of the rows that are kept, from 1."""
    condition, problems = read_condition(where)
    assert [] == problems
    assert condition is not None
    found = kept(condition, batch() if of is None else of)
    assert 0 == found.null_count
    return [number for number, value in enumerate(found.to_pylist(), start=1) if value]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"plan": "pro"}, [1]),
        ({"plan": {"is": ""}}, [3]),
        ({"plan": {"is_not": "free"}}, [1, 3, 4]),
        ({"plan": {"one_of": ["pro", "team"]}}, [1]),
        ({"plan": {"not_one_of": ["pro", "team"]}}, [2, 3, 4]),
        ({"plan": {"contains": "r"}}, [1, 2]),
        ({"plan": {"does_not_contain": "r"}}, [3, 4]),
        ({"plan": {"starts_with": "p"}}, [1]),
        ({"plan": {"ends_with": "ee"}}, [2]),
        ({"plan": {"at_least": "g"}}, [1]),
        ({"plan": {"exists": True}}, [1, 2, 3]),
        ({"plan": {"exists": False}}, [4]),
        ({"plan": {"is_empty": True}}, [3, 4]),
        ({"plan": {"is_empty": False}}, [1, 2]),
        ({"visits": 2}, [2]),
        ({"visits": {"is": 2.0}}, [2]),
        ({"visits": {"is": 2.5}}, []),
        ({"visits": {"at_least": 1.5}}, [2, 3]),
        ({"visits": {"more_than": 1.5}}, [2, 3]),
        ({"visits": {"less_than": 1.5}}, [1]),
        ({"visits": {"at_most": 1.5}}, [1]),
        ({"visits": {"at_least": 2**63 - 1}}, [3]),
        ({"visits": {"more_than": 2**70}}, []),
        ({"visits": {"less_than": 2**70}}, [1, 2, 3]),
        ({"visits": {"is_not": 2**70}}, [1, 2, 3, 4]),
        ({"visits": {"between": [1, 2]}}, [1, 2]),
        ({"visits": {"not_between": [1, 2]}}, [3, 4]),
        ({"visits": {"one_of": [1, 2.5, 2**70]}}, [1]),
        ({"score": {"at_most": 1}}, [1, 2]),
        ({"score": {"is_not": 1}}, [1, 3, 4]),
        ({"score": {"one_of": [0.5, 2]}}, [1]),
        ({"balance": 0.1}, [1]),
        ({"balance": {"more_than": Decimal("12345678901234567890")}}, [3]),
        ({"balance": {"is": Decimal("12345678901234567890.000000000000000001")}}, [3]),
        ({"balance": {"one_of": [100, 0.10]}}, [1, 2]),
        ({"balance": {"less_than": Decimal("1e-60")}}, []),
        ({"active": True}, [1, 3]),
        ({"active": {"is_not": True}}, [2, 4]),
        ({"active": {"is_true": True}}, [1, 3]),
        ({"active": {"is_false": True}}, [2]),
        ({"active": {"is_false": False}}, [1, 3, 4]),
        ({"seen_at": {"after": "2026-01-02"}}, [2, 3]),
        ({"seen_at": {"on_or_before": "2026-01-02T13:00:00+01:00"}}, [1, 2]),
        ({"seen_at": {"is": "2026-01-02T12:00:00Z"}}, [2]),
        ({"seen_at": {"between": ["2026-01-01", "2026-01-02T12:00:00Z"]}}, [1, 2]),
        ({"born_on": {"before": "2026-01-02"}}, [1]),
        ({"born_on": {"on_or_after": date(2026, 1, 2)}}, [2, 3]),
        ({"born_on": {"one_of": ["2026-01-01", "2026-01-03"]}}, [1, 3]),
        ({"tags": {"exists": True}}, [1, 2, 3]),
        ({"nothing": {"is": 1}}, []),
        ({"nothing": {"is_not": "x"}}, [1, 2, 3, 4]),
        ({"nothing": {"is_empty": True}}, [1, 2, 3, 4]),
        ({"plan": "pro", "visits": 1}, [1]),
        ({"plan": {"starts_with": "p", "ends_with": "x"}}, []),
        ({"any": [{"plan": "pro"}, {"visits": 2}]}, [1, 2]),
        ({"any": {"plan": "pro", "visits": 2}}, [1, 2]),
        ({"all": [{"plan": "pro"}, {"visits": 2}]}, []),
        ({"not": {"plan": "pro", "visits": 2}}, [1, 2, 3, 4]),
        ({"not": [{"plan": "pro"}, {"visits": 2}]}, [3, 4]),
        ({"not": {"any": [{"plan": "pro"}, {"plan": {"is_empty": True}}]}}, [2]),
    ],
)
def test_an_operator_keeps(where: dict[str, Any], expected: list[int]) -> None:
    """Each type exactly; what is negated holds for a missing value."""
    assert expected == rows(where)


@pytest.mark.parametrize(
    ("where", "message", "hint"),
    [
        ({"plan": 5}, "where.plan.is: column `plan` holds text, and the value is a number.", "quotes"),
        ({"visits": {"at_least": "5"}}, "where.visits.at_least: column `visits` holds numbers", "without quotes"),
        ({"balance": {"is": "5"}}, "column `balance` holds numbers, and the value is text.", "without quotes"),
        ({"active": "true"}, "column `active` holds booleans, and the value is text.", "true or false"),
        ({"visits": True}, "column `visits` holds numbers, and the value is a boolean.", ""),
        ({"plan": {"is_true": True}}, "is_true takes booleans", "is: ..."),
        ({"visits": {"contains": "1"}}, "contains takes text", "text"),
        ({"visits": {"does_not_contain": "1"}}, "does_not_contain takes text", "text"),
        ({"plan": {"after": "2026-01-01"}}, "after takes dates and times", "at_least"),
        ({"seen_at": 5}, "column `seen_at` holds date-times, and the value is a number", "2026-01-05"),
        ({"seen_at": {"after": "soon"}}, "holds date-times, and the value is none", "2026-01-05T01:30:00Z"),
        ({"seen_at": {"after": "2026-01-01T00:00:00"}}, "the value has no time zone", "Z for UTC"),
        ({"born_on": {"after": "2026-01-01T00:00:00Z"}}, "holds dates, and the value is none", "2026-01-05"),
        ({"tags": {"is": "a"}}, "holds JSON, which only exists and is_empty can test", "Select the part"),
        ({"pln": "a"}, "where: the query returns no column `pln`.", "Did you mean `plan`?"),
        ({"PLAN": "a"}, "where: the query returns no column `PLAN`.", "Did you mean `plan`?"),
    ],
)
def test_what_does_not_go_with_a_column_is_an_error(where: dict[str, Any], message: str, hint: str) -> None:
    """Never a silent false."""
    with pytest.raises(ConfigError) as caught:
        rows(where)
    assert message in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("where", "place", "text"),
    [
        ({}, "where", "is empty"),
        ([], "where", "is empty"),
        ("plan", "where", "must be conditions by column"),
        ({"plan": {"start_with": "a"}}, "where.plan.start_with", "unknown operator; did you mean `starts_with`?"),
        ({"plan": {"in": ["a"]}}, "where.plan.in", "did you mean `one_of`?"),
        ({"plan": {"quux": "a"}}, "where.plan.quux", "unknown operator; known are: is, is_not"),
        ({"plan": ["a"]}, "where.plan", "write `{one_of: [...]}`"),
        ({"plan": None}, "where.plan", "write `{exists: false}`"),
        ({"plan": {}}, "where.plan", "is empty"),
        ({"plan": {"is": None}}, "where.plan.is", "is empty"),
        ({"plan": {"is": {}}}, "where.plan.is", "must be a plain value"),
        ({"plan": {"one_of": "a"}}, "where.plan.one_of", "must be a list"),
        ({"plan": {"one_of": []}}, "where.plan.one_of", "must be a list"),
        ({"plan": {"one_of": ["a", 1]}}, "where.plan.one_of", "mixes"),
        ({"plan": {"between": [1]}}, "where.plan.between", "two values"),
        ({"plan": {"between": [2, 1]}}, "where.plan.between", "swap the two"),
        ({"plan": {"contains": 1}}, "where.plan.contains", "put it in quotes"),
        ({"plan": {"contains": ""}}, "where.plan.contains", "is empty"),
        ({"plan": {"exists": "yes"}}, "where.plan.exists", "true or false"),
        ({"plan": {"at_least": True}}, "where.plan.at_least", "takes no boolean"),
        ({"plan": {"after": 5}}, "where.plan.after", "takes a date"),
        ({"plan": {"is": float("inf")}}, "where.plan.is", "plain value"),
        ({"any": []}, "where.any", "is empty"),
        ({"any": [{"a": {"x": 1}}]}, "where.any.0.a.x", "unknown operator"),
        ({"not": "a"}, "where.not", "must be conditions by column"),
        ({5: "a"}, "where", "must be text"),
    ],
)
def test_a_condition_that_the_grammar_does_not_have(where: Any, place: str, text: str) -> None:
    """Each is a place and a sentence."""
    _, problems = read_condition(where)
    [(path, problem)] = problems
    assert place == ".".join(map(str, path))
    assert text in problem


def test_all_problems_are_found_at_once() -> None:
    """Not only the first."""
    _, problems = read_condition({"a": {"iz": 1}, "any": [{"b": []}, {"c": {"exists": 1}}]})
    assert 3 == len(problems)


@given(st.lists(st.one_of(st.none(), st.sampled_from(["a", "ab", "b", ""])), max_size=8), st.sampled_from(["a", "b"]))
def test_what_is_negated_keeps_the_other_rows(values: list[str | None], text: str) -> None:
    """A row is kept by an operator or by its opposite, never by both or neither."""
    of = pa.RecordBatch.from_arrays([pa.array(values, pa.string())], names=["x"])
    pairs = (("is", "is_not", text), ("one_of", "not_one_of", [text]), ("contains", "does_not_contain", text))
    for operator, opposite, value in pairs:
        both = rows({"x": {operator: value}}, of) + rows({"x": {opposite: value}}, of)
        assert list(range(1, len(values) + 1)) == sorted(both)
        assert rows({"x": {opposite: value}}, of) == rows({"not": {"x": {operator: value}}}, of)


def test_there_is_an_opposite_for_each_operator_of_the_field() -> None:
    """Those that other tools' filters have."""
    assert {"is_not", "not_one_of", "does_not_contain", "not_between", "before", "is_empty", "exists"} <= {*OPERATORS}
