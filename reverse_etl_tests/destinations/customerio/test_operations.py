"""Rows become the operations that Customer.io documents, byte for byte as the golden files have them."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverse_etl.destinations.customerio import operations
from reverse_etl.destinations.customerio.operations import items, object_types
from reverse_etl.destinations.customerio.sync import Sync
from reverse_etl.sources.base import marked
from reverse_etl_tests.destinations.customerio.configs import numbered, sync

GOLDEN = Path(__file__).with_name("golden")
NOON = dt.datetime(2026, 1, 5, 12, 0, 0, 250_000, dt.UTC)

PEOPLE = numbered(
    [
        {"id": 1, "email": "ann@example.com", "plan": 'p"ro', "age": 41, "score": 0.1, "active": True,
         "balance": "12345678901234567890.10", "tags": '["a", 1]', "born": dt.date(1985, 2, 3), "seen": NOON},
        {"id": 2, "email": "", "plan": "", "age": None, "score": None, "active": None,
         "balance": None, "tags": "null", "born": None, "seen": None},
    ],
    pa.schema(
        [("id", pa.int64()), ("email", pa.string()), ("plan", pa.string()), ("age", pa.int64()),
         ("score", pa.float64()), ("active", pa.bool_()), marked("balance", "decimal"), marked("tags", "json"),
         ("born", pa.date32()), ("seen", pa.timestamp("us", "UTC"))]
    ),
)  # fmt: skip
OBJECTS = numbered(
    [
        {"object_id": "acme", "object_type": 2, "name": "Acme", "seats": 50},
        {"object_id": "7", "object_type": None, "name": None, "seats": None},
    ]
)
RELATIONSHIPS = numbered(
    [
        {"id": "1", "object_id": "acme", "object_type": "2", "deleted": 0, "role": "admin", "since": NOON},
        {"id": "2", "object_id": "acme", "object_type": "", "deleted": 1, "role": "admin", "since": None},
        {"id": "3", "object_id": "acme", "object_type": None, "deleted": None, "role": None, "since": None},
    ]
)
EVENTS = numbered(
    [
        {"email": "ann@example.com", "name": "viewed", "occurred_at": NOON, "event_id": 17, "sku": "x", "price": 2.5},
        {
            "email": "bob@example.com",
            "name": "bought",
            "occurred_at": NOON,
            "event_id": None,
            "sku": None,
            "price": None,
        },
    ]
)

CASES: dict[str, tuple[Sync, pa.RecordBatch, str]] = {
    "people": (sync(people={}), PEOPLE, "rows"),
    "people_delete": (sync(people={"empty_values": "delete"}), PEOPLE, "rows"),
    "people_update_only": (sync(people={"write": "update_only"}), PEOPLE, "rows"),
    "people_by_email_delete": (sync(people={"identify_by": "email", "empty_values": "delete"}), PEOPLE, "rows"),
    "objects": (sync(objects={"object_type": 3}), OBJECTS, "rows"),
    "objects_delete": (sync(objects={"empty_values": "delete"}), OBJECTS, "rows"),
    "relationships": (sync(people={}, relationships={"query": "SELECT 1"}), RELATIONSHIPS, "relationships"),
    "relationships_delete": (
        sync(objects={}, relationships={"query": "SELECT 1", "object_type": 2, "empty_values": "delete"}),
        RELATIONSHIPS,
        "relationships",
    ),
    "relationships_bare": (
        sync(people={}, relationships={"query": "SELECT 1"}),
        RELATIONSHIPS.select(["id", "object_id", "__row_number__"]),
        "relationships",
    ),
    "events": (sync(events={"identify_by": "email"}), EVENTS, "rows"),
    "events_named": (sync(events={"identify_by": "email", "name": 'order "placed"'}), EVENTS, "rows"),
}


@pytest.mark.parametrize("case", CASES)
def test_operations_are_those_of_the_golden_file(case: str) -> None:
    """One line an item, exactly as it is sent."""
    config, batch, query = CASES[case]
    said = b"".join(item + b"\n" for item in items(batch, config, query)).decode()
    assert (GOLDEN / f"{case}.jsonl").read_text(encoding="utf-8") == said


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {
                "id": st.integers(1, 9),
                'näme "x"': st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
                "count": st.none() | st.integers(-(2**63), 2**63 - 1),
                "flag": st.none() | st.booleans(),
            }
        ),
        min_size=1,
        max_size=8,
    )
)
def test_any_person_is_encoded_exactly(rows: list[dict[str, Any]]) -> None:
    """Reading the item back gives the row, without its empty values."""
    schema = pa.schema([("id", pa.int64()), ('näme "x"', pa.string()), ("count", pa.int64()), ("flag", pa.bool_())])
    for row, item in zip(rows, items(numbered(rows, schema), sync(people={}), "rows"), strict=True):
        attributes = {name: value for name, value in row.items() if name != "id" and value not in (None, "")}
        expected = {
            "type": "person",
            "identifiers": {"id": str(row["id"])},
            "action": "identify",
            "attributes": attributes,
        }
        assert expected == json.loads(item, parse_float=Decimal)


def test_large_batches_are_encoded_slice_by_slice_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows at the edges of slices are neither lost nor said twice."""
    monkeypatch.setattr(operations, "MAX_SLICE_ROWS", 3)
    batch = numbered([{"id": n} for n in range(10)])
    said = [json.loads(item)["identifiers"]["id"] for item in items(batch, sync(people={}), "rows")]
    assert [str(n) for n in range(10)] == said


