"""What two readings of a row are compared by: its key, and the JSON of its attributes as the service is sent it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset.columns import attribute_columns, deleted_rows, key_columns
from reverse_etl.changeset.parts import ROW_NUMBER
from reverse_etl.changeset.text import framed
from reverse_etl.config.gone import GONE_KEYS
from reverse_etl.config.streams import ROWS
from reverse_etl.destinations._http.json_text import identifier_text, json_text
from reverse_etl.destinations.powers import GONE, AsSent

if TYPE_CHECKING:
    from reverse_etl.destinations._http.sync import ServiceRows

_RENDERING: Final = 1
"""Of the texts; to be raised where the same value is written in another way than before."""


def as_sent(batch: pa.RecordBatch, sync: ServiceRows) -> AsSent:
    """The keys and attributes of a batch."""
    stream = sync.stream(ROWS)
    texts = attributes(batch, sync)
    if (gone := sync.gone(ROWS)) is not None:
        done = json.dumps([gone.action, gone.attributes], sort_keys=True)
        texts[GONE] = pc.if_else(deleted_rows(batch), done, pa.scalar(None, pa.string()))
    keys = [_key_text(batch, name, any_case=name in sync.any_case) for name in stream.key]
    key = keys[0] if len(keys) == 1 else pc.binary_join_element_wise(*map(framed, keys), "")
    return AsSent(key, texts, None, key_columns(batch, stream))


def attributes(batch: pa.RecordBatch, sync: ServiceRows) -> dict[str, pa.StringArray]:
    """The JSON text of each attribute of a batch's rows, by name and in order; null where a row has none."""
    names = [name for name in batch.schema.names if name != ROW_NUMBER]
    return {
        name: json_text(batch.column(name), batch.schema.field(name))
        for name in attribute_columns(names, sync.stream(ROWS))
    }


def shape(sync: ServiceRows) -> str:
    """The settings that decide how a row is written, as text."""
    settings = sync.section.model_dump(mode="json", exclude=set(GONE_KEYS))
    return json.dumps({"rendering": _RENDERING, **settings}, sort_keys=True)


def _key_text(batch: pa.RecordBatch, name: str, *, any_case: bool) -> pa.StringArray:
    text = identifier_text(batch.column(name), batch.schema.field(name))
    return pc.utf8_lower(text) if any_case else text
