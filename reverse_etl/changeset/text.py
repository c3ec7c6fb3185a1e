"""A column as text: how identifiers are written, compared and shown.

One place, because checks, destinations and failed rows must write the same row alike. How attribute values are
encoded for a destination does not live here.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.sources.base import logical_type

_EXACT_INTEGER: Final = 2.0**53
"""Whole floats below this size are integers; larger ones have only the digits that distinguish them."""

_PLAIN: Final = 1e-3, 1e10
"""Arrow writes no fraction between them with an exponent."""

_WITH_EXPONENT: Final = r"^-?[0-9]+(?:\.[0-9]+)?[eE][+-]?[0-9]{1,3}$"
_FRACTION: Final = r"^(-?[0-9]+)(?:\.0*|(\.[0-9]*[1-9])0*)$"
"""A number with a fraction: before it, and what of it are not zeros at its end."""

_JSON_BLANKS: Final = " \t\r\n"


def as_text(column: pa.Array, field: pa.Field) -> pa.StringArray:
    """Each value as an identifier's text; as long as the column, null where the value is null.

    ========== ============================================================================
    boolean    ``true`` or ``false``
    number     its digits without an exponent and without zeros that end a fraction, whatever its type: ``42`` is
               integer 42, float 42.0, decimal 42.00; ``42.5`` is decimal 42.50; ``nan``, ``inf``
    date       ``2026-01-05``
    date-time  Unix seconds, rounded down
    text       as it is
    json       a text without its quotes, a number as above, null as null, anything else as it is
    binary     hexadecimal digits; a check rejects these rows
    ========== ============================================================================

    Args:
        column: A column in canonical types.
        field: Its field, whose mark distinguishes decimals from text.
    """
    kind = column.type
    if pa.types.is_string(kind):
        if logical_type(field) == "json":
            return _json_text(column)
        if logical_type(field) == "decimal":
            return number_text(column)
        return column
    if pa.types.is_floating(kind):
        return _float_text(column)
    if pa.types.is_timestamp(kind):
        return pc.cast(unix_seconds(column), pa.string())
    if pa.types.is_binary(kind):
        return pa.array([None if value is None else value.hex() for value in column.to_pylist()], pa.string())
    return pc.cast(column, pa.string())


def number_text(texts: pa.StringArray) -> pa.StringArray:
    """Numbers in JSON's or SQL's syntax, each in its one spelling (``as_text``); any other text stays as it is."""
    with_exponent = pc.fill_null(pc.match_substring_regex(texts, _WITH_EXPONENT), False)
    if pc.any(with_exponent).as_py():
        plain = [format(Decimal(text), "f") for text in pc.filter(texts, with_exponent).to_pylist()]
        texts = pc.replace_with_mask(texts, with_exponent, pa.array(plain, pa.string()))
    texts = pc.replace_substring_regex(texts, pattern=_FRACTION, replacement=r"\1\2")
    return pc.if_else(pc.equal(texts, "-0"), "0", texts)


def framed(texts: pa.StringArray, kind: str = "") -> pa.StringArray:
    """Texts that can be joined without two different rows becoming the same: each begins with its own length."""
    lengths = pc.cast(pc.binary_length(texts), pa.string())
    missing = pc.equal(pc.fill_null(texts, ""), "")
    return pc.if_else(missing, "~", pc.binary_join_element_wise(kind, lengths, ":", texts, ""))


def unframed(text: str) -> list[str]:
    """The texts of which ``framed`` made one of those that are joined, without a kind; empty where one was missing."""
    rest, found = text.encode(), []
    while rest:
        if rest[:1] == b"~":
            rest = rest[1:]
            found.append("")
            continue
        length, _, rest = rest.partition(b":")
        found.append(rest[: int(length)].decode())
        rest = rest[int(length) :]
    return found


def unix_seconds(column: pa.TimestampArray) -> pa.Int64Array:
    """Date-times as Unix seconds, rounded down, so that times before 1970 stay in their second."""
    microseconds = pc.cast(pc.cast(column, pa.timestamp("us", column.type.tz), safe=False), pa.int64())
    quotient = pc.divide(microseconds, 1_000_000)
    rounded_up = pc.greater(pc.multiply(quotient, 1_000_000), microseconds)
    return pc.if_else(rounded_up, pc.subtract(quotient, 1), quotient)


def _json_text(column: pa.StringArray) -> pa.StringArray:
    column = pc.utf8_trim(column, characters=_JSON_BLANKS)
    column = number_text(pc.if_else(pc.equal(column, "null"), pa.scalar(None, pa.string()), column))
    quoted = pc.starts_with(column, '"')
    if not pc.any(quoted).as_py():
        return column
    unquoted = (_unquoted(value) if value is not None and value[0] == '"' else value for value in column.to_pylist())
    return pa.array(unquoted, pa.string())


def _unquoted(value: str) -> str:
    """A JSON string's text; half a surrogate pair, which a check rejects, as U+FFFD."""
    text: str = json.loads(value)
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _float_text(column: pa.Array) -> pa.StringArray:
    size = pc.abs(column)
    whole = pc.and_(pc.equal(pc.floor(column), column), pc.less(size, _EXACT_INTEGER))
    integers = pc.cast(pc.if_else(whole, column, pa.scalar(0.0)), pa.int64(), safe=False)
    texts = pc.if_else(whole, pc.cast(integers, pa.string()), pc.cast(column, pa.string()))
    smallest, largest = _PLAIN
    plain = pc.or_(whole, pc.and_(pc.greater(size, smallest), pc.less(size, largest)))
    if pc.all(plain).as_py() is not False:
        return texts
    other = pc.fill_null(pc.invert(plain), False)
    return pc.replace_with_mask(texts, other, number_text(pc.filter(texts, other)))
