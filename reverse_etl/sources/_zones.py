"""Wall clocks of a time zone and instants, one as the other, in every year.

Arrow knows no daylight saving time after 2037; those later times, few if any, are looked up one by one.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.errors import ConfigError

_WALL: Final = pa.timestamp("us")
_INSTANT: Final = pa.timestamp("us", "UTC")
_UNKNOWN_US: Final = int(datetime(2037, 12, 1, tzinfo=UTC).timestamp()) * 1_000_000
"""From here on Arrow's zones end. Source: the 32 bits of times in its copy of the tz database; seen with Arrow 26."""
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - a wall clock's
_US: Final = timedelta(microseconds=1)


def instants_of(walls: pa.Array, timezone: str) -> pa.Array:
    """Wall clocks (``timestamp[us]``) as instants in UTC.

    One that the clock skipped is the first instant after the gap; one that came twice is the first of the two.

    Raises:
        ConfigError: This machine has no data for the time zone.
    """
    if timezone == "UTC":
        return walls.cast(_INSTANT)
    late = _late(walls)
    known = walls if late is None else pc.if_else(late, pa.scalar(0, _WALL), walls)
    try:
        instants = pc.assume_timezone(known, timezone, ambiguous="earliest", nonexistent="latest")
    except pa.ArrowInvalid as error:
        raise ConfigError(
            f"this machine has no data for the time zone {timezone}.", hint="Install the system package tzdata."
        ) from error
    instants = instants.cast(_INSTANT)
    if late is None:
        return instants
    zone = ZoneInfo(timezone)
    found = [_instant_us(us, zone) for us in walls.filter(late).cast(pa.int64()).to_pylist()]
    return pc.replace_with_mask(instants, late, pa.array(found, pa.int64()).cast(_INSTANT))


def walls_of(instants: pa.Array, timezone: str) -> pa.Array:
    """Instants in UTC as wall clocks (``timestamp[us]``)."""
    if timezone == "UTC":
        return instants.cast(_WALL)
    walls = pc.local_timestamp(instants.cast(pa.timestamp("us", timezone)))
    late = _late(instants)
    if late is None:
        return walls
    zone = ZoneInfo(timezone)
    found = [us + _offset_us(us, zone) for us in instants.filter(late).cast(pa.int64()).to_pylist()]
    return pc.replace_with_mask(walls, late, pa.array(found, pa.int64()).cast(_WALL))


def _late(times: pa.Array) -> pa.BooleanArray | None:
    """Where Arrow does not know a zone, within the years that Python has; None for nowhere, which is the usual."""
    us = times.cast(pa.int64())
    late = pc.fill_null(pc.and_(pc.greater_equal(us, _UNKNOWN_US), pc.less(us, _LAST_US)), False)
    return late if pc.any(late).as_py() else None


_LAST_US: Final = (datetime(9999, 12, 30) - _EPOCH) // _US  # noqa: DTZ001


def _offset_us(instant_us: int, zone: tzinfo) -> int:
    offset = (_EPOCH.replace(tzinfo=UTC) + instant_us * _US).astimezone(zone).utcoffset()
    return (offset or timedelta()) // _US


def _instant_us(wall_us: int, zone: tzinfo) -> int:
    wall = (_EPOCH + wall_us * _US).replace(tzinfo=zone)
    before, after = (wall_us - (wall.replace(fold=fold).utcoffset() or timedelta()) // _US for fold in (0, 1))
    if before + _offset_us(before, zone) == wall_us:
        return before
    # In a gap: the clock changed between the two.
    early, late = sorted((before, after))
    while late - early > 1:
        middle = (early + late) // 2
        if _offset_us(middle, zone) == _offset_us(early, zone):
            early = middle
        else:
            late = middle
    return late
