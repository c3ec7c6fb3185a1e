"""Columns as instants, for the rules that compare times."""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset.occurred_at import occurred_at
from reverse_etl.sources.base import logical_type

_YEAR_1: Final = -62_135_596_800.0
_YEAR_10000: Final = 253_402_300_800.0
"""Unix seconds."""


def seconds(column: pa.Array, field: pa.Field) -> pa.DoubleArray:
    """Each value as Unix seconds: dates at midnight UTC, numbers as they are; null where it is none of these.

    Text is read as that of ``occurred_at`` is, without a zone in UTC. A value outside the years 1 to 9999 is null.
    """
    kind = field.type
    if pa.types.is_temporal(kind) or (pa.types.is_string(kind) and logical_type(field) != "decimal"):
        return pc.divide(pc.cast(microseconds(column, field), pa.float64(), safe=False), 1e6)
    return numbers(column, field)


def times(column: pa.Array, field: pa.Field) -> pa.DoubleArray:
    """The same without numbers that are no Unix seconds of the years 1 to 9999, as milliseconds are: null."""
    at = seconds(column, field)
    known = pc.and_(pc.greater_equal(at, _YEAR_1), pc.less(at, _YEAR_10000))
    return pc.if_else(known, at, pa.scalar(None, pa.float64()))


def microseconds(column: pa.Array, field: pa.Field) -> pa.Int64Array:
    """Each value as Unix microseconds, read as that of ``occurred_at`` is; null where it is no time."""
    return pc.cast(occurred_at(column, field), pa.int64())


def numbers(column: pa.Array, field: pa.Field) -> pa.DoubleArray:
    """Each number as a float; null where the value is not a finite number."""
    kind = field.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        values = pc.cast(column, pa.float64(), safe=False)
    elif logical_type(field) == "decimal":
        written = pc.match_substring_regex(column, r"^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$")
        values = pc.cast(pc.if_else(written, column, pa.scalar(None, pa.string())), pa.float64())
    else:
        return pa.nulls(len(column), pa.float64())
    return pc.if_else(pc.is_finite(values), values, pa.scalar(None, pa.float64()))
