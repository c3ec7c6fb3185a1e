"""Rows as operations of Track API v2, one item a row. How values are written is in ``json_text``.

Source for every shape: Customer.io's Track API OpenAPI, August 2026.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset.columns import attribute_columns
from reverse_etl.changeset.occurred_at import occurred_at
from reverse_etl.changeset.text import as_text, unix_seconds
from reverse_etl.destinations.customerio.event_keys import EVENT_ID, event_keys
from reverse_etl.destinations.customerio.json_text import identifier_text, json_text, quoted
from reverse_etl.destinations.customerio.ulids import event_ids
from reverse_etl.sources.base import logical_type

if TYPE_CHECKING:
    from reverse_etl.destinations.customerio.sync import (
        EventsConfig,
        ObjectsConfig,
        Outgoing,
        PeopleConfig,
        RelationshipsConfig,
    )

MAX_SLICE_ROWS: Final = 10_000
"""Rows that are encoded at once: enough to be fast, few enough that the text of a slice stays small."""

_CLEARED_PERSON: Final = '""'
"""Clears an attribute of a person; the API names no other way (v1 practice)."""

_CLEARED: Final = "null"
"""Clears an attribute of an object or a relationship."""

_PEOPLE_IDENTIFIERS: Final = ("id", "email")

_MOST_SECONDS: Final = 2**43
"""Beyond any year that a check lets through, and still exact in milliseconds."""

_Text: TypeAlias = "pa.StringArray | pa.StringScalar"


def items(batch: pa.RecordBatch, sync: Outgoing, stream: str) -> list[bytes]:
    """Encodes each row of a batch (with ``ROW_NUMBER``) as one item, in order; as long as the batch.

    Args:
        batch: Rows that passed the checks. Others are encoded too, but Customer.io would refuse them.
        sync: The sync.
        stream: The name of one of its streams.
    """
    encoded: list[bytes] = []
    for start in range(0, batch.num_rows, MAX_SLICE_ROWS):
        encoded += _split(_operations(batch.slice(start, MAX_SLICE_ROWS), sync, stream))
    return encoded


def object_types(batch: pa.RecordBatch, default: int) -> pa.StringArray:
    """Each row's object type as text: its ``object_type``, or the default where it has none."""
    index = batch.schema.get_field_index("object_type")
    if index < 0:
        return pa.array([str(default)] * batch.num_rows, pa.string())
    types = as_text(batch.column(index), batch.schema.field(index))
    return pc.if_else(pc.fill_null(pc.equal(types, ""), True), str(default), types)


def _operations(batch: pa.RecordBatch, sync: Outgoing, stream: str) -> pa.StringArray:
    attributes = attribute_columns(batch.schema.names[:-1], sync.stream(stream))
    if stream == "relationships" and sync.relationships is not None:
        return _relationships(batch, attributes, sync.relationships)
    if sync.people is not None:
        return _people(batch, attributes, sync.people)
    if sync.objects is not None:
        return _objects(batch, attributes, sync.objects)
    if sync.events is not None:
        return _events(batch, attributes, sync.events, sync=sync)
    raise TypeError(f"{sync.where} is none of people, objects, events")


def _people(batch: pa.RecordBatch, names: tuple[str, ...], config: PeopleConfig) -> pa.StringArray:
    members = _members(batch, names, cleared=_CLEARED_PERSON if config.empty_values == "delete" else None)
    for other in set(_PEOPLE_IDENTIFIERS) & set(names):
        written = _identifier(batch, other)
        # A person's id cannot be cleared: an empty one is refused (Customer.io, invalid API requests).
        cleared = config.empty_values == "delete" and other != "id"
        members[names.index(other)] = _member(other, pc.fill_null(written, _CLEARED_PERSON) if cleared else written)
    if config.write == "update_only":
        members.insert(0, pa.scalar(',"_update":true'))
    start = _identified(batch, config.identify_by)
    return _join(*start, ',"action":"identify","attributes":{', _comma(members), "}}")


def _objects(batch: pa.RecordBatch, names: tuple[str, ...], config: ObjectsConfig) -> pa.StringArray:
    members = _members(batch, names, cleared=_CLEARED if config.empty_values == "delete" else None)
    identifiers = _object_identifiers(batch, config.object_type)
    return _join(
        '{"type":"object","identifiers":', *identifiers, ',"action":"identify","attributes":{', _comma(members), "}}"
    )


def _relationships(batch: pa.RecordBatch, names: tuple[str, ...], config: RelationshipsConfig) -> pa.StringArray:
    ended = _ended(batch)
    attributes: _Text = pa.scalar("")
    if names:
        members = _members(batch, names, cleared=_CLEARED if config.empty_values == "delete" else None)
        attributes = _join(',"relationship_attributes":{', _comma(members), "}")
        attributes = pc.if_else(ended, "", attributes)
    return _join(
        *_identified(batch, config.identify_by),
        pc.if_else(ended, ',"action":"delete_relationships"', ',"action":"add_relationships"'),
        ',"cio_relationships":[{"identifiers":',
        *_object_identifiers(batch, config.object_type),
        attributes,
        "}]}",
    )


