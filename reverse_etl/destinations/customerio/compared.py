"""What two readings of a row are compared by: the key that Customer.io knows it by, and the JSON of its attributes.

The texts are those that ``operations`` sends, so that rows are equal exactly where their operations are.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset.columns import deleted_rows, key_columns
from reverse_etl.config.streams import ROWS
from reverse_etl.destinations.customerio import operations
from reverse_etl.destinations.customerio.operations import (
    PEOPLE_IDENTIFIERS,
    attributes,
    identifier,
    ids_of_events,
    object_types,
)
from reverse_etl.destinations.powers import GONE, AsSent, KeysLike
from reverse_etl.sources.base import marked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reverse_etl.destinations.customerio.sections import RelationshipsConfig
    from reverse_etl.destinations.customerio.sync import Outgoing

_RENDERING: Final = 1
"""Of the texts; to be raised where the same value is written in another way than before."""

_DECODER: Final = json.JSONDecoder()

_LATE: Final = timedelta(days=7)

_SHAPES: Final = {
    "people": {"identify_by", "write", "empty_values", "segment"},
    "objects": {"object_type", "empty_values"},
    "events": {"identify_by"},
    "relationships": {"identify_by", "object_type", "empty_values"},
}
"""The settings of each kind that decide what is sent of a row."""


def as_sent(batch: pa.RecordBatch, sync: Outgoing, stream: str) -> AsSent:
    """The keys and attributes of a batch; an event has none but its id, because it never changes."""
    if stream != ROWS and sync.relationships is not None:
        return _relationships(batch, sync, sync.relationships)
    if sync.events is not None:
        return AsSent(ids_of_events(batch, sync.events, sync.name), {})
    texts, other = attributes(batch, sync, stream), None
    if sync.people is not None:
        keys = _person(batch, sync.people.identify_by)
    else:
        keys = _object(batch, sync.objects.object_type if sync.objects is not None else 1)
    if (gone := sync.gone(stream)) is not None:
        if sync.people is not None:
            other = _person(batch, "email" if sync.people.identify_by == "id" else "id")
        # Where another thing becomes of them than before, they alone are sent again.
        done = json.dumps([gone.action, gone.attributes], sort_keys=True)
        texts[GONE] = pc.if_else(deleted_rows(batch), done, pa.scalar(None, pa.string()))
    return AsSent(keys, texts, other, _names(batch, sync, stream))


def cleared(sync: Outgoing, stream: str) -> str | None:
    """What clears an attribute of people, objects and relationships; an event's never change."""
    return None if sync.events is not None else operations.cleared(sync, stream)


def rows_of(keys: pa.StringArray, texts: Mapping[str, pa.StringArray], sync: Outgoing, stream: str) -> pa.RecordBatch:
    """The rows of which ``as_sent`` makes these keys and texts; a text that clears an attribute becomes none."""
    columns = _columns_of(keys.to_pylist(), sync, stream)
    fields = [pa.field(name, pa.string()) for name in columns]
    for name, column in texts.items():
        identifies = stream == ROWS and sync.people is not None and name in PEOPLE_IDENTIFIERS
        columns[name] = _strings(column) if identifies else column
        fields.append(pa.field(name, pa.string()) if identifies else marked(name, "json"))
    return pa.RecordBatch.from_arrays(list(columns.values()), schema=pa.schema(fields))


def keys_like(identifier: str, sync: Outgoing, stream: str) -> KeysLike:
    """A person's or an object's, whatever its type; of relationships those of the person."""
    if stream == ROWS and sync.people is None:
        [written] = operations.identifier(pa.record_batch({"object_id": [identifier]}), "object_id")
        return KeysLike(end=f" {written}")
    section = sync.people if stream == ROWS else sync.relationships
    by = section.identify_by if section is not None else "id"
    [person] = _person(pa.record_batch({by: [identifier]}), by)
    return KeysLike(exact=(person.as_py(),)) if stream == ROWS else KeysLike(start=f"{person.as_py()} ")


