"""Rows as items: what identifies a contact or company, what is sent of it, its tags and its company.

    {"key":"c1","body":{"name":"Ann","custom_attributes":{"score":85}},"tags":["health_red"],"company":"acme"}
    {"key":"c1","gone":true}

Times are Unix seconds. Source: Intercom's REST API description, version 2.15, 2026-08.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset.columns import deleted_rows
from reverse_etl.config.streams import ROWS
from reverse_etl.destinations._http.compared import attributes
from reverse_etl.destinations._http.json_text import as_items, identifier_text, joined, json_text, members

if TYPE_CHECKING:
    from reverse_etl.destinations.intercom.sync import Outgoing

OWN: Final = {
    "contacts": frozenset(
        {"email", "external_id", "name", "phone", "role", "signed_up_at", "last_seen_at", "avatar", "owner_id"}
        | {"unsubscribed_from_emails"}
    ),
    "companies": frozenset({"name", "monthly_spend", "size", "website", "industry", "remote_created_at"}),
}
"""Fields of Intercom's own; other columns are custom attributes."""


def items(batch: pa.RecordBatch, sync: Outgoing) -> list[bytes]:
    """Encodes each row of a batch (with ``ROW_NUMBER``), in order; as long as the batch."""
    section, texts = sync.intercom, attributes(batch, sync)
    if section.empty_values == "clear":
        texts = {name: pc.fill_null(text, "null") for name, text in texts.items()}
    own = OWN[section.object]
    plain = {name: text for name, text in texts.items() if name in own}
    custom = {name: text for name, text in texts.items() if name not in own}
    [by] = section.key
    key = pc.fill_null(_identifier(batch, by), '""')
    sent = members(plain, first=",")
    body = joined('{"', by, '":', key, *sent, ',"custom_attributes":{', *members(custom), "}}")
    written = joined('{"key":', key, ',"body":', body)
    for word, name in (
        ("attributes", section.attributes),
        ("tags", section.tags.column if section.tags is not None else None),
    ):
        if name is not None:
            column = json_text(batch.column(name), batch.schema.field(name))
            written = joined(written, f',"{word}":', pc.fill_null(column, "null"))
    if section.company is not None:
        written = joined(written, ',"company":', pc.fill_null(_identifier(batch, section.company), "null"))
    written = joined(written, "}")
    if sync.gone(ROWS) is not None:
        written = pc.if_else(deleted_rows(batch), joined('{"key":', key, ',"gone":true}'), written)
    return as_items(written)


def _identifier(batch: pa.RecordBatch, name: str) -> pa.StringArray:
    return identifier_text(batch.column(name), batch.schema.field(name))