def _events(batch: pa.RecordBatch, names: tuple[str, ...], config: EventsConfig, *, sync: Outgoing) -> pa.StringArray:
    name: _Text = quoted(pa.array([config.name]))[0] if config.name else _identifier(batch, "name")
    occurred_at_ms = _milliseconds(batch)
    seconds = unix_seconds(pc.cast(occurred_at_ms, pa.timestamp("ms", "UTC")))
    head = _join(*_identified(batch, config.identify_by), ',"action":"event","name":', pc.fill_null(name, '""'))
    timestamp = pc.fill_null(_join(',"timestamp":', pc.cast(seconds, pa.string())), "")
    tail = _join(timestamp, ',"attributes":{', _comma(_members(batch, names, cleared=None)), "}}")
    keys = _row_keys(batch, name, config)
    times = np.asarray(pc.fill_null(occurred_at_ms, 0).to_numpy(zero_copy_only=False), np.int64)
    return _join(head, ',"id":"', event_ids(sync.name, keys, times), '"', tail)


def _row_keys(batch: pa.RecordBatch, name: _Text, config: EventsConfig) -> list[bytes]:
    """What distinguishes a sync's events. Those with an ``event_id`` keep the ids that the first release gave them."""
    event_id = _identifier(batch, EVENT_ID)
    by_id = _join("id:", pc.fill_null(name, ""), pc.fill_null(event_id, ""))
    return _split(pc.if_else(pc.is_valid(event_id), by_id, pc.fill_null(event_keys(batch, config), "")))


def _milliseconds(batch: pa.RecordBatch) -> pa.Int64Array:
    """``occurred_at`` as Unix milliseconds, rounded down; null where it is no time, which a check rejects."""
    index = batch.schema.get_field_index("occurred_at")
    if index < 0:
        return pa.nulls(batch.num_rows, pa.int64())
    column, field = batch.column(index), batch.schema.field(index)
    if pa.types.is_timestamp(field.type) or (field.type == pa.string() and logical_type(field) != "decimal"):
        return (
            pc.floor_temporal(occurred_at(column, field), unit="millisecond")
            .cast(pa.timestamp("ms", "UTC"))
            .cast(pa.int64())
        )
    if pa.types.is_date32(field.type):
        return pc.multiply(column.cast(pa.int32()).cast(pa.int64()), 86_400_000)
    if pa.types.is_integer(field.type):
        return pc.if_else(pc.less(pc.abs(column), _MOST_SECONDS), pc.multiply(column, 1000), None)
    if pa.types.is_floating(field.type) or logical_type(field) == "decimal":
        numbers = pc.cast(column, pa.float64()) if pa.types.is_floating(field.type) else _numbers(column)
        bounded = pc.if_else(pc.less(pc.abs(numbers), float(_MOST_SECONDS)), numbers, None)
        return pc.cast(pc.floor(pc.multiply(bounded, 1000.0)), pa.int64(), safe=False)
    return pa.nulls(batch.num_rows, pa.int64())


def _numbers(column: pa.StringArray) -> pa.DoubleArray:
    written = pc.match_substring_regex(column, r"^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$")
    return pc.cast(pc.if_else(written, column, None), pa.float64())


def _ended(batch: pa.RecordBatch) -> pa.BooleanArray:
    index = batch.schema.get_field_index("deleted")
    if index < 0:
        return pa.array([False] * batch.num_rows)
    return pc.fill_null(
        pc.is_in(as_text(batch.column(index), batch.schema.field(index)), pa.array(["true", "1"])), False
    )


def _identified(batch: pa.RecordBatch, identify_by: str) -> tuple[_Text | str, ...]:
    identifier = pc.fill_null(_identifier(batch, identify_by), '""')
    return f'{{"type":"person","identifiers":{{"{identify_by}":', identifier, "}"


def _object_identifiers(batch: pa.RecordBatch, default: int) -> tuple[_Text | str, ...]:
    object_id = pc.fill_null(_identifier(batch, "object_id"), '""')
    return '{"object_type_id":', quoted(object_types(batch, default)), ',"object_id":', object_id, "}"


def _identifier(batch: pa.RecordBatch, name: str) -> pa.StringArray:
    index = batch.schema.get_field_index(name)
    if index < 0:
        return pa.nulls(batch.num_rows, pa.string())
    return identifier_text(batch.column(index), batch.schema.field(index))


def _members(batch: pa.RecordBatch, names: tuple[str, ...], *, cleared: str | None) -> list[_Text]:
    """One array of ``,"name":value`` a column; null where the attribute is left out."""
    members = []
    for name in names:
        index = batch.schema.get_field_index(name)
        written = json_text(batch.column(index), batch.schema.field(index))
        members.append(_member(name, written if cleared is None else pc.fill_null(written, cleared)))
    return members


def _member(name: str, written: pa.StringArray) -> pa.StringArray:
    return _join(f",{quoted(pa.array([name]))[0].as_py()}:", written)


def _comma(members: list[_Text]) -> _Text:
    """The members that are there, parted by commas; each brings the comma before it."""
    if not members:
        return pa.scalar("")
    # Not null_handling="skip" with a comma as separator: Arrow 26 drops rows in which everything is null.
    joined = pc.binary_join_element_wise(*members, "", null_handling="replace", null_replacement="")
    return pc.ascii_ltrim(joined, characters=",")


def _join(*pieces: _Text | str) -> pa.StringArray:
    return pc.binary_join_element_wise(*(pa.scalar(p) if isinstance(p, str) else p for p in pieces), "")


def _split(text: pa.StringArray) -> list[bytes]:
    """The texts as bytes: slices of Arrow's buffer, several times as fast as its own conversion."""
    _, offsets, data = text.buffers()
    ends = np.frombuffer(offsets, np.int32)[text.offset : text.offset + len(text) + 1].tolist()
    written = data.to_pybytes() if data is not None else b""
    return [written[start:end] for start, end in pairwise(ends)]
