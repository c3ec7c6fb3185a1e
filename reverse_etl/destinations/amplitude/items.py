"""Rows as Amplitude's events, one item a row: ``$identify``, ``$groupidentify``, or an event of the sync's own.

Source: amplitude.com/docs, HTTP V2 API and Identify API, read 2026-03.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset.columns import key_columns
from reverse_etl.changeset.occurred_at import milliseconds
from reverse_etl.config.streams import ROWS
from reverse_etl.destinations._http import compared
from reverse_etl.destinations._http.compared import attributes
from reverse_etl.destinations._http.json_text import Text, as_items, identifier_text, joined, members, quoted
from reverse_etl.destinations.amplitude.section import EVENT_ID, EVENT_TYPE
from reverse_etl.destinations.powers import AsSent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reverse_etl.destinations.amplitude.section import Amplitude
    from reverse_etl.destinations.amplitude.sync import Outgoing

_UNSET: Final = '"-"'
"""Any value does; this is the one that Amplitude's own clients send."""


def items(batch: pa.RecordBatch, sync: Outgoing) -> list[bytes]:
    """Encodes each row of a batch (with ``ROW_NUMBER``), in order; as long as the batch."""
    section, texts = sync.amplitude, attributes(batch, sync)
    if section.send == "events":
        return as_items(_events(batch, texts, section, sync.name))
    operations = _operations(texts, section)
    if section.group_type is None:
        start = joined(*_user(batch, section), ',"event_type":"$identify","user_properties":{')
    else:
        kind = quoted(pa.array([section.group_type]))[0].as_py()
        start = joined(
            '{"event_type":"$groupidentify","groups":{', f"{kind}:", _written(batch, section.group_type),
            '},"group_properties":{',
        )  # fmt: skip
    return as_items(joined(start, *operations, "}}"))


def as_sent(batch: pa.RecordBatch, sync: Outgoing) -> AsSent:
    """What two readings of a row are compared by; an event never changes, so that it is its key."""
    if sync.amplitude.send != "events":
        return compared.as_sent(batch, sync)
    ids = [item.rpartition(b'"insert_id":"')[2][:-2].decode() for item in items(batch, sync)]
    return AsSent(pa.array(ids, pa.string()), {}, None, key_columns(batch, sync.stream(ROWS)))


def _operations(texts: Mapping[str, pa.StringArray], section: Amplitude) -> list[Text | str]:
    """The pieces of ``"$set":{…},"$setOnce":{…},"$unset":{…}``, of which a row has at least one."""
    once = {name: text for name, text in texts.items() if name in section.set_once}
    always = {name: text for name, text in texts.items() if name not in section.set_once}
    pieces: list[Text | str] = ['"$set":{', *members(always), "}"]
    if once:
        pieces += [',"$setOnce":{', *members(once), "}"]
    if section.empty_values == "clear":
        empty = {
            name: pc.if_else(pc.is_null(text), _UNSET, pa.scalar(None, pa.string())) for name, text in always.items()
        }
        pieces += [',"$unset":{', *members(empty), "}"]
    return pieces


def _events(
    batch: pa.RecordBatch, texts: Mapping[str, pa.StringArray], section: Amplitude, sync: str
) -> pa.StringArray:
    kind: Text = quoted(pa.array([section.event_type]))[0] if section.event_type else _written(batch, EVENT_TYPE)
    time = pc.fill_null(pc.cast(milliseconds(batch), pa.string()), "0")
    event = joined(
        *_user(batch, section), ',"event_type":', kind, ',"time":', time, ',"event_properties":{', *members(texts), "}"
    )
    return joined(event, ',"insert_id":"', _insert_ids(batch, event, kind, sync), '"}')


def _insert_ids(batch: pa.RecordBatch, event: pa.StringArray, kind: Text, sync: str) -> pa.StringArray:
    """Of each event, the same whenever it is sent: by its ``event_id``, or else by all that is sent of it."""
    known = event
    if batch.schema.get_field_index(EVENT_ID) >= 0:
        own = identifier_text(batch.column(EVENT_ID), batch.schema.field(EVENT_ID))
        known = pc.if_else(pc.is_valid(own), joined("id:", kind, pc.fill_null(own, "")), event)
    name = sync.encode()
    ids = [hashlib.blake2b(each, digest_size=16, key=name[:64]).hexdigest() for each in as_items(known)]
    return pa.array(ids, pa.string())


def _user(batch: pa.RecordBatch, section: Amplitude) -> tuple[Text | str, ...]:
    return f'{{"{section.identify_by}":', _written(batch, section.identify_by)


def _written(batch: pa.RecordBatch, name: str) -> pa.StringArray:
    return pc.fill_null(identifier_text(batch.column(name), batch.schema.field(name)), '""')
