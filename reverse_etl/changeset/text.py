"""A column as text: how identifiers are said, compared and shown.

One place, because checks, destinations and failed rows must say the same row alike. How attribute values are
said to a destination does not live here.
"""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.sources.base import logical_type

_EXACT_INTEGER = 2.0**63
"""Floats below this size that are whole are said as integers."""


def as_text(column: pa.Array, field: pa.Field) -> pa.StringArray:
    """Each value as an identifier's text; as long as the column, null where the value is null.

    ========== ============================================================================
    boolean    ``true`` or ``false``
    integer    its digits
    float      whole ones without a fraction (``42``), others shortest; ``nan``, ``inf``
    decimal    its exact digits, without a fraction that is all zeros (``42.00`` is ``42``)
    date       ``2026-01-05``
    date-time  Unix seconds, rounded down
    text       as it is
    json       a text without its quotes, anything else as it is
    binary     hexadecimal digits; a check rejects these rows
    ========== ============================================================================

    Args:
        column: A column in canonical types.
        field: Its field, whose mark tells decimals from text.
    """
    kind = column.type
    if pa.types.is_string(kind):
        if logical_type(field) == "json":
            return _json_text(column)
        if logical_type(field) == "decimal":
            return pc.replace_substring_regex(column, pattern=r"^(-?\d+)\.0+$", replacement=r"\1")
        return column
    if pa.types.is_floating(kind):
        return _float_text(column)
    if pa.types.is_timestamp(kind):
        return pc.cast(unix_seconds(column), pa.string())
    if pa.types.is_binary(kind):
        return pa.array([None if value is None else value.hex() for value in column.to_pylist()], pa.string())
    return pc.cast(column, pa.string())


def unix_seconds(column: pa.TimestampArray) -> pa.Int64Array:
    """Date-times as Unix seconds, rounded down, so that times before 1970 stay in their second."""
    microseconds = pc.cast(pc.cast(column, pa.timestamp("us", column.type.tz), safe=False), pa.int64())
    quotient = pc.divide(microseconds, 1_000_000)
    rounded_up = pc.greater(pc.multiply(quotient, 1_000_000), microseconds)
    return pc.if_else(rounded_up, pc.subtract(quotient, 1), quotient)


def _json_text(column: pa.StringArray) -> pa.StringArray:
    quoted = pc.starts_with(column, '"')
    if not pc.any(quoted).as_py():
        return column
    unquoted = (json.loads(value) if value is not None and value[0] == '"' else value for value in column.to_pylist())
    return pa.array(unquoted, pa.string())


def _float_text(column: pa.Array) -> pa.StringArray:
    whole = pc.and_(pc.equal(pc.floor(column), column), pc.less(pc.abs(column), _EXACT_INTEGER))
    integers = pc.cast(pc.if_else(whole, column, pa.scalar(0.0)), pa.int64(), safe=False)
    return pc.if_else(whole, pc.cast(integers, pa.string()), pc.cast(column, pa.string()))
