"""What two readings of a row are compared by: its key, and the text of each value as the table is given it."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset.columns import attribute_columns, deleted_rows
from reverse_etl.changeset.parts import ROW_NUMBER
from reverse_etl.changeset.text import as_text, framed
from reverse_etl.config.streams import ROWS
from reverse_etl.destinations.powers import GONE, AsSent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reverse_etl.destinations._sql.sync import TableRows

_NULL: Final = "null"
_VALUE: Final = "="
"""Stands before every value, so that none is like NULL, which a table is given too."""


def as_sent(batch: pa.RecordBatch, sync: TableRows) -> AsSent:
    """The keys of a batch, and its values by column; a key of several columns holds their lengths."""
    keys = [_text(batch, name) for name in sync.rows.identify_by]
    names = attribute_columns([name for name in batch.schema.names if name != ROW_NUMBER], sync.stream(ROWS))
    written = {
        name: pc.fill_null(pc.binary_join_element_wise(_VALUE, _text(batch, name), ""), _NULL)
        for name in names
        if name not in sync.rows.identify_by
    }
    if sync.gone(ROWS) is not None:
        written[GONE] = pc.if_else(deleted_rows(batch), "true", pa.scalar(None, pa.string()))
    return AsSent(keys[0] if len(keys) == 1 else _together(keys), written)


def _together(keys: Sequence[pa.StringArray]) -> pa.StringArray:
    joined = pc.binary_join_element_wise(*map(framed, keys), "")
    there = reduce(pc.and_, map(pc.is_valid, keys))
    return pc.if_else(there, joined, pa.scalar(None, pa.string()))


def _text(batch: pa.RecordBatch, name: str) -> pa.StringArray:
    return as_text(batch.column(name), batch.schema.field(name))
