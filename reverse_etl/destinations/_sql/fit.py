"""Which rows fit a table's columns, and their values as the stage takes them.

A database names a statement that it refuses, seldom a row; some store an altered value instead. So types, ranges,
lengths, enums and NOT NULL are decided here, a column at a time; constraints and triggers are left to the database.
How one kind of value becomes another is in ``_values``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset.parts import ROW_NUMBER, numbers_where
from reverse_etl.changeset.text import as_text
from reverse_etl.destinations._sql._misfits import Misfit
from reverse_etl.destinations._sql._values import convert
from reverse_etl.destinations._sql.columns import Column, Kind
from reverse_etl.destinations.base import KeptBack
from reverse_etl.destinations.tables import Fitted
from reverse_etl.report import Outcome, Reason
from reverse_etl.sources.base import logical_type

REMEMBERED: Final = "remembered"
"""The mark of columns whose values are the texts that were remembered of them (``compared``)."""

BETWEEN: Final = ", "
"""What is between the values of a key of several columns."""

_BOOLEANS: Final = ("true", "1", "false", "0")
_INSTANTS: Final = r"^-?\d{4,}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?Z$"


def fit(batch: pa.RecordBatch, columns: Sequence[Column], *, timezone: str, keeps_when_empty: bool = False) -> Fitted:
    """Converts a batch, and names the rows that do not fit.

    Args:
        batch: Canonical columns (``sources.base``), ``ROW_NUMBER`` among them.
        columns: The table's, each of them in the batch.
        timezone: What date-times without a zone are in, there.
        keeps_when_empty: Whether NULL keeps what is there; whether there is a value to keep, the table alone knows.
    """
    if keeps_when_empty:
        columns = [replace(column, nullable=True) for column in columns]
    arrays: list[pa.Array] = []
    kept_back: list[KeptBack] = []
    for column in columns:
        given, logical = batch.column(column.name), logical_type(batch.schema.field(column.name))
        if logical == REMEMBERED:
            given = _of_identifier(given, column) if column.key else of_remembered(given, column)
        fitted, misfits = convert(given, logical, column, timezone)
        for misfit in (*_missing(given, column), *misfits):
            rows = numbers_where(batch, misfit.mask)
            if len(rows):
                why = Reason(misfit.reason, column.name, misfit.message)
                kept_back.append(KeptBack(rows, Outcome.REJECTED, why))
        arrays.append(fitted)
    names = [column.name for column in columns]
    ready = pa.RecordBatch.from_arrays([*arrays, batch.column(ROW_NUMBER)], names=[*names, ROW_NUMBER])
    return Fitted(ready, kept_back)


def _missing(given: pa.Array, column: Column) -> Sequence[Misfit]:
    if (column.nullable and not column.key) or not given.null_count:
        return ()
    if column.key:
        return (Misfit(pc.is_null(given), "missing_identifier", "a column of `identify_by` is empty."),)
    return (Misfit(pc.is_null(given), "null", "the column must not be empty (NOT NULL)."),)


def identifiers(batch: pa.RecordBatch, key: Sequence[str]) -> pa.StringArray:
    """Each row's key, of several columns with a comma between them; empty where it is missing, or there is none."""
    if not key:
        return pa.array([""] * batch.num_rows, pa.string())
    texts = [as_text(batch.column(name), batch.schema.field(name)).fill_null("") for name in key]
    return texts[0] if len(texts) == 1 else pc.binary_join_element_wise(*texts, BETWEEN)


def key_values(batch: pa.RecordBatch, key: Sequence[Column]) -> pa.RecordBatch:
    """The columns of a key, and ``ROW_NUMBER``, where values may be the texts that identifiers are shown as.

    Date-times are Unix seconds then (``changeset.text``), booleans words.
    """
    arrays = [_of_identifier(batch.column(column.name), column) for column in key]
    fields = [batch.schema.field(column.name).with_type(array.type) for column, array in zip(key, arrays, strict=True)]
    number = batch.schema.get_field_index(ROW_NUMBER)
    return pa.RecordBatch.from_arrays(
        [*arrays, batch.column(number)], schema=pa.schema([*fields, batch.schema.field(number)])
    )


def _of_identifier(values: pa.Array, column: Column) -> pa.Array:
    if not pa.types.is_string(values.type):
        return values
    if column.kind in (Kind.INSTANT, Kind.WALL_CLOCK):
        seconds = pc.match_substring_regex(values, r"^-?\d{1,12}$")
        if pc.all(pc.fill_null(seconds, True)).as_py():
            return pc.multiply(values.cast(pa.int64()), 1_000_000).cast(pa.timestamp("us", "UTC"))
    return _numbers_of_words(values, column)


def of_remembered(values: pa.StringArray, column: Column) -> pa.Array:
    """The values of remembered texts, as the column was given them."""
    if column.kind is Kind.BOOLEAN and pc.all(pc.fill_null(pc.is_in(values, pa.array(_BOOLEANS)), True)).as_py():
        return pc.if_else(pc.is_valid(values), pc.is_in(values, pa.array(_BOOLEANS[:2])), pa.scalar(None, pa.bool_()))
    if column.kind in (Kind.INSTANT, Kind.WALL_CLOCK, Kind.DATE):
        instants = pc.match_substring_regex(values, _INSTANTS)
        if values.null_count < len(values) and pc.all(pc.fill_null(instants, True)).as_py():
            return values.cast(pa.timestamp("us", "UTC"))
    return _numbers_of_words(values, column)


def _numbers_of_words(values: pa.StringArray, column: Column) -> pa.StringArray:
    if column.takes_booleans:
        for word, number in (("true", "1"), ("false", "0")):
            values = pc.if_else(pc.equal(values, word), number, values)
    return values
