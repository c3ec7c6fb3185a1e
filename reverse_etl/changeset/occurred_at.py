"""When events happened: ``occurred_at`` as instants, whichever way a query spells them.

Date-times, dates (midnight UTC), Unix seconds as numbers, and text: ISO 8601, or Unix seconds of nine digits or more.
The checks judge whether an instant can be meant (not in the future, not 1970).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset.text import as_text
from reverse_etl.sources._instants import DAY_S, instants, outside_years
from reverse_etl.sources.base import logical_type

OCCURRED_AT: Final = "occurred_at"

_US: Final = 1_000_000
_UTC: Final = pa.timestamp("us", "UTC")
_MOST_SECONDS: Final = 2.0**43
"""Beyond any year that a check lets through, and in microseconds still an int64."""

_NUMBER: Final = r"^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$"
_SECONDS: Final = r"^-?[0-9]{9,12}(\.[0-9]+)?$"
_WALL_CLOCK: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"
_DATE: Final = r"^(?:[0-9]{4}-?[0-9]{2}-?[0-9]{2}|[0-9]{4}-?W[0-9]{2}(?:-?[0-9])?)$"


def occurred_at(column: pa.Array, field: pa.Field) -> pa.TimestampArray:
    """The instants of a column in canonical types, in microseconds UTC; null where a value is none of years 1 to 9999.

    Text without a zone is read as UTC: ``with_zones`` comes first.
    """
    if pa.types.is_timestamp(column.type):
        return _of_the_calendar(pc.cast(column, _UTC))
    if pa.types.is_date32(column.type):
        return _from_seconds(pc.multiply(pc.cast(column.cast(pa.int32()), pa.float64()), float(DAY_S)))
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        return _from_seconds(pc.cast(column, pa.float64(), safe=False))
    if logical_type(field) == "decimal":
        return _from_seconds(_floats(column, _NUMBER))
    if pa.types.is_string(column.type):
        return _read(as_text(column, field), timezone="UTC")
    return pa.nulls(len(column), _UTC)


def milliseconds(batch: pa.RecordBatch) -> pa.Int64Array:
    """A batch's ``occurred_at`` as Unix milliseconds, rounded down; null where it is no time, which a check rejects."""
    index = batch.schema.get_field_index(OCCURRED_AT)
    if index < 0:
        return pa.nulls(batch.num_rows, pa.int64())
    column, field = batch.column(index), batch.schema.field(index)
    if pa.types.is_timestamp(field.type) or (field.type == pa.string() and logical_type(field) != "decimal"):
        return (
            pc.floor_temporal(occurred_at(column, field), unit="millisecond")
            .cast(pa.timestamp("ms", "UTC"))
            .cast(pa.int64())
        )
    if pa.types.is_date32(field.type):
        return pc.multiply(column.cast(pa.int32()).cast(pa.int64()), 86_400_000)
    if pa.types.is_integer(field.type):
        return pc.if_else(pc.less(pc.abs(column), int(_MOST_SECONDS)), pc.multiply(column, 1000), None)
    if pa.types.is_floating(field.type) or logical_type(field) == "decimal":
        numbers = pc.cast(column, pa.float64()) if pa.types.is_floating(field.type) else _floats(column, _NUMBER)
        bounded = pc.if_else(pc.less(pc.abs(numbers), _MOST_SECONDS), numbers, None)
        return pc.cast(pc.floor(pc.multiply(bounded, 1000.0)), pa.int64(), safe=False)
    return pa.nulls(batch.num_rows, pa.int64())


def with_zones(batch: pa.RecordBatch, *, timezone: str) -> pa.RecordBatch:
    """A batch whose ``occurred_at``, where it is text, has each instant in UTC; what is not an instant stays as it is.

    Args:
        batch: In canonical types.
        timezone: How text without a zone is read.

    Raises:
        ConfigError: This machine has no data for the time zone.
    """
    index = batch.schema.get_field_index(OCCURRED_AT)
    if index < 0 or not pa.types.is_string(batch.schema.types[index]):
        return batch
    field = batch.schema.field(index)
    if logical_type(field) == "decimal":
        return batch
    texts = as_text(batch.column(index), field)
    spelled = pc.coalesce(pc.cast(_read(texts, timezone=timezone), pa.string()), texts)
    return batch.set_column(index, pa.field(OCCURRED_AT, pa.string()), spelled)


def _of_the_calendar(column: pa.TimestampArray) -> pa.TimestampArray:
    return pc.if_else(outside_years(column), None, column)


def _from_seconds(seconds: pa.DoubleArray) -> pa.TimestampArray:
    bounded = pc.if_else(pc.less(pc.abs(seconds), _MOST_SECONDS), seconds, None)
    return pc.cast(pc.round(pc.multiply(bounded, float(_US))), pa.int64(), safe=False).cast(_UTC)


def _floats(texts: pa.StringArray, pattern: str) -> pa.DoubleArray:
    return pc.cast(pc.if_else(pc.match_substring_regex(texts, pattern), texts, None), pa.float64())


def _read(texts: pa.StringArray, *, timezone: str) -> pa.TimestampArray:
    """Usual spellings are read a column at a time, the others, which are few, one by one."""
    zoned = pc.fill_null(pc.match_substring_regex(texts, _WALL_CLOCK + r"(Z|[+-][0-9]{2}:?[0-9]{2})$"), False)
    zoneless = pc.fill_null(pc.match_substring_regex(texts, _WALL_CLOCK + "$"), False)
    try:
        found = pc.coalesce(
            pc.cast(pc.if_else(zoned, texts, None), _UTC),
            instants(pc.cast(pc.if_else(zoneless, texts, None), pa.timestamp("us")), timezone=timezone),
            _from_seconds(_floats(texts, _SECONDS)),
        )
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        found = pa.nulls(len(texts), _UTC)
    found = _of_the_calendar(found)
    rest = pc.and_(pc.is_null(found), pc.fill_null(pc.not_equal(texts, ""), False))
    if not pc.any(rest).as_py():
        return found
    single = [_one(text, timezone) for text in pc.filter(texts, rest).to_pylist()]
    return pc.replace_with_mask(found, rest, pa.array(single, _UTC))


def _one(text: str, timezone: str) -> datetime | None:
    """One spelling of ISO 8601 that ``datetime.fromisoformat`` takes: basic format, week dates, long fractions."""
    text = text.strip().upper()
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is not None:
            return at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    is_date = pc.match_substring_regex(pa.array([text]), _DATE)[0].as_py()
    placed = instants(pa.array([at], pa.timestamp("us")), timezone="UTC" if is_date else timezone)
    value = _of_the_calendar(placed)[0].as_py()
    return value if isinstance(value, datetime) else None
