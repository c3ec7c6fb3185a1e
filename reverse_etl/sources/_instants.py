"""Date-times and dates as canonical columns: the zone applied, and what does not fit said as Unix seconds."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.errors import ConfigError
from reverse_etl.sources.base import OUTSIDE_YEARS

TICKS_PER_S: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
DAY_S: Final = 86_400
FIRST_S: Final = -62_135_596_800  # 0001-01-01T00:00:00Z
LAST_S: Final = 253_402_300_799  # 9999-12-31T23:59:59Z
_INT64_MAX: Final = 2**63 - 1
_INFINITIES: Final = {
    "timestamp": {_INT64_MAX: "Infinity", -_INT64_MAX: "-Infinity"},
    "date": {2**31 - 1: "Infinity", -(2**31 - 1): "-Infinity"},
}
"""The numbers that stand for infinite instants in Arrow data. Source: duckdb.org/docs/sql/data_types/timestamp."""


def instants(column: pa.Array, *, timezone: str) -> tuple[pa.Array, str]:
    """A column of Arrow timestamps or dates, any unit, with or without a zone, as a canonical one.

    Args:
        column: The values; a zone-less timestamp is a wall clock's.
        timezone: Where that wall clock hangs.

    Returns:
        The column and its mark: ``timestamp[us, tz=UTC]`` or ``date32`` with an empty mark, or, where one value
        does not fit, Unix seconds as text with the mark ``decimal``. As long as the column, nulls kept.
    """
    if pa.types.is_date64(column.type):
        column = pc.cast(column, pa.timestamp("ms"))
        column = pc.cast(column, pa.date32(), safe=False)
    if pa.types.is_date32(column.type):
        return _dates(column)
    ticks = TICKS_PER_S[column.type.unit]
    raw = column.cast(pa.int64())
    fits = _within(raw, ticks)
    if _all(fits):
        placed = _placed(column, timezone)
        if _all(_within(placed.cast(pa.int64()), TICKS_PER_S["us"])):
            return placed, ""
    placed = _placed(pc.if_else(fits, column, pa.scalar(None, column.type)), timezone)
    inner = pc.if_else(_within(placed.cast(pa.int64()), TICKS_PER_S["us"]), seconds_text(placed), OUTSIDE_YEARS)
    return _overlaid(inner, raw, fits, infinities=_INFINITIES["timestamp"]), "decimal"


def seconds_text(column: pa.Array) -> pa.StringArray:
    """Canonical date-times or dates as Unix seconds, rounded down, in digits; nulls kept."""
    if pa.types.is_date32(column.type):
        return pc.cast(pc.multiply(pc.cast(column.cast(pa.int32()), pa.int64()), DAY_S), pa.string())
    ticks = np.asarray(column.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False))
    seconds = pa.array(ticks // TICKS_PER_S["us"], pa.int64(), mask=np.asarray(column.is_null()))
    return pc.cast(seconds, pa.string())


def _dates(column: pa.Array) -> tuple[pa.Array, str]:
    raw = pc.cast(column.cast(pa.int32()), pa.int64())
    fits = pc.and_(pc.greater_equal(raw, FIRST_S // DAY_S), pc.less_equal(raw, LAST_S // DAY_S))
    if _all(fits):
        return column, ""
    inner = seconds_text(pc.if_else(fits, column, pa.scalar(None, column.type)))
    days = pc.if_else(pc.less(pc.abs(raw), 2**31 - 1), pc.multiply(raw, DAY_S), raw)
    return _overlaid(inner, days, fits, infinities=_INFINITIES["date"]), "decimal"


def _within(raw: pa.Array, ticks: int) -> pa.BooleanArray:
    """Where a count of ticks falls in the years 0001 to 9999; null where it is null."""
    first = max(FIRST_S * ticks, -_INT64_MAX + 1)
    last = min((LAST_S + 1) * ticks - 1, _INT64_MAX - 1)
    return pc.and_(pc.greater_equal(raw, first), pc.less_equal(raw, last))


def _all(mask: pa.BooleanArray) -> bool:
    return pc.all(mask).as_py() is not False


def _placed(column: pa.Array, timezone: str) -> pa.Array:
    """Timestamps as microseconds in UTC; finer digits are cut off."""
    in_us = pc.cast(column, pa.timestamp("us", column.type.tz), safe=False)
    if column.type.tz is not None or timezone == "UTC":
        return pc.cast(in_us, pa.timestamp("us", "UTC"))
    try:
        zoned = pc.assume_timezone(in_us, timezone, ambiguous="earliest", nonexistent="latest")
    except pa.ArrowInvalid as error:
        raise ConfigError(
            f"this machine has no data for the time zone {timezone}.", hint="Install the system package tzdata."
        ) from error
    return pc.cast(zoned, pa.timestamp("us", "UTC"))


def _overlaid(
    inner: pa.StringArray, raw: pa.Array, fits: pa.BooleanArray, *, infinities: dict[int, str]
) -> pa.StringArray:
    """``inner``, and a word where the value does not fit."""
    outer = [
        None if fit is not False else infinities.get(value, OUTSIDE_YEARS)
        for value, fit in zip(raw.to_pylist(), fits.to_pylist(), strict=True)
    ]
    return pc.coalesce(inner, pa.array(outer, pa.string()))
