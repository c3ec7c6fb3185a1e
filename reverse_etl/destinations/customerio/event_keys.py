"""What distinguishes the events of one sync, so that the same event read again is no second one.

An event's key is its ``event_id``, or its name and the columns of ``event_key``, unless all are empty, or else
identifier, name and time in microseconds. Other attributes are never part of it: a new column or a changed attribute
makes no new event.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset.occurred_at import OCCURRED_AT, occurred_at
from reverse_etl.changeset.text import as_text, framed

if TYPE_CHECKING:
    from reverse_etl.destinations.customerio.sections import EventsConfig

EVENT_ID: Final = "event_id"


def key_columns(config: EventsConfig) -> tuple[str, ...]:
    """The columns that keys may be made of; the result need not have all of them."""
    names = (EVENT_ID, *config.event_key, config.identify_by, "name", OCCURRED_AT)
    return tuple(dict.fromkeys(names))


def event_keys(batch: pa.RecordBatch, config: EventsConfig) -> pa.StringArray:
    """Each row's key; as long as the batch, null where it has none, because identifier, name or time is missing.

    Args:
        batch: In canonical types; it needs no columns but those of ``key_columns`` that the result has.
        config: The sync's ``events``.
    """
    own = _text(batch, EVENT_ID)
    name = pa.scalar(config.name, pa.string()) if config.name else _text(batch, "name")
    by_id = pc.binary_join_element_wise("id:", framed(pc.fill_null(name, "")), framed(own), "")
    return pc.if_else(pc.not_equal(pc.fill_null(own, ""), ""), by_id, _other_keys(batch, config, name))


def _other_keys(batch: pa.RecordBatch, config: EventsConfig, name: pa.StringArray | pa.StringScalar) -> pa.StringArray:
    identifier = _text(batch, config.identify_by)
    if config.identify_by == "email":
        identifier = pc.utf8_lower(identifier)
    pieces = [identifier, name, _text(batch, OCCURRED_AT)]
    missing = reduce(pc.or_, (pc.equal(pc.fill_null(each, ""), "") for each in pieces))
    keys = pc.if_else(missing, pa.scalar(None, pa.string()), _joined("at:", pieces))
    if not config.event_key:
        return keys
    named = [pc.fill_null(_text(batch, column), "") for column in config.event_key]
    # A row may have only some of the columns that a sync names; where it has none, they distinguish it from no other.
    has_none = reduce(pc.and_, (pc.equal(each, "") for each in named))
    return pc.if_else(has_none, keys, _joined("key:", [name, *named]))


def _joined(start: str, pieces: list[pa.StringArray | pa.StringScalar]) -> pa.StringArray:
    return pc.binary_join_element_wise(start, *(framed(pc.fill_null(each, "")) for each in pieces), "")


def _text(batch: pa.RecordBatch, name: str) -> pa.StringArray:
    """A column as text, date-times in microseconds; nulls where the result has no such column."""
    index = batch.schema.get_field_index(name)
    if index < 0:
        return pa.nulls(batch.num_rows, pa.string())
    column, field = batch.column(index), batch.schema.field(index)
    if name == OCCURRED_AT:
        return pc.cast(pc.cast(occurred_at(column, field), pa.int64()), pa.string())
    if pa.types.is_timestamp(column.type):
        return pc.cast(pc.cast(column, pa.int64()), pa.string())
    return as_text(column, field)
