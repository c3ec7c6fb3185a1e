"""Values of a column's kind in its own Arrow type, for engines that alter what they are given in another one.

What fits is known by now; texts are read here, and those that no calendar has are found.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.destinations._sql._misfits import Converted, Misfit, out_of_range, outside
from reverse_etl.destinations._sql.columns import Column, Kind
from reverse_etl.sources._zones import instants_of

_TRUE: Final = pa.array(["true", "t", "yes", "y", "on", "1"])
_FALSE: Final = pa.array(["false", "f", "no", "n", "off", "0"])
_DAY_LENGTH: Final = 10
_HAS_ZONE: Final = r"(?:Z|[+-]\d{2}(?::?\d{2})?)$"
_DIGITS: Final = 76
"""Of the longest decimal."""


def exact(values: pa.Array, column: Column, timezone: str) -> Converted:
    """Values in the column's Arrow type.

    Args:
        values: As ``_values`` makes them for the column's kind; null where they do not fit.
        column: The table's, with its type.
        timezone: What date-times without a zone are in, there.
    """
    target = column.arrow
    if target is None or values.type == target:
        return _uuids(values) if column.kind is Kind.UUID else values, ()
    if pa.types.is_string(values.type):
        return _read(values, target, column, timezone)
    if pa.types.is_decimal(target) and pa.types.is_integer(values.type):
        values = values.cast(pa.decimal256(_DIGITS, target.scale))
    # The range was looked at; digits behind a float's or a second's last are cut off as the type does.
    return values.cast(target, safe=not pa.types.is_timestamp(target) and not pa.types.is_floating(target)), ()


def _read(values: pa.Array, target: pa.DataType, column: Column, timezone: str) -> Converted:
    texts = pc.utf8_trim_whitespace(values)
    if column.kind is Kind.BOOLEAN:
        return _booleans(texts)
    if column.kind is Kind.DATE:
        days, unreadable = _cast(texts, pa.date32())
        return days, (_not_a(unreadable, "date", "a date like 2024-02-29"), *_outside(days.cast(pa.int32()), column))
    if column.kind is Kind.INSTANT:
        instants, unreadable = _instants(texts, timezone)
        found = (_not_a(unreadable, "date_time", "a date-time like 2024-02-29T12:30:00Z"), *_outside(instants, column))
        return instants.cast(target, safe=False), found
    numbers, unreadable = _cast(texts, target)
    return numbers, (_not_a(unreadable, "number", "a number"),)


def _outside(times: pa.Array, column: Column) -> tuple[Misfit, ...]:
    held = column.days if column.kind is Kind.DATE else column.instants
    return () if held is None else (out_of_range(outside(times.cast(pa.int64()), *held), column),)


def _not_a(mask: pa.BooleanArray, reason: str, what: str) -> Misfit:
    return Misfit(mask, f"not_a_{reason}", f"the text is not {what}.")


def _booleans(texts: pa.Array) -> Converted:
    words = pc.utf8_lower(texts)
    true, false = pc.is_in(words, _TRUE), pc.is_in(words, _FALSE)
    neither = pc.and_(pc.is_valid(words), pc.invert(pc.or_(true, false)))
    return pc.if_else(pc.is_valid(words), true, pa.scalar(None, pa.bool_())), (
        _not_a(neither, "boolean", "true or false"),
    )


def _instants(texts: pa.Array, timezone: str) -> tuple[pa.Array, pa.BooleanArray]:
    """Texts with a zone, and those without, which are in a destination's; and which of them are none."""
    zoned = pc.match_substring_regex(texts, _HAS_ZONE)
    zoned = pc.and_(zoned, pc.greater(pc.utf8_length(texts), _DAY_LENGTH))
    nothing = pa.scalar(None, pa.string())
    instants, no_instants = _cast(pc.if_else(zoned, texts, nothing), pa.timestamp("us", "UTC"))
    walls, no_walls = _cast(pc.if_else(zoned, nothing, texts), pa.timestamp("us"))
    return pc.if_else(pc.fill_null(zoned, False), instants, instants_of(walls, timezone)), pc.or_(no_instants, no_walls)


def _uuids(texts: pa.Array) -> pa.Array:
    """Without the braces and the hyphens that a UUID may be written with."""
    return pc.replace_substring_regex(texts, r"[{}-]", "")


def _cast(values: pa.Array, target: pa.DataType) -> tuple[pa.Array, pa.BooleanArray]:
    """Values of another type, null where there is none; and where that is. Halves of what fails are tried in turn."""
    try:
        return values.cast(target), pa.repeat(False, len(values))
    except pa.ArrowInvalid:
        if len(values) == 1:
            return pa.nulls(1, target), pa.array([True])
    middle = len(values) // 2
    halves = [_cast(values.slice(0, middle), target), _cast(values.slice(middle), target)]
    return pa.concat_arrays([cast for cast, _ in halves]), pa.concat_arrays([bad for _, bad in halves])
