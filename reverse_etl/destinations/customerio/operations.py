"""Rows as operations of Track API v2, one item a row. How values are written is in ``json_text``.

Source for every shape: Customer.io's Track API OpenAPI, August 2026.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset.columns import attribute_columns, deleted_rows
from reverse_etl.changeset.occurred_at import milliseconds
from reverse_etl.changeset.text import as_text, unix_seconds
from reverse_etl.config.streams import ROWS
from reverse_etl.destinations._http.json_text import Text, as_items, identifier_text, joined, json_text, members, quoted
from reverse_etl.destinations.customerio.event_keys import EVENT_ID, event_keys
from reverse_etl.destinations.customerio.removal import person_who_is_gone
from reverse_etl.destinations.customerio.ulids import event_ids
from reverse_etl.destinations.item_column import ItemColumn
from reverse_etl.destinations.item_column import joined as joined_items

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reverse_etl.destinations.customerio.sections import (
        EventsConfig,
        ObjectsConfig,
        PeopleConfig,
        RelationshipsConfig,
    )
    from reverse_etl.destinations.customerio.sync import Outgoing

_OPEN, _CLOSE = b'{"batch":[', b"]}"
ENVELOPE_BYTES: Final = len(_OPEN) + len(_CLOSE)

MAX_SLICE_ROWS: Final = 10_000
"""Rows that are encoded at once: enough to be fast, few enough that the text of a slice stays small."""

CLEARED_PERSON: Final = '""'
"""Clears an attribute of a person; the API names no other way (v1 practice)."""

CLEARED: Final = "null"
"""Clears an attribute of an object or a relationship."""

PEOPLE_IDENTIFIERS: Final = ("id", "email")


def items(
    batch: pa.RecordBatch, sync: Outgoing, stream: str, chosen: Mapping[str, pa.BooleanArray] | None = None
) -> ItemColumn:
    """Encodes each row of a batch (with ``ROW_NUMBER``) as one item, in order; as long as the batch.

    Args:
        batch: Rows that passed the checks. Others are encoded too, but Customer.io would refuse them.
        sync: The sync.
        stream: The name of one of its streams.
        chosen: Which attributes are sent, as ``powers.SendsSome`` has it; None for those that a row has.
    """
    encoded = [ItemColumn(pa.array([], pa.string()))] if not batch.num_rows else []
    for start in range(0, batch.num_rows, MAX_SLICE_ROWS):
        some = {name: marks.slice(start, MAX_SLICE_ROWS) for name, marks in (chosen or {}).items()}
        encoded.append(ItemColumn(_operations(batch.slice(start, MAX_SLICE_ROWS), sync, stream, some)))
    return ItemColumn.concatenated(encoded)


def body(items: Sequence[bytes]) -> bytes:
    """A request with these items."""
    return b"".join((_OPEN, joined_items(items), _CLOSE))


def object_types(batch: pa.RecordBatch, default: int) -> pa.StringArray:
    """Each row's object type as text: its ``object_type``, or the default where it has none."""
    index = batch.schema.get_field_index("object_type")
    if index < 0:
        return pa.array([str(default)] * batch.num_rows, pa.string())
    types = as_text(batch.column(index), batch.schema.field(index))
    return pc.if_else(pc.fill_null(pc.equal(types, ""), True), str(default), types)


def _operations(
    batch: pa.RecordBatch, sync: Outgoing, stream: str, chosen: Mapping[str, pa.BooleanArray]
) -> pa.StringArray:
    texts = _chosen(attributes(batch, sync, stream), chosen, cleared(sync, stream))
    if stream == "relationships" and sync.relationships is not None:
        return _relationships(batch, texts, sync.relationships)
    if sync.people is not None:
        return _people(batch, texts, sync.people)
    if sync.objects is not None:
        return _objects(batch, texts, sync.objects)
    if sync.events is not None:
        return _events(batch, texts, sync.events, sync=sync)
    raise TypeError(f"{sync.where} is none of people, objects, events")


def cleared(sync: Outgoing, stream: str) -> str:
    """What clears an attribute, as JSON."""
    return CLEARED_PERSON if sync.people is not None and stream != "relationships" else CLEARED


def attributes(batch: pa.RecordBatch, sync: Outgoing, stream: str) -> dict[str, pa.StringArray]:
    """The JSON text of each attribute of a batch's rows, by name and in order; null where it is left out."""
    names = attribute_columns(batch.schema.names[:-1], sync.stream(stream))
    if sync.gone(stream) is not None and stream == ROWS:
        gone = deleted_rows(batch)
        texts = _attributes(batch, names, sync)
        return {name: pc.if_else(gone, None, text) for name, text in texts.items()}
    if stream == "relationships" and sync.relationships is not None:
        texts = _texts(batch, names, cleared=CLEARED if sync.relationships.empty_values == "delete" else None)
        ended = deleted_rows(batch)
        return {name: pc.if_else(ended, None, text) for name, text in texts.items()}
    return _attributes(batch, names, sync)


def _attributes(batch: pa.RecordBatch, names: tuple[str, ...], sync: Outgoing) -> dict[str, pa.StringArray]:
    if sync.people is not None:
        return _person_attributes(batch, names, sync.people)
    if sync.objects is not None:
        return _texts(batch, names, cleared=CLEARED if sync.objects.empty_values == "delete" else None)
    return _texts(batch, names, cleared=None)


