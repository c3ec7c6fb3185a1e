"""Changeset rows as people handle them: pandas DataFrames."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset.parts import ROW_NUMBER
from reverse_etl.sources._instants import outside_years
from reverse_etl.sources.base import logical_type, marked

if TYPE_CHECKING:
    import pandas as pd


def as_frame(batch: pa.RecordBatch) -> pd.DataFrame:
    """One batch as a DataFrame, its columns in order; the index is the row number where the batch has one.

    Decimals become ``decimal.Decimal`` (None where null), date-times ``datetime64[us, UTC]``, integers with nulls
    pandas' ``Int64``, booleans with nulls ``boolean``; JSON columns stay text. Times outside the years 1 to 9999 are
    missing, as NULL is. The frame may be empty.
    """
    import pandas as pd

    nullable = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}

    def dtype(column: pa.DataType) -> pd.api.extensions.ExtensionDtype | None:
        return nullable.get(column)

    for position, field in enumerate(batch.schema):
        if pa.types.is_temporal(field.type):
            column = batch.column(position)
            batch = batch.set_column(position, field, pc.if_else(outside_years(column), None, column))
    frame: pd.DataFrame = batch.to_pandas(types_mapper=dtype)
    for field in batch.schema:
        if logical_type(field) == "decimal":
            digits = batch.column(field.name).to_pylist()
            values = [None if text is None else Decimal(text) for text in digits]
            frame[field.name] = pd.Series(values, index=frame.index, dtype=object)
    if ROW_NUMBER in frame.columns:
        frame = frame.set_index(ROW_NUMBER)
        frame.index.name = "row_number"
    return frame


def as_batch(frame: pd.DataFrame) -> pa.RecordBatch:
    """A DataFrame as one Arrow batch without its index; types are Arrow's, not yet canonical.

    A column with text that cannot be encoded (half of a surrogate pair) is canonical already; a check rejects the row.
    """
    from reverse_etl.sources._values import column

    odd = {}
    for name in frame.columns:
        try:
            pa.array(frame[name], from_pandas=True)
        except UnicodeEncodeError:
            values, mark = column([None if value != value else value for value in frame[name]], timezone="UTC")
            odd[str(name)] = (values, marked(str(name), mark) if mark else pa.field(str(name), values.type))
            frame = frame.assign(**{str(name): None})
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None).combine_chunks()
    for name, (values, field) in odd.items():
        table = table.set_column(table.schema.get_field_index(name), field, values)
    batches = table.to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)
