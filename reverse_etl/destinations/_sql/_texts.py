"""Texts as a column reads them; the server decides what it alone knows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import reduce
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.destinations._sql._misfits import (
    GREATEST,
    Converted,
    Misfit,
    not_an_integer,
    out_of_range,
    whole_digits,
)
from reverse_etl.destinations._sql.columns import Column, Kind

_MOST_EXPONENT: Final = 400

_UUID: Final = r"^\{?[0-9a-fA-F]{4}(?:-?[0-9a-fA-F]{4}){7}\}?$"
_NUMBER: Final = r"^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*$"
_NO_NUMBER: Final = r"(?i)^\s*(?:nan|[+-]?inf(?:inity)?)\s*$"
_DAY: Final = r"^\d{4}-\d{2}-\d{2}$"
_CLOCK: Final = r"^\d{4}-\d{2}-\d{2}(?:[ T]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)?"
_ZONE: Final = r"(?:Z|[+-]\d{2}(?::?\d{2})?)"


def text(given: pa.Array, column: Column) -> Converted:
    """Texts, by what the column reads them as; where the server decides, it does."""
    check = _OF_TEXT.get(column.kind)
    misfits = [] if check is None else check(given, column)
    if not column.holds_nul:
        nul = pc.match_substring(given, "\0")
        misfits.append(Misfit(nul, "nul_character", "the text holds a NUL character."))
    if column.kind is Kind.INTEGER:
        digits = pc.if_else(_outside_any(misfits), pa.scalar(None), _digits(given))
        return (digits if column.integers[1] > GREATEST else digits.cast(pa.int64())), misfits
    return plain(given) if column.kind is Kind.NUMERIC else given, misfits


def _long(given: pa.Array, column: Column) -> list[Misfit]:
    misfits = []
    for most, length, unit in (
        (column.characters, pc.utf8_length, "characters"),
        (column.octets, pc.binary_length, "bytes"),
    ):
        if most is not None:
            message = f"the text is longer than the column's {most:,} {unit}."
            misfits.append(Misfit(pc.greater(length(given), most), "too_long", message))
    return misfits


def _one_of(given: pa.Array, column: Column) -> list[Misfit]:
    other = pc.and_(pc.is_valid(given), pc.invert(pc.is_in(given, pa.array(column.values, pa.string()))))
    return [Misfit(other, "not_an_allowed_value", f"the text is not one of the values of {column.type}.")]


def _uuid(given: pa.Array, _column: Column) -> list[Misfit]:
    return [Misfit(_unlike(given, _UUID), "not_a_uuid", "the text is not a UUID.")]


def _day(given: pa.Array, _column: Column) -> list[Misfit]:
    return [Misfit(_unlike(given, _DAY), "not_a_date", "the text is not a date like 2024-02-29.")]


def _wall_clock(given: pa.Array, _column: Column) -> list[Misfit]:
    message = "the text is not a date-time like 2024-02-29 12:30:00, without a zone."
    return [Misfit(_unlike(given, f"{_CLOCK}$"), "not_a_date_time", message)]


def _zoned_clock(given: pa.Array, _column: Column) -> list[Misfit]:
    message = "the text is not a date-time like 2024-02-29T12:30:00Z."
    return [Misfit(_unlike(given, f"{_CLOCK}{_ZONE}?$"), "not_a_date_time", message)]


def _number(given: pa.Array, column: Column) -> list[Misfit]:
    no_number = _unlike(given, _NUMBER)
    if not column.finite:
        no_number = pc.and_(no_number, _unlike(given, _NO_NUMBER))
    misfits = [Misfit(no_number, "not_a_number", "the text is not a number.")]
    if column.unsigned:
        misfits.append(out_of_range(pc.match_substring_regex(given, r"^\s*-.*[1-9]"), column))
    return misfits


def _whole_number(given: pa.Array, column: Column) -> list[Misfit]:
    number = _number(given, column)
    digits = _digits(given)
    whole = pc.match_substring_regex(digits, r"^-?\d+$")
    # As many digits as any integer column of 64 bits has, or of more.
    wide = column.integers[1] >= 10**38
    number_type = pa.decimal256(76, 0) if wide else pa.decimal128(38, 0)
    short = pc.and_(whole, pc.less_equal(pc.utf8_length(digits), number_type.precision))
    decimals = pc.if_else(short, digits, pa.scalar(None, pa.string())).cast(number_type)
    lowest, highest = (pa.scalar(Decimal(end), number_type) for end in column.integers)
    outside = pc.or_(pc.less(decimals, lowest), pc.greater(decimals, highest))
    too_long = pc.and_(whole, pc.invert(short))
    return [*number, not_an_integer(pc.invert(whole)), out_of_range(pc.or_kleene(too_long, outside), column)]


def _digits(given: pa.Array) -> pa.Array:
    """Whole numbers as digits alone; other texts as they are."""
    return pc.replace_substring_regex(plain(given), r"^\s*\+?(-?)0*(\d+?)(?:\.0*)?\s*$", r"\1\2")


def _outside_any(misfits: Sequence[Misfit]) -> pa.BooleanArray:
    """Whether a value is in one of the masks."""
    masks = [pc.fill_null(misfit.mask, False) for misfit in misfits]
    return reduce(pc.or_, masks)


def _exact_number(given: pa.Array, column: Column) -> list[Misfit]:
    number = _number(given, column)
    if column.precision is None:
        return number
    written, whole = plain(given), whole_digits(column)
    infinite = pc.match_substring_regex(written, r"(?i)inf")
    not_a_number = pc.match_substring_regex(written, r"(?i)nan")
    great = pc.and_(_unlike(written, rf"^\s*[+-]?0*\d{{0,{whole}}}(?:\.\d*)?\s*$"), pc.invert(not_a_number))
    fine = pc.match_substring_regex(written, rf"\.\d{{{column.scale}}}\d*[1-9]")
    more = f"the number has more than {column.scale} decimals."
    return [*number, out_of_range(pc.or_(great, infinite), column), Misfit(fine, "too_many_decimals", more)]


def plain(given: pa.Array) -> pa.Array:
    """Numbers without an exponent; those few that have one are written out, the rest is not looked at in Python."""
    exponent = pc.fill_null(pc.match_substring_regex(given, r"\d[eE][+-]?\d"), False)
    if not pc.any(exponent).as_py():
        return given
    written = pa.array([_written_out(text) for text in given.filter(exponent).to_pylist()], pa.string())
    return pc.replace_with_mask(given, exponent, written)


def _written_out(text: str) -> str:
    try:
        number = Decimal(text.strip())
    except ArithmeticError:
        return text
    exponent = number.adjusted()
    return format(number, "f") if number.is_finite() and abs(exponent) <= _MOST_EXPONENT else text


_OF_TEXT: Final[dict[Kind, Callable[[pa.Array, Column], list[Misfit]]]] = {
    Kind.TEXT: _long,
    Kind.ENUM: _one_of,
    Kind.UUID: _uuid,
    Kind.DATE: _day,
    Kind.WALL_CLOCK: _wall_clock,
    Kind.INSTANT: _zoned_clock,
    Kind.INTEGER: _whole_number,
    Kind.NUMERIC: _exact_number,
    Kind.FLOAT: _number,
}


def _unlike(given: pa.Array, pattern: str) -> pa.BooleanArray:
    return pc.invert(pc.match_substring_regex(given, pattern))
