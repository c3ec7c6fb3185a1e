"""Columns held against the fields of a service."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from reverse_etl.changeset.parts import with_row_numbers
from reverse_etl.destinations._http.fields import (
    Field,
    kept_back,
    require_complete,
    require_fields,
    require_key,
)
from reverse_etl.errors import ConfigError

FIELDS = {
    field.name: field
    for field in (
        Field("key", "text", is_unique=True),
        Field("score", "number"),
        Field("made_at", "datetime", is_writable=False),
        Field("name", "text", is_required=True),
    )
}


def misfits(field: Field, values: Any, **how: Any) -> list[tuple[list[int], str]]:
    """Row numbers and the reason, of each fault."""
    [batch] = with_row_numbers([pa.record_batch({field.name: values})])
    found = kept_back(batch, [field], **how)
    assert {field.name} >= {each.why.field for each in found}
    return [(each.rows.to_pylist(), each.why.reason) for each in found]


@pytest.mark.parametrize(
    ("field", "values", "rows"),
    [
        (Field("x", "text", max_length=3), ["äöü", "abcd", None, ""], [2]),
        (Field("x", "text", max_length=1), [1, 10], [2]),
        (Field("x", "number"), ["1.5", "1e3", "one", "01", "", None], [3, 4]),
        (Field("x", "number"), [1.5, float("nan")], [2]),
        (Field("x", "number"), [True, None], [1]),
        (Field("x", "integer"), ["1", "1.5", "-3"], [2]),
        (Field("x", "integer"), [1.0, 1.5], [2]),
        (Field("x", "boolean"), ["true", "TRUE", "yes"], [2, 3]),
        (Field("x", "boolean"), [0, 1, 2], [3]),
        (Field("x", "boolean"), [True, None], []),
        (Field("x", "date"), ["2026-01-05", "2026-02-30", "5.1.2026", "1767571200000"], [2, 3]),
        (Field("x", "date"), [datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 1, 5, 1, tzinfo=UTC)], [2]),
        (Field("x", "date"), [86_400_000, 86_400_001, -86_400_000], [2]),
        (Field("x", "choice", options=("a", "b")), ["a", "A", "a;b", None], [2, 3]),
        (Field("x", "choices", options=("a", "b")), ["a", "a;b", ";b", "a;c", None], [4]),
        (Field("x", "choice"), ["anything"], []),
        (Field("x", "other"), [True], []),
    ],
)  # fmt: skip
def test_values_that_do_not_fit_are_found(field: Field, values: Any, rows: list[int]) -> None:
    """Empty ones fit any field."""
    found = misfits(field, values)
    assert ([rows] if rows else []) == [numbers for numbers, _ in found]


def test_a_row_has_one_fault() -> None:
    """The first of its columns; a required field counts where records are made."""
    [batch] = with_row_numbers([pa.record_batch({"a": ["x", "1", "x"], "b": ["y", "y", "2"]})])
    found = kept_back(batch, [Field("a", "number"), Field("b", "number"), Field("c", "number")])
    assert [([1, 3], "a"), ([2], "b")] == [(each.rows.to_pylist(), each.why.field) for each in found]
    required = Field("x", "text", is_required=True)
    assert [] == misfits(required, ["a", None, ""])
    assert [([2, 3], "required")] == misfits(required, ["a", None, ""], creates=True)


@pytest.mark.parametrize(
    ("require", "names", "said", "hint"),
    [
        (require_fields, ["scor"], "crm, things: there is no field scor.", "Did you mean `score`?"),
        (require_fields, ["zzz"], "crm, things: there is no field zzz.", "not labels"),
        (require_fields, ["made_at"], "crm, things: field made_at is read-only.", "Leave the column out"),
        (require_key, "score", "field score is not unique", "Set `identify_by` to one of: key."),
        (require_key, "kez", "there is no field kez", "Did you mean `key`?"),
        (require_complete, ["key"], "needs field name, which the query does not return", "update_only"),
    ],
)
def test_what_is_no_field_is_said(require: Any, names: Any, said: str, hint: str) -> None:
    """With what to change; what fits passes."""
    with pytest.raises(ConfigError) as raised:
        require(FIELDS, names, where="crm, things", word="field")
    assert said in raised.value.message
    assert hint in raised.value.hint


def test_what_fits_passes() -> None:
    """Without a word."""
    require_fields(FIELDS, ["key", "score"], where="crm", word="field")
    require_key(FIELDS, "key", where="crm", word="field")
    require_complete(FIELDS, ["key", "name"], where="crm", word="field")
