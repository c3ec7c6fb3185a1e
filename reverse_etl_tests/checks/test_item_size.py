"""The size that the check works out and the size of the item that would be sent."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverse_etl.changeset.parts import ROW_NUMBER
from reverse_etl.destinations.customerio.operations import items
from reverse_etl.destinations.customerio.rules.sizes import item_bytes
from reverse_etl.destinations.customerio.sections import ObjectsConfig, PeopleConfig
from reverse_etl.destinations.customerio.sync import Sync
from reverse_etl.sources.base import marked
from reverse_etl_tests.checks.conformance import EVENTS, MEMBERSHIPS, OBJECTS, PEOPLE, sync

TOO_MANY = 260
"""How far the worked-out size may lie above the real one."""


def batch_of(text: str, number: float) -> pa.RecordBatch:
    """A row with a column of every type, that every kind of sync can send."""
    fields = [
        pa.field("id", pa.int64()),
        pa.field("object_id", pa.string()),
        pa.field("name", pa.string()),
        pa.field("occurred_at", pa.timestamp("us", "UTC")),
        pa.field('te"xt', pa.string()),
        pa.field("float", pa.float64()),
        marked("json", "json"),
        marked("decimal", "decimal"),
        pa.field("flag", pa.bool_()),
        pa.field("day", pa.date32()),
        pa.field("empty", pa.string()),
        pa.field(ROW_NUMBER, pa.int64()),
    ]
    now = datetime(2026, 1, 5, tzinfo=UTC)
    values = [42, "acme", "order_placed", now, text, number, '{"a": [1]}', "1.50", True, date(2026, 1, 5), None, 1]
    columns = [pa.array([value], field.type) for value, field in zip(values, fields, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))


@pytest.mark.parametrize(
    ("config", "query"),
    [
        (PEOPLE, "rows"),
        (sync(people=PeopleConfig(empty_values="delete")), "rows"),
        (OBJECTS, "rows"),
        (sync(objects=ObjectsConfig(empty_values="delete")), "rows"),
        (EVENTS, "rows"),
        (MEMBERSHIPS, "relationships"),
    ],
)
@settings(max_examples=25, deadline=None)
@given(text=st.text(max_size=40), number=st.floats(allow_nan=False, allow_infinity=False))
def test_the_size_is_never_too_small_and_hardly_too_large(config: Sync, query: str, text: str, number: float) -> None:
    """Whatever the text, escapes included."""
    batch = batch_of(text, number)
    settings_of = config.people or config.objects
    delete = query == "rows" and settings_of is not None and settings_of.empty_values == "delete"
    real = len(items(batch, config, query)[0])
    worked_out = int(item_bytes(batch, delete=delete)[0])
    assert real <= worked_out <= real + TOO_MANY
