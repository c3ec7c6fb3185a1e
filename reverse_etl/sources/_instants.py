"""Date-times and dates as canonical columns: the zone applied, and a number of its own for what is no time."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.sources._zones import instants_of
from reverse_etl.sources.base import NO_DATE, OUTSIDE_YEARS

TICKS_PER_S: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
DAY_S: Final = 86_400
FIRST_S: Final = -62_135_596_800  # 0001-01-01T00:00:00Z
LAST_S: Final = 253_402_300_799  # 9999-12-31T23:59:59Z
_INT64_MAX: Final = 2**63 - 1
_US: Final = TICKS_PER_S["us"]
_NONE: Final = {pa.timestamp("us", "UTC"): -(2**62), pa.date32(): -(2**30)}
"""Where a canonical column has a day that no calendar has. Neither is a time that a database can hold."""
_BEYOND: Final = {pa.timestamp("us", "UTC"): (LAST_S + 1) * _US, pa.date32(): (LAST_S + 1) // DAY_S}
"""Where a canonical column has any time outside the years 1 to 9999, or an infinite one."""


def instants(column: pa.Array, *, timezone: str) -> pa.Array:
    """A column of Arrow timestamps or dates, any unit, with or without a zone, as a canonical one.

    Args:
        column: The values; a zone-less timestamp is a wall clock's.
        timezone: Where that wall clock hangs.

    Returns:
        ``timestamp[us, tz=UTC]`` or ``date32``, as long as the column, nulls kept. What is outside the years 1 to
        9999 is a time there that ``outside_years`` finds; no other value changes for it.
    """
    if pa.types.is_date64(column.type):
        column = pc.cast(column, pa.timestamp("ms"))
        column = pc.cast(column, pa.date32(), safe=False)
    if pa.types.is_date32(column.type):
        return _replaced(column, column, _within_days(column))
    ticks = TICKS_PER_S[column.type.unit]
    fits = _within(column.cast(pa.int64()), ticks)
    placed = _placed(column if _all(fits) else pc.if_else(fits, column, None), timezone)
    return _replaced(placed, column, pc.and_kleene(fits, _within(placed.cast(pa.int64()), _US)))


def without_dates(column: pa.Array, none: pa.BooleanArray) -> pa.Array:
    """A canonical column of times in which the rows ``none`` have a day that no calendar has, such as 0000-00-00."""
    return pc.if_else(none, _scalar(_NONE[column.type], column.type), column)


def beyond_years(column: pa.Array, beyond: pa.BooleanArray) -> pa.Array:
    """A canonical column of times in which the rows ``beyond`` are outside the years 1 to 9999."""
    return pc.if_else(beyond, _scalar(_BEYOND[column.type], column.type), column)


def no_dates(column: pa.Array) -> pa.BooleanArray:
    """Where a canonical column of times has a day that no calendar has; null where it is null."""
    return pc.equal(column, _scalar(_NONE[column.type], column.type))


def outside_years(column: pa.Array) -> pa.BooleanArray:
    """Where a canonical column has no time of the years 1 to 9999, for whichever reason; null where it is null."""
    if pa.types.is_date32(column.type):
        return pc.invert(_within_days(column))
    return pc.invert(_within(column.cast(pa.int64()), _US))


def values(column: pa.Array) -> list[Any]:
    """A canonical column's Python values; ``NO_DATE`` and ``OUTSIDE_YEARS`` where Python has no such time."""
    if column.type not in _BEYOND:
        return list(column.to_pylist())
    beyond = outside_years(column)
    times = pc.if_else(beyond, None, column).to_pylist()
    if _all(pc.invert(beyond)):
        return list(times)
    return [
        time if not is_beyond else NO_DATE if is_none else OUTSIDE_YEARS
        for time, is_beyond, is_none in zip(times, beyond.to_pylist(), no_dates(column).to_pylist(), strict=True)
    ]


def seconds_text(column: pa.Array) -> pa.StringArray:
    """Canonical date-times or dates as Unix seconds, rounded down, in digits; nulls kept."""
    if pa.types.is_date32(column.type):
        return pc.cast(pc.multiply(pc.cast(column.cast(pa.int32()), pa.int64()), DAY_S), pa.string())
    ticks = np.asarray(column.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False))
    seconds = pa.array(ticks // TICKS_PER_S["us"], pa.int64(), mask=np.asarray(column.is_null()))
    return pc.cast(seconds, pa.string())


def _scalar(number: int, kind: pa.DataType) -> pa.Scalar:
    return pa.scalar(number, pa.int32() if pa.types.is_date32(kind) else pa.int64()).cast(kind)


def _replaced(canonical: pa.Array, column: pa.Array, fits: pa.BooleanArray) -> pa.Array:
    """``canonical`` where it fits; elsewhere beyond the years, and no date where a canonical ``column`` has none."""
    if _all(fits):
        return canonical
    beyond = beyond_years(canonical, pc.invert(fits))
    return without_dates(beyond, no_dates(column)) if column.type in _NONE else beyond


def _within_days(column: pa.Array) -> pa.BooleanArray:
    raw = column.cast(pa.int32())
    return pc.and_(pc.greater_equal(raw, FIRST_S // DAY_S), pc.less_equal(raw, LAST_S // DAY_S))


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
    return instants_of(in_us, timezone) if column.type.tz is None else pc.cast(in_us, pa.timestamp("us", "UTC"))