def test_an_event_keeps_its_id_when_it_is_read_again() -> None:
    """Same sync, row key and time: same id, whatever the row's other values, place and neighbours."""
    config = sync(events={"name": "bought", "identify_by": "email"})
    row = {"email": "ann@example.com", "occurred_at": NOON, "event_id": "a1", "sku": "x"}
    first = numbered([row, {**row, "event_id": "a2"}])
    again = numbered([{**row, "event_id": "a0"}, {**row, "sku": "changed"}])
    assert _ids(first, config)[0] == _ids(again, config)[1]


@pytest.mark.parametrize("change", [{"event_id": "b"}, {"occurred_at": NOON + dt.timedelta(milliseconds=1)}])
def test_other_events_have_other_ids(change: dict[str, Any]) -> None:
    """Another key or another time is another event; so is the same row in another sync or under another name."""
    row = {"email": "ann@example.com", "occurred_at": NOON, "event_id": "a"}
    config = sync(events={"name": "bought", "identify_by": "email"})
    other_sync = config.model_copy(update={"name": "other"})
    other_name = sync(events={"name": "viewed", "identify_by": "email"})
    ids = {
        *_ids(numbered([row, {**row, **change}]), config),
        *_ids(numbered([row]), other_sync),
        *_ids(numbered([row]), other_name),
    }
    assert 4 == len(ids)


def test_without_event_id_identifier_name_and_time_tell_events_apart() -> None:
    """Another attribute, or a new one, makes no new event; another microsecond does."""
    config = sync(events={"name": "bought", "identify_by": "email"})
    row = {"email": "ann@example.com", "occurred_at": NOON, "sku": "x"}
    later = {**row, "occurred_at": NOON + dt.timedelta(microseconds=1)}
    one, changed, other = _ids(numbered([row, {**row, "sku": "y"}, later]), config)
    (wider,) = _ids(numbered([{**row, "added": 1}]), config)
    assert (True, True, False) == (one == changed, one == wider, one == other)


def test_an_event_key_tells_events_apart() -> None:
    """Its columns do, and no others."""
    config = sync(events={"name": "bought", "event_key": ["sku"]})
    row = {"id": "1", "occurred_at": NOON, "sku": "x", "price": 1}
    one, changed, other = _ids(numbered([row, {**row, "price": 2}, {**row, "sku": "y"}]), config)
    assert (True, False) == (one == changed, one == other)


@pytest.mark.parametrize(
    ("values", "field", "expected"),
    [
        ([1_767_614_400], pa.field("occurred_at", pa.int64()), [1_767_614_400]),
        ([1_767_614_400.75], pa.field("occurred_at", pa.float64()), [1_767_614_400]),
        (["1767614400.75", "x"], marked("occurred_at", "decimal"), [1_767_614_400, None]),
        ([dt.date(2026, 1, 5)], pa.field("occurred_at", pa.date32()), [1_767_571_200]),
        ([dt.datetime(1969, 12, 31, 23, 59, 59, 1, dt.UTC)], pa.field("occurred_at", pa.timestamp("us", "UTC")), [-1]),
        (["2026-01-05", "x"], pa.field("occurred_at", pa.string()), [1_767_571_200, None]),
        (["2026-01-05T12:00:00.9+00:00"], pa.field("occurred_at", pa.string()), [1_767_614_400]),
        ([2**60, None], pa.field("occurred_at", pa.int64()), [None, None]),
    ],
)
def test_event_times_are_unix_seconds(values: list[Any], field: pa.Field, expected: list[int | None]) -> None:
    """Numbers are Unix seconds, dates midnight UTC; what is no time, which checks reject, is left out."""
    batch = numbered(
        [{"id": "1", "occurred_at": value} for value in values], pa.schema([pa.field("id", pa.string()), field])
    )
    said = [json.loads(item) for item in items(batch, sync(events={"name": "x"}), "rows")]
    assert expected == [event.get("timestamp") for event in said]


def test_rows_without_an_object_type_have_the_default() -> None:
    """NULL, '' and a missing column alike."""
    batch = numbered([{"object_type": "2"}, {"object_type": ""}, {"object_type": None}])
    assert ["2", "1", "1"] == object_types(batch, 1).to_pylist()
    assert ["4"] == object_types(numbered([{"id": "1"}]), 4).to_pylist()


def _ids(batch: pa.RecordBatch, config: Sync) -> list[str]:
    return [json.loads(item)["id"] for item in items(batch, config, "rows")]
