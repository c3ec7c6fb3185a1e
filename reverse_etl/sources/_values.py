"""From columns of Python values to canonical types, for engines whose driver gives Python objects."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.sources._arrow import canonical_field
from reverse_etl.sources._instants import instants, outside_years, seconds_text
from reverse_etl.sources._json import UNSENDABLE, digits, dump, plain
from reverse_etl.sources.base import NOT_TEXT

_CATEGORIES: Final[tuple[tuple[type | tuple[type, ...], str], ...]] = (
    (bool, "boolean"),
    (int, "integer"),
    (float, "float"),
    (Decimal, "decimal"),
    (str, "text"),
    ((bytes, bytearray, memoryview), "binary"),
    (datetime, "date-time"),
    (date, "date"),
    ((dict, list, tuple, set, frozenset), "json"),
)
_NUMBERS: Final = frozenset({"integer", "float", "decimal"})
_INSTANTS: Final = frozenset({"date-time", "date"})
_TEXTS: Final = frozenset({"text", "other"})


def columns_to_batch(
    names: Sequence[str], columns: Sequence[Sequence[Any] | pa.Array], *, timezone: str
) -> pa.RecordBatch:
    """Columns of Python values as one batch in canonical types.

    A column's type follows from the values of this batch. Numbers of several kinds become decimal, dates among
    date-times midnight UTC, any other mixture json, in which date-times are Unix seconds.

    Args:
        names: One name per column; they differ.
        columns: Equally long, None for NULL. Values of classes not known here become text with ``str``; an Arrow array
            is canonical already.
        timezone: How zone-less date-times are read.
    """
    arrays = []
    fields = []
    for name, values in zip(names, columns, strict=True):
        array, mark = (values, "") if isinstance(values, pa.Array) else column(values, timezone=timezone)
        arrays.append(array)
        fields.append(canonical_field(name, array, mark))
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def column(values: Sequence[Any], *, timezone: str) -> tuple[pa.Array, str]:
    """One canonical column and its mark: ``decimal``, ``json`` or empty."""
    found = frozenset(map(_category, set(map(type, values)) - {type(None)}))
    if not found:
        return pa.nulls(len(values)), ""
    if found == {"integer"}:
        return _integers(values)
    if found == {"boolean"}:
        return pa.array(values, pa.bool_()), ""
    if found == {"float"}:
        return pa.array(values, pa.float64(), from_pandas=False), ""
    if found == {"binary"}:
        return pa.array(values, pa.binary()), ""
    if found <= _NUMBERS:
        return _digits(values), "decimal"
    if found <= _INSTANTS:
        return _instants(values, found, timezone), ""
    if found <= _TEXTS:
        written = values if found == {"text"} else [None if value is None else _written(value) for value in values]
        return _texts(written), ""
    return _mixed(values, timezone), "json"


def _category(kind: type) -> str:
    return next((category for kinds, category in _CATEGORIES if issubclass(kind, kinds)), "other")


def _integers(values: Sequence[int | None]) -> tuple[pa.Array, str]:
    try:
        return pa.array(values, pa.int64()), ""
    except OverflowError:
        return _digits(values), "decimal"


def _digits(values: Sequence[Any]) -> pa.StringArray:
    return pa.array([None if value is None else digits(value) for value in values], pa.string())


def _written(value: Any) -> str:
    if isinstance(value, str):
        return value
    return _clock(value) if isinstance(value, timedelta) else str(value)


def _texts(values: Sequence[str | None]) -> pa.StringArray:
    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError:
        return pa.array([value if value is None or _is_encodable(value) else NOT_TEXT for value in values], pa.string())


def _is_encodable(text: str) -> bool:
    """Whether it holds no half of a surrogate pair, which is also what drivers make of bytes that are not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _clock(length: timedelta) -> str:
    """``-12:34:56.5``: hours may exceed a day, as in MySQL's TIME."""
    us = abs(length) // timedelta(microseconds=1)
    seconds, us = divmod(us, 1_000_000)
    fraction = f".{us:06d}".rstrip("0").rstrip(".")
    sign = "-" if length < timedelta() else ""
    return f"{sign}{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{fraction}"


def _instants(values: Sequence[Any], found: frozenset[str], timezone: str) -> pa.Array:
    if found == {"date"}:
        return instants(pa.array(values, pa.date32()), timezone=timezone)
    if "date" in found:
        values = [
            datetime(value.year, value.month, value.day, tzinfo=UTC) if _category(type(value)) == "date" else value
            for value in values
        ]
    naive = [value if value is not None and value.tzinfo is None else None for value in values]
    aware = [value if value is not None and value.tzinfo is not None else None for value in values]
    zoneless = instants(pa.array(naive, pa.timestamp("us")), timezone=timezone)
    return pc.coalesce(zoneless, instants(pa.array(aware, pa.timestamp("us", "UTC")), timezone=timezone))


def _mixed(values: Sequence[Any], timezone: str) -> pa.StringArray:
    return pa.array([None if value is None else dump(_alone(value, timezone)) for value in values], pa.string())


def _alone(value: Any, timezone: str) -> Any:
    """A value of a mixed column, written as it would be in a column of its own kind."""
    category = _category(type(value))
    if category in _INSTANTS:
        at = _instants([value], frozenset({category}), timezone)
        return UNSENDABLE if outside_years(at)[0].as_py() else orjson.Fragment(seconds_text(at)[0].as_py().encode())
    if category == "float" and math.isfinite(value):
        return orjson.Fragment(digits(value).encode())
    return _written(value) if category in _TEXTS else plain(value)
