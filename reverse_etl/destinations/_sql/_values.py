"""One column's values as those of another kind, with a reason for each that there is none for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.destinations._sql._exact import exact
from reverse_etl.destinations._sql._misfits import (
    GREATEST,
    Converted,
    Misfit,
    not_an_integer,
    not_finite,
    out_of_range,
    outside,
    whole_digits,
    without,
    wrong,
)
from reverse_etl.destinations._sql._texts import text
from reverse_etl.destinations._sql.columns import Column, Kind
from reverse_etl.sources._zones import instants_of, walls_of
from reverse_etl.sources.base import NOT_JSON

_EXACT: Final = 2**53
"""Up to here every integer is a float."""
_GREATEST_SINGLE: Final = 3.4028235677973366e38
"""From here on a number rounds to infinity in 32 bits."""
_LEAST_SINGLE: Final = 7.006492321624086e-46
"""A number of at most half the least of 32 bits rounds to nothing."""
_FIRST, _AFTER_LAST = -62_135_596_800_000_000, 253_402_300_800_000_000
"""The years 1 to 9999 in microseconds since 1970."""
_DIGITS: Final = 6
"""Of a second, in microseconds."""


def convert(given: pa.Array, logical: str, column: Column, timezone: str) -> Converted:
    """A column as the table's column takes it, as long as what was given, null where it does not fit.

    Args:
        given: Canonical values.
        logical: Their logical type (``sources.base``).
        column: The table's.
        timezone: What date-times without a zone are in, there.
    """
    kind = pa.types
    if kind.is_null(given.type):
        return given.cast(column.arrow or pa.string()), ()
    if kind.is_boolean(given.type):
        fitted, misfits = _boolean(given, column)
    elif kind.is_integer(given.type):
        fitted, misfits = _integer(given, column)
    elif kind.is_floating(given.type):
        fitted, misfits = _float(given, column)
    elif kind.is_date(given.type):
        fitted, misfits = _date(given, column, timezone)
    elif kind.is_timestamp(given.type):
        fitted, misfits = _instant(given, column, timezone)
    elif logical == "decimal":
        fitted, misfits = _decimal(given, column)
    elif logical == "json":
        fitted, misfits = _json(given, column)
    elif kind.is_string(given.type):
        fitted, misfits = text(given, column)
    else:
        fitted, misfits = wrong(given, "a binary value", column)
    fitted = without(fitted, misfits)
    if column.arrow is None:
        return fitted, misfits
    fitted, unreadable = exact(fitted, column, timezone)
    return without(fitted, unreadable), [*misfits, *unreadable]


def _boolean(given: pa.Array, column: Column) -> Converted:
    if column.kind is Kind.BOOLEAN:
        return given, ()
    if column.takes_booleans:
        return given.cast(pa.int8()).cast(pa.int64()), ()
    if column.kind in (Kind.TEXT, Kind.ENUM, Kind.JSON, Kind.OTHER):
        return text(given.cast(pa.string()), column)
    return wrong(given, "a boolean", column)


def _integer(given: pa.Array, column: Column) -> Converted:
    if column.kind is Kind.INTEGER:
        return given, (out_of_range(outside(given, *column.integers), column),)
    if column.kind is Kind.NUMERIC:
        most = 10 ** min(whole_digits(column), 19) - 1
        least = 0 if column.unsigned else -most
        return given, (out_of_range(outside(given, least, most), column),) if most < 10**18 or not least else ()
    if column.kind is Kind.FLOAT:
        most = 2**24 if column.single else _EXACT
        inexact = pc.and_(outside(given, -most, most), pc.not_equal(_rounded(given, column), given))
        misfits = [Misfit(inexact, "not_exact", f"{column.type} cannot hold all digits of the number.")]
        return given, [*misfits, *_signed(given, column)]
    if column.kind is Kind.BOOLEAN:
        return pc.equal(given, 1), (out_of_range(outside(given, 0, 1), column),)
    if column.kind in (Kind.TEXT, Kind.ENUM, Kind.JSON, Kind.OTHER):
        return text(given.cast(pa.string()), column)
    return wrong(given, "an integer", column)


def _rounded(given: pa.Array, column: Column) -> pa.Array:
    """Integers as the column's floats, and back."""
    floats = given.cast(pa.float32() if column.single else pa.float64(), safe=False)
    return floats.cast(pa.int64(), safe=False)


def _float(given: pa.Array, column: Column) -> Converted:
    if column.kind is Kind.INTEGER:
        whole = pc.and_(pc.is_finite(given), pc.equal(given, pc.trunc(given)))
        lowest, highest = float(column.integers[0]), float(min(column.integers[1], GREATEST))
        # 2**63 is a float, 2**63 - 1 is none: it rounds to what is already too much.
        above = pc.greater_equal if highest > _EXACT else pc.greater
        too_great = pc.and_(whole, pc.or_(pc.less(given, lowest), above(given, highest)))
        fits = pc.and_(whole, pc.invert(too_great))
        integers = pc.if_else(fits, given, pa.scalar(None, given.type)).cast(pa.int64())
        return integers, (not_an_integer(pc.invert(whole)), out_of_range(too_great, column))
    if column.kind is Kind.NUMERIC:
        texts = given.cast(pa.string())
        if column.precision is None:
            return texts, ()
        # A text has digits that a decimal of few cannot hold: a float is rounded.
        texts = texts if column.arrow is None else given
        most = 10.0 ** whole_digits(column)
        great = out_of_range(pc.greater_equal(pc.abs(pc.round(given, ndigits=column.scale)), most), column)
        return texts, [great, *_signed(given, column), *_finite(given, column)]
    if column.kind is Kind.FLOAT:
        single = [out_of_range(_not_single(given), column)] if column.single else []
        return given, [*single, *_signed(given, column), *_finite(given, column)]
    if column.kind in (Kind.TEXT, Kind.JSON, Kind.OTHER):
        return text(given.cast(pa.string()), column)
    return wrong(given, "a number", column)


