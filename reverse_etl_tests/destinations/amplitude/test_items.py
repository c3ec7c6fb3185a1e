"""Rows as Amplitude's events."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from reverse_etl.changeset.parts import with_row_numbers
from reverse_etl.config.streams import ROWS
from reverse_etl.destinations.amplitude.items import as_sent, items
from reverse_etl_tests.destinations.amplitude.configs import sync


def encoded(rows: list[dict[str, Any]], **section: Any) -> list[dict[str, Any]]:
    """The items of rows."""
    batch = next(with_row_numbers([pa.RecordBatch.from_pylist(rows)]))
    return [json.loads(item) for item in items(batch, sync(**section))]


def test_properties_are_set_once_or_unset() -> None:
    """An empty value is left out, or unsets the property where the sync says so."""
    rows = [{"user_id": "user-1", "plan": "pro", "seen": 5}, {"user_id": "user-2", "plan": None, "seen": None}]
    event = {"event_type": "$identify"}
    assert [
        {"user_id": "user-1", **event, "user_properties": {"$set": {"plan": "pro"}, "$setOnce": {"seen": 5}}},
        {"user_id": "user-2", **event, "user_properties": {"$set": {}, "$setOnce": {}, "$unset": {"plan": "-"}}},
    ] == [
        encoded(rows, set_once=["seen"])[0],
        encoded(rows, set_once=["seen"], empty_values="clear")[1],
    ]


def test_groups_are_named_by_their_kind() -> None:
    """The column with the name is called like the kind."""
    assert [
        {
            "event_type": "$groupidentify",
            "groups": {"company": "Acme"},
            "group_properties": {"$set": {"plan": "pro"}},
        }
    ] == encoded([{"company": "Acme", "plan": "pro"}], send="group_properties", group_type="company")


def test_an_event_has_one_id_for_ever() -> None:
    """By its ``event_id`` alone where it has one; otherwise by all that is sent of it."""
    row = {"user_id": "user-1", "event_type": "order_placed", "occurred_at": 1_700_000_000, "total": 5}
    [event] = encoded([row], send="events")
    assert (1_700_000_000_000, {"total": 5}) == (event["time"], event["event_properties"])
    [same, other] = encoded([row, {**row, "total": 6}], send="events")
    assert (event["insert_id"], True) == (same["insert_id"], same["insert_id"] != other["insert_id"])
    [known, changed] = encoded([{**row, "event_id": "e-1"}, {**row, "event_id": "e-1", "total": 6}], send="events")
    assert known["insert_id"] == changed["insert_id"] != event["insert_id"]


def test_what_is_compared_is_what_is_sent() -> None:
    """Users by their id and properties; an event by its id, since it never changes."""
    config = sync()
    batch = next(with_row_numbers([pa.RecordBatch.from_pylist([{"user_id": "user-1", "plan": "pro"}])]))
    found = as_sent(batch, config)
    assert (['"user-1"'], ['"pro"']) == (found.keys.to_pylist(), found.attributes["plan"].to_pylist())
    config = sync(send="events", event_type="order_placed")
    batch = next(with_row_numbers([pa.RecordBatch.from_pylist([{"user_id": "user-1", "occurred_at": 1_700_000_000}])]))
    [item] = items(batch, config)
    assert [json.loads(item)["insert_id"]] == as_sent(batch, config).keys.to_pylist()
    assert (ROWS,) == tuple(stream.name for stream in config.streams)
