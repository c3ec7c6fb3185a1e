"""Rows as items: what identifies a record and the texts of its properties, or only that it is gone.

    {"id":"c1","properties":{"customer_no":"c1","score":"85"},"associate":"acme.com"}
    {"id":"c1","archive":true}

All values are text. Source: developers.hubspot.com, CRM objects and properties, 2026-09.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset.columns import attribute_columns, deleted_rows
from reverse_etl.changeset.parts import ROW_NUMBER
from reverse_etl.changeset.text import as_text
from reverse_etl.config.streams import ROWS
from reverse_etl.destinations._http import compared
from reverse_etl.destinations._http.fields import BOOLEANS
from reverse_etl.destinations._http.json_text import as_items, identifier_text, joined, json_text, members, quoted
from reverse_etl.destinations.hubspot.section import RECORD_ID
from reverse_etl.sources.base import logical_type

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reverse_etl.destinations._http.fields import Field, Kind
    from reverse_etl.destinations.hubspot.sync import Outgoing
    from reverse_etl.destinations.powers import AsSent

_CLEARED: Final = '""'
_NONE: Final = pa.scalar(None, pa.string())


def items(batch: pa.RecordBatch, sync: Outgoing, fields: Mapping[str, Field] | None = None) -> list[bytes]:
    """Encodes each row of a batch, in order; as long as the batch.

    Args:
        batch: The rows.
        sync: What they are.
        fields: The object type's properties, where they are known: a date takes no time of day, a time needs one,
            and 0 and 1 are booleans to some databases.
    """
    section = sync.hubspot
    key = pc.fill_null(_identifier(batch, section.identify_by), '""')
    texts = {} if section.identify_by == RECORD_ID else {section.identify_by: key}
    for name in property_columns(batch.schema.names, sync):
        text = _property(batch, name, fields[name].kind if fields is not None and name in fields else "other")
        texts[name] = pc.fill_null(text, _CLEARED) if section.empty_values == "clear" else text
    item = joined('{"id":', key, ',"properties":{', *members(texts), "}")
    if section.associate is not None and section.associate.column in batch.schema.names:
        other = joined(',"associate":', _identifier(batch, section.associate.column))
        item = joined(item, pc.fill_null(other, ""))
    item = joined(item, "}")
    if sync.gone(ROWS) is not None:
        item = pc.if_else(deleted_rows(batch), joined('{"id":', key, ',"archive":true}'), item)
    return as_items(item)


def property_columns(names: list[str], sync: Outgoing) -> tuple[str, ...]:
    """Those of a result's columns that are properties, but the key."""
    return attribute_columns([name for name in names if name != ROW_NUMBER], sync.stream(ROWS))


def as_sent(batch: pa.RecordBatch, sync: Outgoing) -> AsSent:
    """What two readings of a row are compared by: its properties, and what it is associated with."""
    found = compared.as_sent(batch, sync)
    associate = sync.hubspot.associate
    if associate is None or associate.column not in batch.schema.names:
        return found
    return replace(found, attributes={**found.attributes, associate.column: _identifier(batch, associate.column)})


def _identifier(batch: pa.RecordBatch, name: str) -> pa.StringArray:
    return identifier_text(batch.column(name), batch.schema.field(name))


def _property(batch: pa.RecordBatch, name: str, kind: Kind) -> pa.StringArray:
    """The JSON string of each value, as a property of a kind has it; null where it is empty."""
    column, field = batch.column(name), batch.schema.field(name)
    is_day = pa.types.is_date(column.type)
    if pa.types.is_timestamp(column.type) or (is_day and kind == "datetime"):
        utc = pc.cast(column, pa.timestamp("ms")) if is_day else pc.cast(column, pa.timestamp("ms", "UTC"), safe=False)
        return quoted(pc.strftime(utc, "%Y-%m-%d" if kind == "date" else "%Y-%m-%dT%H:%M:%SZ"))
    if logical_type(field) == "json":
        return quoted(_choices(json_text(column, field)))
    text = as_text(column, field)
    if kind == "boolean" and pa.types.is_integer(column.type):
        for written, word in BOOLEANS.items():
            text = pc.if_else(pc.equal(text, written), word, text)
    return quoted(pc.if_else(pc.equal(text, ""), _NONE, text))


def _choices(written: pa.StringArray) -> pa.StringArray:
    """JSON as a property's text: a list as its values with semicolons between, a text without its quotes."""
    return pa.array([None if text is None else _choice(text) for text in written.to_pylist()], pa.string())


def _choice(text: str) -> str | None:
    value = orjson.loads(text)
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ";".join(value)
    return value if isinstance(value, str) else text
