"""Texts for columns of other types, read here: Snowflake names a statement that it cannot read, not the row.

What a text may look like is decided before (``_sql.fit``); which of them are days, clocks and documents that exist is
decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset.parts import ROW_NUMBER, numbers_where
from reverse_etl.destinations._sql._texts import plain
from reverse_etl.destinations._sql.columns import Kind
from reverse_etl.destinations.base import KeptBack
from reverse_etl.destinations.tables import Fitted
from reverse_etl.report import Outcome, Reason
from reverse_etl.sources._zones import instants_of

if TYPE_CHECKING:
    from reverse_etl.destinations.snowflake.catalogue import TableColumn

_TRUE: Final = ("true", "t", "yes", "y", "on", "1")
_FALSE: Final = ("false", "f", "no", "n", "off", "0")
_US: Final = pa.timestamp("us")
_OPENS: Final = {"ARRAY": r"^\s*\[", "OBJECT": r"^\s*\{"}


def readable(fitted: Fitted, columns: Sequence[TableColumn], *, timezone: str) -> Fitted:
    """A batch with texts as the types of their columns; what cannot be read is kept back.

    Args:
        fitted: As the shared fit gives it.
        columns: The table's, in the order of the batch.
        timezone: What date-times without a zone are in.
    """
    batch, kept_back = fitted.batch, [*fitted.kept_back]
    arrays = []
    for column in columns:
        given = batch.column(column.fits.name)
        values = _read(given, column, timezone) if pa.types.is_string(given.type) else given
        rows = numbers_where(batch, pc.and_(pc.is_valid(given), pc.is_null(values)))
        if len(rows):
            why = Reason("wrong_value", column.fits.name, f"the text cannot be read as {column.fits.type}.")
            kept_back.append(KeptBack(rows, Outcome.REJECTED, why))
        arrays.append(values)
    names = [*(column.fits.name for column in columns), ROW_NUMBER]
    return Fitted(pa.RecordBatch.from_arrays([*arrays, batch.column(ROW_NUMBER)], names=names), kept_back)


def _read(texts: pa.StringArray, column: TableColumn, timezone: str) -> pa.Array:
    """Texts as the column's type; null where they are none of it."""
    kind = column.fits.kind
    if kind is Kind.DATE:
        return _cast(texts, pa.date32(), date.fromisoformat)
    if kind is Kind.WALL_CLOCK:
        return _cut(_cast(texts, _US, datetime.fromisoformat), column)
    if kind is Kind.INSTANT:
        return _cut(_instants(texts, timezone), column)
    if kind is Kind.FLOAT:
        return _cast(texts, pa.float64(), float)
    if kind is Kind.BOOLEAN:
        words = pc.utf8_lower(pc.utf8_trim_whitespace(texts))
        no = pc.if_else(pc.is_in(words, pa.array(_FALSE)), False, pa.scalar(None, pa.bool_()))
        return pc.if_else(pc.is_in(words, pa.array(_TRUE)), True, no)
    if kind is Kind.JSON:
        return _documents(texts, column)
    return pc.utf8_trim_whitespace(plain(texts)) if kind is Kind.NUMERIC else texts


def _cast(texts: pa.StringArray, kind: pa.DataType, one: Callable[[str], Any]) -> pa.Array:
    """All at once, and one by one where some cannot be read."""
    try:
        return texts.cast(kind)
    except pa.ArrowInvalid:
        return pa.array([_or_none(one, text) for text in texts.to_pylist()], kind)


def _or_none(one: Callable[[str], Any], text: str | None) -> Any:
    try:
        return None if text is None else one(text.strip())
    except (ValueError, OverflowError):
        return None


def _instants(texts: pa.StringArray, timezone: str) -> pa.Array:
    """Date-times with a zone, or without one in ``timezone``."""
    zoned = pc.match_substring_regex(texts, r"(?:Z|[+-]\d{2}(?::?\d{2})?)$")
    # A day ends like an offset.
    zoned = pc.and_(zoned, pc.greater(pc.utf8_length(texts), len("2024-02-29")))
    nothing = pa.scalar(None, pa.string())
    walls = _cast(pc.if_else(zoned, nothing, texts), _US, datetime.fromisoformat)
    instants = _cast(pc.if_else(zoned, texts, nothing), pa.timestamp("us", "UTC"), _instant)
    return pc.coalesce(instants, instants_of(walls, timezone))


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _cut(times: pa.Array, column: TableColumn) -> pa.Array:
    """Without the digits that the column does not keep."""
    return pc.floor_temporal(times, multiple=10 ** (6 - column.fits.fraction), unit="microsecond")


def _documents(texts: pa.StringArray, column: TableColumn) -> pa.StringArray:
    """JSON, of the column's form."""
    good = pa.array([text is not None and _parses(text) for text in texts.to_pylist()], pa.bool_())
    if column.form in _OPENS:
        good = pc.and_(good, pc.match_substring_regex(texts, _OPENS[column.form]))
    return pc.if_else(pc.fill_null(good, False), texts, pa.scalar(None, pa.string()))


def _parses(text: str) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True
