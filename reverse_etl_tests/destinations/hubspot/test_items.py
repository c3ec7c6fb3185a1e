"""Rows as HubSpot's records."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest

from reverse_etl.changeset.parts import with_row_numbers
from reverse_etl.destinations._http.fields import Field
from reverse_etl.destinations.hubspot.items import as_sent, items
from reverse_etl.errors import ConfigProblemsError
from reverse_etl.sources.base import marked
from reverse_etl_tests.destinations.hubspot.configs import sync


def numbered(columns: dict[str, Any]) -> pa.RecordBatch:
    """Rows with numbers; arrays of their own stay as they are."""
    return next(with_row_numbers([pa.record_batch(columns)]))


def properties(columns: dict[str, Any], fields: list[Field] | None = None, **section: Any) -> list[dict[str, Any]]:
    """What is sent of each row, without its key."""
    known = None if fields is None else {field.name: field for field in fields}
    found = [json.loads(item)["properties"] for item in items(numbered(columns), sync(**section), known)]
    return [{name: text for name, text in each.items() if name != "customer_no"} for each in found]


def test_every_value_is_text() -> None:
    """Empty ones are left out, or clear."""
    columns = {
        "customer_no": [1, 2],
        "a": [True, None],
        "b": [1e20, 2.0],
        "c": ["", 'x"'],
        "d": [date(2026, 1, 5), None],
    }
    assert [{"a": "true", "b": "100000000000000000000", "d": "2026-01-05"}, {"b": "2", "c": 'x"'}] == properties(
        columns
    )
    assert {"a": "", "b": "2", "c": 'x"', "d": ""} == properties(columns, empty_values="clear")[1]
    assert b'{"id":"1","properties":{"customer_no":"1",' == items(numbered(columns), sync())[0][:42]


def test_times_are_in_utc_and_days_have_none() -> None:
    """As the property has it, where it is known."""
    columns = {"customer_no": ["c1"], "at": [datetime(2026, 1, 5, 0, 0, 0, 1000, UTC)], "on": [date(2026, 1, 5)]}
    assert [{"at": "2026-01-05T00:00:00.001Z", "on": "2026-01-05"}] == properties(columns)
    fields = [Field("at", "date"), Field("on", "datetime")]
    assert [{"at": "2026-01-05", "on": "2026-01-05T00:00:00.000Z"}] == properties(columns, fields)


def test_a_json_list_is_the_options_of_a_property() -> None:
    """Other JSON is its text."""
    fields = [pa.field("customer_no", pa.string()), marked("x", "json")]
    column = pa.array(['["news","offers"]', '"news"', '{"a": 1}', "null"])
    batch = pa.RecordBatch.from_arrays([pa.array(["1", "2", "3", "4"]), column], schema=pa.schema(fields))
    found = [json.loads(item)["properties"].get("x") for item in items(next(with_row_numbers([batch])), sync())]
    assert ["news;offers", "news", '{"a": 1}', None] == found


def test_what_a_row_is_associated_with_is_no_property_and_is_compared() -> None:
    """A row whose company changed is another one."""
    config = sync(associate={"to": "companies", "identify_by": "domain_key", "column": "firm"}, gone="archive")
    batch = numbered({"customer_no": ["1", "2", "3"], "firm": ["a.io", None, "b.io"], "deleted": [False, False, True]})
    shown = [json.loads(item) for item in items(batch, config)]
    assert [{"id": "1", "properties": {"customer_no": "1"}, "associate": "a.io"},
            {"id": "2", "properties": {"customer_no": "2"}}, {"id": "3", "archive": True}] == shown  # fmt: skip
    found = as_sent(batch, config)
    assert (['"1"', '"2"', '"3"'], ['"a.io"', None, '"b.io"']) == (
        found.keys.to_pylist(), found.attributes["firm"].to_pylist()
    )  # fmt: skip
    key_alone = pa.record_batch({"customer_no": ["3"], "deleted": [True]})
    assert [b'{"id":"3","archive":true}'] == items(next(with_row_numbers([key_alone])), config)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"identify_by": "hs_object_id"}, "write: update_only"),
        ({"identify_by": "hs_object_id", "write": "add_only"}, "write: update_only"),
        ({"associate": {"to": "companies", "identify_by": "k", "column": "customer_no"}}, "beside it"),
        ({"gone_max": "5%"}, "goes with `gone`"),
        ({"object": "../x"}, "pattern"),
    ],
)
def test_keys_that_do_not_go_together_are_said(section: dict[str, Any], said: str) -> None:
    """Before anything is asked."""
    with pytest.raises((ValueError, ConfigProblemsError), match=said):
        sync(**section)