def _chosen(
    texts: dict[str, pa.StringArray], chosen: Mapping[str, pa.BooleanArray], cleared: str
) -> dict[str, pa.StringArray]:
    """The texts of what is sent, in the order of the columns; those that are cleared and have no column come last."""
    for name, marks in chosen.items():
        text = texts.get(name, pa.nulls(len(marks), pa.string()))
        sent = pc.if_else(pc.fill_null(marks, False), pc.fill_null(text, cleared), None)
        texts[name] = pc.if_else(pc.is_null(marks), text, sent)
    return texts


def _person_attributes(
    batch: pa.RecordBatch, names: tuple[str, ...], config: PeopleConfig
) -> dict[str, pa.StringArray]:
    deletes, texts = config.empty_values == "delete", {}
    for name in names:
        written = identifier(batch, name) if name in PEOPLE_IDENTIFIERS else _text(batch, name)
        # A person's id cannot be cleared: an empty one is refused (Customer.io, invalid API requests).
        texts[name] = pc.fill_null(written, CLEARED_PERSON) if deletes and name != "id" else written
    return texts


def _people(batch: pa.RecordBatch, texts: dict[str, pa.StringArray], config: PeopleConfig) -> pa.StringArray:
    attributes_of_person = members(texts, first=',"_update":true' if config.write == "update_only" else "")
    start = _identified(batch, config.identify_by)
    written = joined(*start, ',"action":"identify","attributes":{', *attributes_of_person, "}}")
    if (gone := config.when_gone) is None:
        return written
    return pc.if_else(deleted_rows(batch), joined(*start, person_who_is_gone(texts, gone, config)), written)


def _objects(batch: pa.RecordBatch, texts: dict[str, pa.StringArray], config: ObjectsConfig) -> pa.StringArray:
    identifiers = _object_identifiers(batch, config.object_type)
    start = joined('{"type":"object","identifiers":', *identifiers)
    written = joined(start, ',"action":"identify","attributes":{', *members(texts), "}}")
    if config.when_gone is None:
        return written
    return pc.if_else(deleted_rows(batch), joined(start, ',"action":"delete"}'), written)


def _relationships(
    batch: pa.RecordBatch, texts: dict[str, pa.StringArray], config: RelationshipsConfig
) -> pa.StringArray:
    ended = deleted_rows(batch)
    written: Text = pa.scalar("")
    if texts:
        written = pc.if_else(ended, "", joined(',"relationship_attributes":{', *members(texts), "}"))
    return joined(
        *_identified(batch, config.identify_by),
        pc.if_else(ended, ',"action":"delete_relationships"', ',"action":"add_relationships"'),
        ',"cio_relationships":[{"identifiers":',
        *_object_identifiers(batch, config.object_type),
        written,
        "}]}",
    )


def _events(
    batch: pa.RecordBatch, texts: dict[str, pa.StringArray], config: EventsConfig, *, sync: Outgoing
) -> pa.StringArray:
    name = _event_name(batch, config)
    seconds = unix_seconds(pc.cast(milliseconds(batch), pa.timestamp("ms", "UTC")))
    head = joined(*_identified(batch, config.identify_by), ',"action":"event","name":', pc.fill_null(name, '""'))
    timestamp = pc.fill_null(joined(',"timestamp":', pc.cast(seconds, pa.string())), "")
    tail = joined(timestamp, ',"attributes":{', *members(texts), "}}")
    return joined(head, ',"id":"', ids_of_events(batch, config, sync.name), '"', tail)


def ids_of_events(batch: pa.RecordBatch, config: EventsConfig, sync: str) -> pa.StringArray:
    """The id of each event, a ULID."""
    keys = _row_keys(batch, _event_name(batch, config), config)
    times = np.asarray(pc.fill_null(milliseconds(batch), 0).to_numpy(zero_copy_only=False), np.int64)
    return event_ids(sync, keys, times)


def _event_name(batch: pa.RecordBatch, config: EventsConfig) -> Text:
    return quoted(pa.array([config.name]))[0] if config.name else identifier(batch, "name")


def _row_keys(batch: pa.RecordBatch, name: Text, config: EventsConfig) -> list[bytes]:
    """What distinguishes a sync's events. Those with an ``event_id`` keep the ids that the first release gave them."""
    event_id = identifier(batch, EVENT_ID)
    by_id = joined("id:", pc.fill_null(name, ""), pc.fill_null(event_id, ""))
    return as_items(pc.if_else(pc.is_valid(event_id), by_id, pc.fill_null(event_keys(batch, config), "")))


def _identified(batch: pa.RecordBatch, identify_by: str) -> tuple[Text | str, ...]:
    written = pc.fill_null(identifier(batch, identify_by), '""')
    return f'{{"type":"person","identifiers":{{"{identify_by}":', written, "}"


def _object_identifiers(batch: pa.RecordBatch, default: int) -> tuple[Text | str, ...]:
    object_id = pc.fill_null(identifier(batch, "object_id"), '""')
    return '{"object_type_id":', quoted(object_types(batch, default)), ',"object_id":', object_id, "}"


def identifier(batch: pa.RecordBatch, name: str) -> pa.StringArray:
    """A column as JSON strings; null where it is empty, or is not in the result."""
    index = batch.schema.get_field_index(name)
    if index < 0:
        return pa.nulls(batch.num_rows, pa.string())
    return identifier_text(batch.column(index), batch.schema.field(index))


def _texts(batch: pa.RecordBatch, names: tuple[str, ...], *, cleared: str | None) -> dict[str, pa.StringArray]:
    texts = {name: _text(batch, name) for name in names}
    return texts if cleared is None else {name: pc.fill_null(text, cleared) for name, text in texts.items()}


def _text(batch: pa.RecordBatch, name: str) -> pa.StringArray:
    index = batch.schema.get_field_index(name)
    return json_text(batch.column(index), batch.schema.field(index))
