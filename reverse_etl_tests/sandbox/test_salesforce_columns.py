"""A column of a job's CSV is cleaned as each of its values alone would be."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverse_etl.sandbox.base import Clock
from reverse_etl.sandbox.salesforce import values
from reverse_etl.sandbox.salesforce.columns import Heading, rows_of
from reverse_etl.sandbox.salesforce.ids import id_with_suffix, place_of, record_id, record_ids
from reverse_etl.sandbox.salesforce.org import Org, Settings
from reverse_etl.sandbox.salesforce.problems import RefusedValueError
from reverse_etl.sandbox.salesforce.schema import Field
from reverse_etl.sandbox.salesforce.writing import ABSENT

ORG = Org(Settings, Clock())
FIELDS = [
    Field("A", "string", 5),
    Field("A", "email", 20),
    Field("A", "double", precision=5, scale=2),
    Field("A", "double", precision=18),
    Field("A", "int", precision=4),
    Field("A", "boolean"),
    Field("A", "date"),
    Field("A", "datetime"),
    Field("A", "picklist", 10, options=("x", "y"), restricted=True),
    Field("A", "multipicklist", 10, options=("x", "y"), restricted=True),
]
NUMBERS = "1|-1.5|+2|1.005|999.994|999.995|1000|1e3|.5|5.| 7 |123456789012345678|0.1.2|٣"
WORDS = "true|TRUE|False|0|yes|x|x;y|x;z|y |abcde|abcdef| abcdef|a\u00a0|\u2003b|\x1c"
TIMES = "2026-01-02|2026-02-30|0001-01-01|2026-1-2|2026-01-02T03:04:05Z|2026-01-02T03:04:05.678901+01:00"
TIMES += "|2026-01-02T25:04:05Z|2026-01-02T03:04:05+0100|2026-01-02T03:04:05.6Z|9999-12-31T23:59:59-14:00"
ADDRESSES = "a@b.example|a@b|a.b@c.example|a@b@c.example|a\u00a0b@c.example|a@b..c|é@b.example|a@b.example\n"
PLAUSIBLE = "|".join((NUMBERS, WORDS, TIMES, ADDRESSES)).split("|")
texts = st.one_of(st.sampled_from(PLAUSIBLE), st.text(max_size=8)).filter(lambda text: text not in ("", "#N/A"))


def alone(field: Field, text: str) -> Any:
    """A value by itself: as it is kept, or its error."""
    try:
        return values.from_text(field, text)
    except RefusedValueError as refused:
        return refused.error


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: f"{field.type}{field.precision or ''}")
@settings(max_examples=50, deadline=None)
@given(column=st.lists(texts, max_size=12))
def test_a_column_is_cleaned_as_its_values(field: Field, column: list[str]) -> None:
    """Kept values, errors, and which type they have; empty ones are left alone wherever they stand."""
    sent = [*column, "", "#N/A"] if field.type != "boolean" else [*column, ""]
    rows = rows_of(ORG, [Heading(field)], pa.table({"A": pa.array(sent, pa.string())}))
    found = [error or value for error, value in zip(rows.errors, rows.columns["A"], strict=True)]
    expected = [alone(field, text) for text in column] + ([ABSENT, None] if field.type != "boolean" else [ABSENT])
    assert [(type(each), each) for each in expected] == [(type(each), each) for each in found]


@settings(max_examples=50, deadline=None)
@given(places=st.lists(st.integers(0, 62**8), min_size=1, max_size=20))
def test_ids_are_made_alike_one_by_one_and_by_the_column(places: list[int]) -> None:
    """And lead back to their place, with 15 characters and with 18."""
    ids = [record_id("001", place) for place in places]
    assert ids == record_ids("001", pa.array(places).to_numpy()).to_pylist()
    assert places == [place_of("001", each) for each in ids] == [place_of("001", each[:15]) for each in ids]


def test_an_id_gets_its_last_three_characters() -> None:
    """As in Salesforce's own example."""
    assert "001A0000006Vm9uIAC" == id_with_suffix("001A0000006Vm9u")
