"""Columns as values of another type. A value that cannot be converted is named, never replaced.

Each function gives a canonical column, its mark, and where a value could not be converted (without nulls); what is
there is null in the column.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.shaping.kinds import ColumnKind
from reverse_etl.sources._instants import FIRST_S, LAST_S, instants, outside_years

Converted = tuple[pa.Array, str, pa.BooleanArray]
"""A column, its mark (``decimal``, ``json`` or empty), and where a value could not be converted."""

_UTC: Final = pa.timestamp("us", "UTC")
_TRUE: Final = frozenset({"true", "t", "yes", "y", "on", "1"})
_FALSE: Final = frozenset({"false", "f", "no", "n", "off", "0"})
_CLOCK: Final = r"[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"
_DATE: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"
_JSON_NUMBER: Final = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?$"
_EXACT: Final = 2.0**53
_INT64: Final = range(-(2**63), 2**63)

CAN: Final[dict[str, frozenset[ColumnKind]]] = {
    "text": frozenset({"text", "integer", "float", "decimal", "boolean", "timestamp", "date", "json"}),
    "integer": frozenset({"text", "integer", "float", "decimal", "json"}),
    "number": frozenset({"text", "integer", "float", "decimal", "json"}),
    "boolean": frozenset({"text", "integer", "boolean", "json"}),
    "date": frozenset({"text", "date", "timestamp", "json"}),
    "timestamp": frozenset({"text", "date", "timestamp", "integer", "json"}),
}
"""Of which kinds a column may be that becomes another."""

_NOTHING: Final = {
    "text": pa.string(),
    "integer": pa.int64(),
    "number": pa.int64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": _UTC,
}


def converted(column: pa.Array, kind: ColumnKind, into: str, *, timezone: str) -> Converted:
    """A column as another type.

    Args:
        column: In canonical types.
        kind: What it holds.
        into: One of ``config.column_values.TYPES``, of which ``CAN`` has the kind.
        timezone: How a text of a time without a zone is read.
    """
    if kind == "nothing":
        return pa.nulls(len(column), _NOTHING[into]), "", _none(column)
    if into == "text":
        return text_of(column, kind)
    if kind == "json":
        # A column of mixed types, such as SQLite has: what is between quotes is the text.
        column, kind = pa.array([_unquoted(text) for text in column.to_pylist()], pa.string()), "text"
    if into == "integer":
        return _integers(column, kind)
    if into == "number":
        return _numbers(column, kind)
    if into == "boolean":
        return _booleans(column, kind)
    if into == "date":
        return _dates(column, kind, timezone)
    return _timestamps(column, kind, timezone)


def text_of(column: pa.Array, kind: ColumnKind) -> Converted:
    """Text as it is; numbers in digits, booleans as true and false, dates and date-times in ISO 8601, in UTC."""
    if kind in ("text", "json", "decimal"):
        return column, "", _none(column)
    if kind == "nothing":
        return pa.nulls(len(column), pa.string()), "", _none(column)
    if kind == "float":
        whole = pc.and_(pc.equal(pc.floor(column), column), pc.less(pc.abs(column), _EXACT))
        integers = pc.cast(pc.if_else(whole, column, pa.scalar(0.0)), pa.int64(), safe=False)
        return pc.if_else(whole, pc.cast(integers, pa.string()), pc.cast(column, pa.string())), "", _none(column)
    if kind not in ("timestamp", "date"):
        return pc.cast(column, pa.string()), "", _none(column)
    beyond = pc.fill_null(outside_years(column), False)
    inside = pc.if_else(beyond, pa.scalar(None, column.type), column)
    if kind == "date":
        return pc.cast(inside, pa.string()), "", beyond
    texts = pc.strftime(inside, format="%Y-%m-%dT%H:%M:%S")
    # Without zeros that end the fraction of a second.
    return pc.replace_substring_regex(texts, pattern=r"(?:\.0+|(\.[0-9]*[1-9])0*)?$", replacement=r"\1Z"), "", beyond


def _unquoted(text: str | None) -> str | None:
    """The text of a JSON string, null as None, anything else as it is."""
    if text is None or text.strip() == "null":
        return None
    return str(json.loads(text)) if text.startswith('"') else text


def _integers(column: pa.Array, kind: ColumnKind) -> Converted:
    if kind == "integer":
        return column, "", _none(column)
    if kind == "float":
        fits = pc.and_(pc.equal(pc.floor(column), column), pc.less(pc.abs(column), 2.0**63))
        fits = pc.fill_null(fits, False)
        return pc.cast(pc.if_else(fits, column, None), pa.int64()), "", _lost(column, fits)
    texts = pc.replace_substring_regex(
        _trimmed(column), pattern=r"\.0*$" if kind == "decimal" else "^$", replacement=""
    )
    fits = pc.fill_null(pc.match_substring_regex(texts, r"^[+-]?[0-9]{1,30}$"), False)
    digits = pc.utf8_ltrim(pc.if_else(fits, texts, None), characters="+")
    try:
        return pc.cast(digits, pa.int64()), "", _lost(column, fits)
    except pa.ArrowInvalid:
        return _one_by_one(column, digits, lambda text: int(text) if int(text) in _INT64 else None, pa.int64())


def _numbers(column: pa.Array, kind: ColumnKind) -> Converted:
    if kind in ("integer", "float"):
        return column, "", _none(column)
    if kind == "decimal":
        return column, "decimal", _none(column)
    texts = _trimmed(column)
    usual = pc.fill_null(pc.match_substring_regex(texts, _JSON_NUMBER), False)
    if not pc.any(pc.and_(pc.invert(usual), column.is_valid())).as_py():
        return texts, "decimal", _none(column)
    made, _, lost = _one_by_one(column, texts, _digits, pa.string())
    return made, "decimal", lost


def _digits(text: str) -> str | None:
    try:
        number = Decimal(text) if text.isascii() and "_" not in text else None
    except InvalidOperation:
        return None
    return format(number, "f") if number is not None and number.is_finite() and abs(number.adjusted()) < 400 else None


def _booleans(column: pa.Array, kind: ColumnKind) -> Converted:
    if kind == "boolean":
        return column, "", _none(column)
    texts = pc.cast(column, pa.string()) if kind == "integer" else pc.utf8_lower(_trimmed(column))
    yes, no = (pc.is_in(texts, value_set=pa.array(sorted(words))) for words in (_TRUE, _FALSE))
    return pc.if_else(pc.or_(yes, no), yes, None), "", _lost(column, pc.or_(yes, no))


def _dates(column: pa.Array, kind: ColumnKind, timezone: str) -> Converted:
    if kind == "date":
        return column, "", _none(column)
    if kind == "timestamp":
        beyond = pc.fill_null(outside_years(column), False)
        return pc.cast(pc.if_else(beyond, None, column), pa.date32(), safe=False), "", beyond
    texts = _trimmed(column)
    # The day of a wall clock is the one that is written; that of an instant, the one in UTC.
    days = pc.match_substring_regex(texts, rf"{_DATE}({_CLOCK})?$")
    first = pc.utf8_slice_codeunits(pc.if_else(pc.fill_null(days, False), texts, None), 0, 10)
    try:
        made = pc.cast(first, pa.date32())
    except pa.ArrowInvalid:
        made = pa.array([_day(text) for text in first.to_pylist()], pa.date32())
    zoned, _, _ = _timestamps(pc.if_else(pc.fill_null(days, False), None, column), "text", timezone)
    made = pc.coalesce(made, pc.cast(zoned, pa.date32(), safe=False))
    return made, "", _lost(column, made.is_valid())


def _day(text: str | None) -> Any:
    try:
        return None if text is None else datetime.fromisoformat(text).date()
    except ValueError:
        return None


def _timestamps(column: pa.Array, kind: ColumnKind, timezone: str) -> Converted:
    if kind == "timestamp":
        return column, "", _none(column)
    if kind == "date":
        beyond = pc.fill_null(outside_years(column), False)
        return pc.cast(pc.if_else(beyond, None, column), pa.timestamp("us")).cast(_UTC), "", beyond
    if kind == "integer":
        fits = pc.fill_null(pc.and_(pc.greater_equal(column, FIRST_S), pc.less_equal(column, LAST_S)), False)
        return pc.cast(pc.multiply(pc.if_else(fits, column, None), 1_000_000), _UTC), "", _lost(column, fits)
    texts = _trimmed(column)
    zoned = pc.fill_null(pc.match_substring_regex(texts, rf"{_DATE}{_CLOCK}(Z|[+-][0-9]{{2}}:?[0-9]{{2}})$"), False)
    walls = pc.fill_null(pc.match_substring_regex(texts, rf"{_DATE}{_CLOCK}$"), False)
    try:
        at_walls = instants(pc.cast(pc.if_else(walls, texts, None), pa.timestamp("us")), timezone=timezone)
        made = pc.coalesce(pc.cast(pc.if_else(zoned, texts, None), _UTC), at_walls)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        made = pa.nulls(len(column), _UTC)
    rest = pc.and_(made.is_null(), column.is_valid())
    if pc.any(rest).as_py():
        single = [_instant(text, timezone) for text in pc.filter(texts, rest).to_pylist()]
        made = pc.replace_with_mask(made, rest, pa.array(single, _UTC))
    return made, "", _lost(column, made.is_valid())


def _instant(text: str, timezone: str) -> datetime | None:
    """One spelling of ISO 8601; a date is its midnight in UTC."""
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None and len(text) > len("2026-01-05"):
            placed: datetime = instants(pa.array([at], pa.timestamp("us")), timezone=timezone)[0].as_py()
            return placed
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _trimmed(column: pa.StringArray) -> pa.StringArray:
    return pc.utf8_trim_whitespace(column)


def _none(column: pa.Array) -> pa.BooleanArray:
    return pa.repeat(pa.scalar(False), len(column))


def _lost(column: pa.Array, fits: pa.BooleanArray) -> pa.BooleanArray:
    return pc.and_(column.is_valid(), pc.invert(pc.fill_null(fits, False)))


def _one_by_one(column: pa.Array, texts: pa.StringArray, one: Callable[[str], Any], kind: pa.DataType) -> Converted:
    made = pa.array([None if text is None else one(text) for text in texts.to_pylist()], kind)
    return made, "", _lost(column, made.is_valid())