def _signed(given: pa.Array, column: Column) -> Sequence[Misfit]:
    return (out_of_range(pc.less(given, pa.scalar(0, given.type)), column),) if column.unsigned else ()


def _finite(given: pa.Array, column: Column) -> Sequence[Misfit]:
    return (not_finite(pc.invert(pc.is_finite(given)), column),) if column.finite else ()


def _not_single(given: pa.Array) -> pa.BooleanArray:
    size = pc.abs(given)
    too_great = pc.and_(pc.greater_equal(size, _GREATEST_SINGLE), pc.is_finite(given))
    return pc.or_(too_great, pc.and_(pc.less_equal(size, _LEAST_SINGLE), pc.greater(size, 0.0)))


def _decimal(given: pa.Array, column: Column) -> Converted:
    if column.kind in (Kind.NUMERIC, Kind.INTEGER, Kind.FLOAT, Kind.TEXT, Kind.JSON, Kind.OTHER):
        return text(given, column)
    return wrong(given, "a decimal number", column)


def _json(given: pa.Array, column: Column) -> Converted:
    if column.kind in (Kind.JSON, Kind.TEXT, Kind.OTHER):
        return text(given, column)
    # A column of several kinds is JSON (``sources.base``): a number or text among them is the column's to read.
    several = pc.or_(pc.match_substring_regex(given, r"^\s*[\[{]"), pc.equal(given, NOT_JSON))
    fitted, misfits = text(_scalars(pc.if_else(several, pa.scalar(None, pa.string()), given)), column)
    return fitted, [
        Misfit(several, "wrong_type", f"JSON cannot be written to a column of type {column.type}."),
        *misfits,
    ]


def _scalars(given: pa.StringArray) -> pa.StringArray:
    """Numbers and words as they are, texts without their quotes."""
    quoted = pc.starts_with(given, '"')
    if not pc.any(quoted).as_py():
        return given
    return pa.array(
        [json.loads(each) if each is not None and each.startswith('"') else each for each in given.to_pylist()],
        pa.string(),
    )


def _date(given: pa.Array, column: Column, timezone: str) -> Converted:
    days = given.cast(pa.timestamp("us"))
    beyond = out_of_range(outside(days.cast(pa.int64()), _FIRST, _AFTER_LAST - 1), column)
    if column.kind is Kind.DATE:
        return given, (beyond, *_held(given, column))
    if column.kind is Kind.WALL_CLOCK:
        return days, (beyond,)
    if column.kind is Kind.INSTANT:
        instants = instants_of(days, timezone)
        return instants, (beyond, *_held(instants, column))
    if column.kind in (Kind.TEXT, Kind.OTHER):
        texts, misfits = text(given.cast(pa.string()), column)
        return texts, (beyond, *misfits)
    return wrong(given, "a date", column)


def _instant(given: pa.Array, column: Column, timezone: str) -> Converted:
    beyond = out_of_range(outside(given.cast(pa.int64()), _FIRST, _AFTER_LAST - 1), column)
    if column.kind is Kind.INSTANT:
        return _cut(given, column), (beyond, *_held(given, column))
    if column.kind in (Kind.TEXT, Kind.OTHER):
        texts, misfits = text(pc.strftime(given, format="%Y-%m-%dT%H:%M:%SZ"), column)
        return texts, (beyond, *misfits)
    if column.kind not in (Kind.WALL_CLOCK, Kind.DATE):
        return wrong(given, "a date-time", column)
    local = walls_of(given, timezone)
    if column.kind is Kind.WALL_CLOCK:
        return _cut(local, column), (beyond,)
    into_day = pc.subtract(local.cast(pa.int64()), pc.floor_temporal(local, unit="day").cast(pa.int64()))
    cut_off = Misfit(pc.not_equal(into_day, 0), "has_a_time", f"the date-time is not midnight in {timezone}.")
    dates = pc.floor_temporal(local, unit="day").cast(pa.date32())
    return dates, (beyond, cut_off, *_held(dates, column))


def _held(times: pa.Array, column: Column) -> Sequence[Misfit]:
    """Instants or days beyond what the column has room for."""
    held = column.days if column.kind is Kind.DATE else column.instants
    if held is None:
        return ()
    numbers = times.cast(pa.int32()) if column.kind is Kind.DATE else times
    return (out_of_range(outside(numbers.cast(pa.int64()), *held), column),)


def _cut(times: pa.Array, column: Column) -> pa.Array:
    """Without the digits that some servers cut off and others round."""
    if column.fraction >= _DIGITS:
        return times
    return pc.floor_temporal(times, multiple=10 ** (_DIGITS - column.fraction), unit="microsecond")