def _columns_of(keys: list[str], sync: Outgoing, stream: str) -> dict[str, pa.Array]:
    """The columns of the key: what comes before and after the blanks that are in no JSON text."""
    columns: dict[str, pa.Array] = {}
    things = keys
    if stream != ROWS and sync.relationships is not None:
        # A key begins with a JSON text, which ends where it says.
        ends = [_DECODER.raw_decode(key)[1] for key in keys]
        people = [key[:end] for key, end in zip(keys, ends, strict=True)]
        columns[sync.relationships.identify_by] = _strings(pa.array(people, pa.string()))
        things = [key[end + 1 :] for key, end in zip(keys, ends, strict=True)]
    elif sync.people is not None:
        return {sync.people.identify_by: _strings(pa.array(keys, pa.string()))}
    kinds_and_ids = [thing.partition(" ") for thing in things]
    columns["object_type"] = pa.array([kind for kind, _, _ in kinds_and_ids], pa.string())
    columns["object_id"] = _strings(pa.array([written for _, _, written in kinds_and_ids], pa.string()))
    return columns


def _strings(texts: pa.StringArray) -> pa.StringArray:
    return pa.array([None if text is None else json.loads(text) for text in texts.to_pylist()], pa.string())


def identity(sync: Outgoing, stream: str) -> tuple[str, ...]:
    """What the keys are of: equal for syncs that name the same things alike."""
    if stream != ROWS and sync.relationships is not None:
        return "relationships", sync.relationships.identify_by
    return ("people", sync.people.identify_by) if sync.people is not None else (sync.kind,)


def shape(sync: Outgoing, stream: str) -> str:
    """The settings that decide how a row is written, as text."""
    kind = sync.kind if stream == ROWS else stream
    settings = getattr(sync, kind).model_dump(mode="json", include=_SHAPES[kind])
    if segment := settings.get("segment"):
        settings["segment"] = {name: segment[name] for name in ("name", "id")}
    return json.dumps({"kind": kind, "rendering": _RENDERING, **settings}, sort_keys=True)


def forgets_after_s(sync: Outgoing, stream: str) -> int | None:  # noqa: ARG001 - events have one stream
    """The age at which events are not sent any more, and a week more; people, objects and relationships may return."""
    if sync.events is None:
        return None
    return int(((sync.events.oldest or timedelta()) + _LATE).total_seconds())


def _relationships(batch: pa.RecordBatch, sync: Outgoing, config: RelationshipsConfig) -> AsSent:
    person = _person(batch, config.identify_by)
    thing = _object(batch, config.object_type)
    texts = attributes(batch, sync, "relationships")
    texts[GONE] = pc.if_else(deleted_rows(batch), "true", pa.scalar(None, pa.string()))
    owners = thing if sync.objects is not None else None
    if sync.people is not None and sync.people.identify_by == config.identify_by:
        owners = person
    keys = pc.binary_join_element_wise(person, thing, " ")
    return AsSent(keys, texts, None, _names(batch, sync, "relationships"), owners)


def _names(batch: pa.RecordBatch, sync: Outgoing, stream: str) -> list[pa.StringArray]:
    """The columns of the key, each row with the object type that it is sent with: the default may be another later."""
    key = sync.stream(stream).key
    names = key_columns(batch, sync.stream(stream))
    section = sync.relationships if stream != ROWS else sync.objects
    if section is not None:
        names[key.index("object_type")] = object_types(batch, section.object_type)
    return names


def _person(batch: pa.RecordBatch, identify_by: str) -> pa.StringArray:
    """As Customer.io compares them: e-mail addresses in any case."""
    written = identifier(batch, identify_by)
    return pc.utf8_lower(written) if identify_by == "email" else written


def _object(batch: pa.RecordBatch, default: int) -> pa.StringArray:
    return pc.binary_join_element_wise(object_types(batch, default), identifier(batch, "object_id"), " ")
