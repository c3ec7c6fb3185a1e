"""What two readings of a row are compared by: its key, and the text of each value as the table is given it.

And the way back: rows of texts that were remembered, which ``fit`` gives to the table as it gave the values.
"""

from __future__ import annotations

from functools import reduce
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset.columns import attribute_columns, deleted_rows
from reverse_etl.changeset.parts import ROW_NUMBER
from reverse_etl.changeset.text import as_text, framed, unframed
from reverse_etl.config.streams import ROWS
from reverse_etl.destinations._sql.fit import BETWEEN, REMEMBERED
from reverse_etl.destinations.powers import GONE, AsSent, KeysLike
from reverse_etl.sources.base import logical_type, marked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reverse_etl.destinations._sql.sync import TableRows

NULL: Final = "null"
_INSTANT: Final = "%Y-%m-%dT%H:%M:%SZ"
_JSON_BLANKS: Final = " \t\r\n"
_VALUE: Final = "="
"""Stands before every value, so that none is like NULL, which a table is given too."""


def as_sent(batch: pa.RecordBatch, sync: TableRows) -> AsSent:
    """The keys of a batch, and its values by column; a key of several columns holds their lengths."""
    keys = [_text(batch, name) for name in sync.rows.identify_by]
    names = attribute_columns([name for name in batch.schema.names if name != ROW_NUMBER], sync.stream(ROWS))
    keeps = sync.rows.empty_values == "ignore"
    written = {name: _written(batch, name, keeps=keeps) for name in names if name not in sync.rows.identify_by}
    if sync.gone(ROWS) is not None:
        written[GONE] = pc.if_else(deleted_rows(batch), "true", pa.scalar(None, pa.string()))
    return AsSent(keys[0] if len(keys) == 1 else _together(keys), written)


def rows_of(keys: pa.StringArray, texts: Mapping[str, pa.StringArray], sync: TableRows) -> pa.RecordBatch:
    """The rows of which ``as_sent`` makes these keys and texts."""
    by = sync.rows.identify_by
    parts = [keys.to_pylist()] if len(by) == 1 else list(zip(*map(unframed, keys.to_pylist()), strict=True))
    columns = {name: pa.array(part, pa.string()) for name, part in zip(by, parts or [[]] * len(by), strict=True)}
    for name, column in texts.items():
        there = pc.starts_with(column, _VALUE)
        columns[name] = pc.if_else(there, pc.utf8_slice_codeunits(column, len(_VALUE)), pa.scalar(None, pa.string()))
    fields = [marked(name, REMEMBERED) for name in columns]
    return pa.RecordBatch.from_arrays(list(columns.values()), schema=pa.schema(fields))


def shown_text(text: str) -> str:
    """The value of which ``as_sent`` makes this text; for NULL the word."""
    return text.removeprefix(_VALUE)


def keys_like(identifier: str, sync: TableRows) -> KeysLike:
    """The key of an identifier; of several columns, a comma may be in any of them, too."""
    wide = len(sync.rows.identify_by)
    if wide == 1:
        return KeysLike((identifier,))
    pieces = identifier.split(BETWEEN)
    cuts = ((0, *places, len(pieces)) for places in combinations(range(1, len(pieces)), wide - 1))
    keys = (
        _together([pa.array([BETWEEN.join(pieces[start:end])]) for start, end in pairwise(cut)])[0].as_py()
        for cut in cuts
    )
    return KeysLike(tuple(keys))


def _together(keys: Sequence[pa.StringArray]) -> pa.StringArray:
    joined = pc.binary_join_element_wise(*map(framed, keys), "")
    there = reduce(pc.and_, map(pc.is_valid, keys))
    return pc.if_else(there, joined, pa.scalar(None, pa.string()))


def _written(batch: pa.RecordBatch, name: str, *, keeps: bool) -> pa.StringArray:
    """The texts of a column; of values that keep what is there, null."""
    values = _value(batch, name)
    texts = pc.binary_join_element_wise(_VALUE, values, "")
    if keeps:
        return pc.if_else(pc.equal(values, ""), pa.scalar(None, pa.string()), texts)
    return pc.fill_null(texts, NULL)


def _value(batch: pa.RecordBatch, name: str) -> pa.StringArray:
    """As a key is written; but date-times with every digit, and JSON as it is: another text is another value."""
    column, field = batch.column(name), batch.schema.field(name)
    if pa.types.is_timestamp(column.type):
        return pc.strftime(column.cast(pa.timestamp("us", column.type.tz), safe=False), format=_INSTANT)
    if logical_type(field) == "json":
        return pc.utf8_trim(column, characters=_JSON_BLANKS)
    return as_text(column, field)


def _text(batch: pa.RecordBatch, name: str) -> pa.StringArray:
    return as_text(batch.column(name), batch.schema.field(name))
