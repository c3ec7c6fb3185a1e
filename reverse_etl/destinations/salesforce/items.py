"""Rows as records of Salesforce's collections, JSON; a column with a dot names a parent by its key.

Source: Salesforce REST API developer guide, sObject Collections, 2026.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset.columns import attribute_columns, deleted_rows
from reverse_etl.changeset.parts import ROW_NUMBER
from reverse_etl.changeset.text import as_text
from reverse_etl.config.streams import ROWS
from reverse_etl.destinations._http.json_text import as_items, identifier_text, joined, json_text, members, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reverse_etl.destinations.salesforce.sync import Outgoing

REMOVE: Final = b'{"gone":'
"""How an item begins that stands for a record to delete: its key follows."""

INSTANT: Final = "%Y-%m-%dT%H:%M:%SZ"


def items(batch: pa.RecordBatch, sync: Outgoing) -> list[bytes]:
    """Encodes each row of a batch (with ``ROW_NUMBER``), in order; as long as the batch."""
    section = sync.salesforce
    kind = quoted(pa.array([section.object]))[0].as_py()
    key = pc.fill_null(identifier_text(batch.column(section.key_column), batch.schema.field(section.key_column)), '""')
    first = f',"attributes":{{"type":{kind}}}'
    record = members(fields(batch, sync), first=first)
    written = joined("{", *record, f',"{section.key_column}":', key, "}")
    if section.when_gone is not None:
        written = pc.if_else(deleted_rows(batch), joined(REMOVE.decode(), key, "}"), written)
    return as_items(written)


def fields(batch: pa.RecordBatch, sync: Outgoing) -> dict[str, pa.StringArray]:
    """The JSON text of each field of a batch's rows, by name and in order; null where it is left out.

    Parents come under the name of their relationship: ``{"Customer_No__c": "7"}``, null where there is none.
    """
    clears = sync.salesforce.empty_values == "clear"
    found = {}
    for name in attribute_columns([name for name in batch.schema.names if name != ROW_NUMBER], sync.stream(ROWS)):
        text = _value(batch.column(name), batch.schema.field(name))
        relationship, _, field = name.partition(".")
        if field:
            text = joined(f"{{{quoted(pa.array([field]))[0].as_py()}:", text, "}")
        found[relationship] = pc.fill_null(text, "null") if clears else text
    return found


def _value(column: pa.Array, field: pa.Field) -> pa.StringArray:
    """Dates and date-times as ISO 8601; everything else as JSON has it."""
    if pa.types.is_timestamp(column.type):
        instants = pc.cast(column, pa.timestamp("s", column.type.tz), safe=False)
        return quoted(pc.strftime(instants, format=INSTANT))
    if pa.types.is_date32(column.type):
        return quoted(as_text(column, field))
    return json_text(column, field)


def parted(items: Sequence[bytes]) -> tuple[list[int], list[int]]:
    """The places of the items that are there, and of those that are gone."""
    gone = [place for place, item in enumerate(items) if item.startswith(REMOVE)]
    return [place for place, item in enumerate(items) if not item.startswith(REMOVE)], gone
