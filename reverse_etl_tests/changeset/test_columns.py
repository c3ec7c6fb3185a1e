"""Which columns a result must have, which are attributes, and the fix that is shown for a missing one."""

from __future__ import annotations

import pyarrow as pa
import pytest

from reverse_etl.changeset.columns import attribute_columns, identifiers, require_columns
from reverse_etl.config.dialect import UNKNOWN
from reverse_etl.config.schedule import ScheduleConfig
from reverse_etl.config.streams import Stream
from reverse_etl.destinations.customerio.sections import EventsConfig, ObjectsConfig, PeopleConfig, RelationshipsConfig
from reverse_etl.destinations.customerio.sync import Sync
from reverse_etl.errors import ConfigError
from reverse_etl_tests.dialects import DIALECTS as SPOKEN

COLUMNS = ["id", "email", "object_id", "object_type", "name", "occurred_at", "event_id", "deleted", "plan"]


def sync(
    *, people: PeopleConfig | None = None, objects: ObjectsConfig | None = None, events: EventsConfig | None = None
) -> Sync:
    """A sync with relationships where its kind can have them."""
    return Sync(
        name="customers",
        file="syncs/customers.yaml",
        database="shop",
        workspace="main",
        schedule=ScheduleConfig(),
        people=people,
        objects=objects,
        events=events,
        query="SELECT 1",
        relationships=None if events else RelationshipsConfig(identify_by="email", query="SELECT 2"),
    )


@pytest.mark.parametrize(
    ("config", "query", "apart"),
    [
        (sync(people=PeopleConfig()), "rows", {"id"}),
        (sync(people=PeopleConfig(identify_by="email")), "rows", {"email"}),
        (sync(people=PeopleConfig()), "relationships", {"email", "object_id", "object_type", "deleted"}),
        (sync(objects=ObjectsConfig()), "rows", {"object_id", "object_type"}),
        (sync(events=EventsConfig()), "rows", {"id", "name", "occurred_at", "event_id"}),
        (sync(events=EventsConfig(name="order_placed")), "rows", {"id", "occurred_at", "event_id"}),
    ],
)
def test_all_columns_without_a_meaning_are_attributes(config: Sync, query: str, apart: set[str]) -> None:
    """Each kind sets its own columns apart; the order stays."""
    assert attribute_columns(COLUMNS, config.stream(query)) == tuple(name for name in COLUMNS if name not in apart)
    require_columns(COLUMNS, config, config.stream(query))


def test_the_identifier_is_text_and_never_null() -> None:
    """As failed rows show it."""
    batch = pa.record_batch({"plan": pa.array(["x", "y"]), "id": pa.array([42.0, None])})
    assert identifiers(batch, sync(people=PeopleConfig()).stream("rows")).to_pylist() == ["42", ""]


@pytest.mark.parametrize(
    ("names", "config", "query", "dialect", "message"),
    [
        (
            ["Email"],
            sync(people=PeopleConfig(identify_by="email")),
            "rows",
            "mysql",
            "the query returns no column `email`. Column names are case-sensitive: name `Email` with AS `email`.",
        ),
        (
            ["ID"],
            sync(people=PeopleConfig()),
            "rows",
            "snowflake",
            'the query returns no column `id`. Column names are case-sensitive: name "ID" with AS "id".',
        ),
        (
            ["objectid"],
            sync(objects=ObjectsConfig()),
            "rows",
            "tsql",
            "the query returns no column `object_id`. Select it, under another name with AS [object_id]. "
            "Did you mean [objectid] AS [object_id]?",
        ),
        (
            ["email"],
            sync(people=PeopleConfig()),
            "relationships",
            "",
            'the relationships query returns no column `object_id`. Select it, under another name with AS "object_id".',
        ),
        (
            ["id", "occurred_at"],
            sync(events=EventsConfig()),
            "rows",
            "",
            'the query returns no column `name`. Select it, under another name with AS "name", or set events.name.',
        ),
    ],
)
def test_a_missing_column_comes_with_its_fix(
    names: list[str], config: Sync, query: str, dialect: str, message: str
) -> None:
    """Sync, file, column and what to write."""
    with pytest.raises(ConfigError) as raised:
        require_columns(names, config, config.stream(query), dialect=SPOKEN.get(dialect, UNKNOWN))
    assert str(raised.value) == f"sync customers (syncs/customers.yaml): {message}"


@pytest.mark.parametrize(
    ("config", "query", "word", "refused"),
    [
        (sync(people=PeopleConfig()), "rows", "_update", True),
        (sync(people=PeopleConfig()), "rows", "_timestamp", True),
        (sync(people=PeopleConfig()), "rows", "cio_relationships", True),
        (sync(people=PeopleConfig()), "rows", "cio_id", True),
        (sync(people=PeopleConfig()), "rows", "_UPDATE", False),
        (sync(people=PeopleConfig()), "rows", "unsubscribed", False),
        (sync(people=PeopleConfig()), "rows", "relationship", False),
        (sync(people=PeopleConfig()), "relationships", "_update", True),
        (sync(people=PeopleConfig()), "relationships", "_timestamp", True),
        (sync(people=PeopleConfig()), "relationships", "object_type_id", True),
        (sync(people=PeopleConfig()), "relationships", "cio_object_id", True),
        (sync(people=PeopleConfig()), "relationships", "cio_relationships", True),
        (sync(people=PeopleConfig()), "relationships", "role", False),
        (sync(objects=ObjectsConfig()), "rows", "_update", True),
        (sync(objects=ObjectsConfig()), "rows", "_timestamp", True),
        (sync(objects=ObjectsConfig()), "rows", "cio_object_id", True),
        (sync(objects=ObjectsConfig()), "rows", "relationship", True),
        (sync(objects=ObjectsConfig()), "relationships", "_update", True),
        (sync(events=EventsConfig(name="x")), "rows", "_update", True),
        (sync(events=EventsConfig(name="x")), "rows", "_timestamp", True),
        (sync(events=EventsConfig(name="x")), "rows", "recipient", False),
    ],
)
def test_a_word_of_the_api_is_no_column(config: Sync, query: str, word: str, refused: bool) -> None:
    """Only where the API takes it for its own, and only as it spells it."""
    names = [*COLUMNS, word]
    if not refused:
        require_columns(names, config, config.stream(query))
        return
    with pytest.raises(ConfigError, match=f"column `{word}` is a word of Customer.io's API"):
        require_columns(names, config, config.stream(query))


def test_a_key_of_several_columns_of_which_none_has_a_value_is_empty() -> None:
    """The others keep theirs."""
    batch = pa.RecordBatch.from_arrays(
        [pa.array([1, None, None, 4], pa.int64()), pa.array(["a", None, "c", None], pa.string())], names=["one", "two"]
    )
    stream = Stream("rows", "", identifier=("one", "two"))
    assert ["1, a", "", "c", "4"] == identifiers(batch, stream).to_pylist()
