"""Why values do not fit a column, for every kind of value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.destinations._sql.columns import Column

LEAST, GREATEST = -(2**63), 2**63 - 1
"""Integers of Arrow."""


class Misfit(NamedTuple):
    """Values that do not fit, and why.

    Attributes:
        mask: True for each of them; null counts as false.
        reason: One word.
        message: A sentence, without the value.
    """

    mask: pa.BooleanArray
    reason: str
    message: str


Converted = tuple[pa.Array, Sequence[Misfit]]
"""Values of a column's kind, and those that have none."""


def outside(given: pa.Array, lowest: int, highest: int) -> pa.BooleanArray:
    """Which integers are below the lowest or above the highest; these may be beyond 64 bits."""
    lowest, highest = max(lowest, LEAST), min(highest, GREATEST)
    return pc.or_(pc.less(given, pa.scalar(lowest, given.type)), pc.greater(given, pa.scalar(highest, given.type)))


def whole_digits(column: Column) -> int:
    """How many digits a number may have before the point; for columns that take any number, more than there are."""
    return 10**6 if column.precision is None else max(0, column.precision - column.scale)


def out_of_range(mask: pa.BooleanArray, column: Column) -> Misfit:
    """Values that the column's type has no room for."""
    return Misfit(mask, "out_of_range", f"the value is outside the range of {column.type}.")


def not_an_integer(mask: pa.BooleanArray) -> Misfit:
    """Numbers with a fraction, or none at all, for a column of integers."""
    return Misfit(mask, "not_an_integer", "the number is not an integer.")


def not_finite(mask: pa.BooleanArray, column: Column) -> Misfit:
    """NaN and infinity, for a column that has none of them."""
    return Misfit(mask, "not_a_number", f"{column.type} holds neither NaN nor infinity.")


def wrong(given: pa.Array, what: str, column: Column) -> Converted:
    """Values of a kind that cannot become the column's, all of them."""
    message = f"{what} cannot be written to a column of type {column.type}."
    return pa.nulls(len(given), pa.string()), (Misfit(pc.is_valid(given), "wrong_type", message),)


def without(values: pa.Array, misfits: Sequence[Misfit]) -> pa.Array:
    """The same, null where they do not fit."""
    for misfit in misfits:
        values = pc.if_else(pc.fill_null(misfit.mask, False), pa.scalar(None, values.type), values)
    return values
