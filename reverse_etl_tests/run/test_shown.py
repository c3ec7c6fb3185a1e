"""Keys and values are shown as people write them, whatever a comparison makes of them."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from reverse_etl.changeset.parts import ROW_NUMBER
from reverse_etl.config.inline import parse_sync
from reverse_etl.destinations import kind
from reverse_etl.run.shown import shown_key, shown_texts

PEOPLE = {"database": "shop", "workspace": "main", "people": {"identify_by": "id"}}
OBJECTS = {"database": "shop", "workspace": "main", "objects": {}}
TABLE = {"database": "shop", "destination": "crm", "rows": {"table": "members", "identify_by": "id"}}
WIDE = TABLE | {"rows": {"table": "members", "identify_by": ["tenant", "id"]}}


@pytest.mark.parametrize(
    ("settings", "row", "key"),
    [
        (PEOPLE, {"id": "7"}, "7"),
        (OBJECTS, {"object_id": "c 7"}, "1, c 7"),
        (TABLE, {"id": 7}, "7"),
        (WIDE, {"tenant": "x, y", "id": 7}, "x, y, 7"),
    ],
    ids=["a person", "an object", "a row", "a row with a key of two columns"],
)
def test_a_key_is_shown_as_those_that_are_gone(settings: dict[str, Any], row: dict[str, Any], key: str) -> None:
    """Without quotes, lengths or signs of the comparison's own."""
    query = f"SELECT {', '.join(row)} FROM customers"
    sync = parse_sync("members", {"schedule": "manual", "query": query} | settings)
    batch = pa.RecordBatch.from_pydict({name: [value] for name, value in row.items()} | {ROW_NUMBER: [1]})
    [found] = kind(sync.DESTINATION).as_sent(batch, sync, "rows").keys.to_pylist()
    assert key == shown_key(sync, "rows", found)


def test_a_value_is_shown_as_the_table_has_it() -> None:
    """NULL is a word of its own, what is not known is none, and a workspace's values are JSON."""
    settings = {"schedule": "manual", "query": "SELECT id, plan FROM customers"}
    batch = pa.RecordBatch.from_pydict({"id": [1, 2], "plan": [None, "pro"], ROW_NUMBER: [1, 2]})
    shown = []
    for place in (TABLE, PEOPLE):
        sync = parse_sync("members", settings | place)
        old, new = kind(sync.DESTINATION).as_sent(batch, sync, "rows").attributes["plan"].to_pylist()
        shown.append(shown_texts(sync, {"plan": (old, new), "more": (None, new)}))
    of_table = {"plan": ("null", "pro"), "more": (None, "pro")}
    assert [of_table, {"plan": (None, '"pro"'), "more": (None, '"pro"')}] == shown
