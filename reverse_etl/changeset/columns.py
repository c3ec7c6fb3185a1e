"""The columns of a result: those that a stream needs are there, one of them names each row, others are attributes.

Names are matched exactly as the query spells them. The checks judge the values.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset.text import as_text
from reverse_etl.config.dialect import UNKNOWN, Dialect
from reverse_etl.config.gone import DELETED
from reverse_etl.errors import ConfigError
from reverse_etl.shaping.shape import READ_AS

if TYPE_CHECKING:
    from reverse_etl.config.shaping import Shape
    from reverse_etl.config.streams import Stream
    from reverse_etl.config.syncs import OutgoingRows


def attribute_columns(names: Sequence[str], stream: Stream) -> tuple[str, ...]:
    """Those of a result's columns that are attributes, in order."""
    return tuple(name for name in names if name not in stream.apart)


def identifiers(batch: pa.RecordBatch, stream: Stream) -> pa.StringArray:
    """Each row's identifier as text, whole; empty where it is missing. As long as the batch.

    One of several columns is their texts, as far as there are any, with a comma and a blank between.
    """
    if not stream.identifier:
        return pa.array([""] * batch.num_rows, pa.string())
    texts = [as_text(batch.column(name), batch.schema.field(name)) for name in stream.identifier]
    if len(texts) > 1:
        # Arrow leaves out rows in which every part is null, and the column is too short (26.0).
        texts[0] = pc.if_else(reduce(pc.and_, (text.is_null() for text in texts)), "", texts[0])
        return pc.binary_join_element_wise(*texts, ", ", null_handling="skip")
    return texts[0].fill_null("")


def read_identifiers(batch: pa.RecordBatch, stream: Stream) -> pa.StringArray | None:
    """The same as the query has them, of rows whose shaping may have changed them; None where it did not."""
    names = [READ_AS.format(place) for place in range(len(stream.identifier))]
    if not names or not set(names) <= set(batch.schema.names):
        return None
    renamed = [batch.schema.field(name).with_name(own) for name, own in zip(names, stream.identifier, strict=True)]
    columns = [batch.column(name) for name in names]
    return identifiers(pa.RecordBatch.from_arrays(columns, schema=pa.schema(renamed)), stream)


def is_one_of(batch: pa.RecordBatch, stream: Stream, wanted: pa.StringArray) -> pa.BooleanArray:
    """Where a row's identifier, or what the query has for it, is one of these; without nulls."""
    found = pc.is_in(identifiers(batch, stream), value_set=wanted)
    read = read_identifiers(batch, stream)
    return found if read is None else pc.or_(found, pc.is_in(read, value_set=wanted))


def known_as(batch: pa.RecordBatch, stream: Stream) -> list[str]:
    """Every identifier that a row of the batch has, or that the query has for it."""
    read = read_identifiers(batch, stream)
    return [*identifiers(batch, stream).to_pylist(), *(read.to_pylist() if read is not None else ())]


def deleted_rows(batch: pa.RecordBatch) -> pa.BooleanArray:
    """Whether a row says of itself that it is gone, by a column ``deleted``; as long as the batch, without nulls."""
    index = batch.schema.get_field_index(DELETED)
    if index < 0:
        return pa.array([False] * batch.num_rows)
    written = as_text(batch.column(index), batch.schema.field(index))
    return pc.fill_null(pc.is_in(written, pa.array(["true", "1"])), False)


def key_columns(batch: pa.RecordBatch, stream: Stream) -> list[pa.StringArray]:
    """The text of each column that names a row in its destination; null where it is empty, or is not in the result."""
    texts = []
    for name in stream.key:
        at = batch.schema.get_field_index(name)
        texts.append(
            as_text(batch.column(at), batch.schema.field(at)) if at >= 0 else pa.nulls(batch.num_rows, pa.string())
        )
    return texts


def require_columns(names: Sequence[str], sync: OutgoingRows, stream: Stream, *, dialect: Dialect = UNKNOWN) -> None:
    """Makes sure that a result has the columns without which none of its rows can be sent, and none of the API's own.

    Args:
        names: The result's columns.
        sync: The sync.
        stream: Whose columns they are.
        dialect: The database's, for the fix that is shown.

    Raises:
        ConfigError: A column is missing, and the hint shows the ``AS`` that mends it where another case is there;
            or a column is named like a word of the API.
    """
    for taken, way_out in stream.reserved.items():
        if taken in names:
            hint = f"{way_out[0].upper()}{way_out[1:]}."
            raise ConfigError(f"column `{taken}` is a word of {sync.TITLE}'s API.", hint=hint).located(sync.where)
    for needed in stream.required:
        if needed not in names:
            raise _missing(needed, names, sync.shape(stream.name), stream=stream, dialect=dialect).located(sync.where)


def _missing(needed: str, names: Sequence[str], shape: Shape, *, stream: Stream, dialect: Dialect) -> ConfigError:
    """That a column is not there, with what to do where the columns are made."""
    if shape.columns is not None:
        return ConfigError(f"columns makes no column `{needed}`.", hint=f"Add `{needed}: ...` to columns.")
    if shape.transform is not None:
        hint = f"It returned: {', '.join(names)}."
        return ConfigError(f"{shape.transform.file}: the transform returned no `{needed}` for any row.", hint=hint)
    hint = _fix(needed, names, stream=stream, dialect=dialect)
    return ConfigError(f"the {stream.label} returns no column `{needed}`.", hint=hint)


def _fix(needed: str, names: Sequence[str], *, stream: Stream, dialect: Dialect) -> str:
    from sqlglot import exp

    def quoted(name: str) -> str:
        return exp.to_identifier(name, quoted=True).sql(dialect=dialect.name or None)

    other_case = [name for name in names if name.casefold() == needed.casefold()]
    if other_case:
        return f"Column names are case-sensitive: name {quoted(other_case[0])} with AS {quoted(needed)}."
    near = difflib.get_close_matches(needed, names, n=1)
    meant = f" Did you mean {quoted(near[0])} AS {quoted(needed)}?" if near else ""
    also = f", or {stream.hints[needed]}" if needed in stream.hints else ""
    return f"Select it, under another name with AS {quoted(needed)}{also}.{meant}"
