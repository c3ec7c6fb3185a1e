"""Which values a type of ClickHouse holds exactly. It stores others altered, without an error: 300 as 44 in an Int8.

Source: clickhouse.com/docs/sql-reference/data-types, and what the engine does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, Final

import pyarrow as pa

from reverse_etl.destinations._sql.columns import Kind

_WRAPPED: Final = re.compile(r"^(?:LowCardinality|Nullable)\((.*)\)$", re.DOTALL)
_NULLABLE: Final = re.compile(r"^(?:LowCardinality\()?Nullable\(")
_INTEGER: Final = re.compile(r"^(U?)Int(8|16|32|64|128|256)$")
_DECIMAL: Final = re.compile(r"^Decimal\((\d+), (\d+)\)$")
_FIXED: Final = re.compile(r"^FixedString\((\d+)\)$")
_CLOCK: Final = re.compile(r"^DateTime(?:\('[^']*'\))?$")
_FINE_CLOCK: Final = re.compile(r"^DateTime64\((\d)(?:, '[^']*')?\)$")
_ENUM: Final = re.compile(r"^Enum(?:8|16)\(")
_VALUE: Final = re.compile(r"'((?:[^'\\]|\\.)*)' = -?\d+", re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_CHARACTERS: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "0": "\0"}

_EPOCH: Final = date(1970, 1, 1)
_MICROSECONDS: Final = 1_000_000
_MOST_ARROW_BITS: Final = 64
_MOST_DECIMAL: Final = 38
_MOST_DIGITS: Final = 76
_FIRST_DAY, _LAST_DAY = date(1900, 1, 1), date(2299, 12, 31)
_LAST_NANOSECOND: Final = 9_223_372_036_854_775
"""Microseconds since 1970: the end of 64 bits of nanoseconds."""
_SECOND_DIGITS, _MILLISECOND_DIGITS, _MICROSECOND_DIGITS = 0, 3, 6


def nullable(text: str) -> bool:
    """Whether a column of a type may be empty."""
    return _NULLABLE.match(text) is not None


def plain(text: str) -> str:
    """A type without what wraps it: ``String`` of ``LowCardinality(Nullable(String))``."""
    while found := _WRAPPED.match(text):
        text = found[1]
    return text


def holds(text: str) -> dict[str, Any] | None:
    """What a plain type holds, as attributes of ``_sql.columns.Column``; None for a type that cannot be written."""
    for pattern, of in _TYPES:
        if found := pattern.match(text):
            return of(found)
    return _SIMPLE.get(text)


def unescaped(text: str) -> str:
    """A text or a name as it is, of what the server writes between quotes."""
    return _ESCAPED.sub(lambda it: _CHARACTERS.get(it[1], it[1]), text)


def _integer(found: re.Match[str]) -> dict[str, Any]:
    bits = int(found[2])
    # Integers of 256 bits may have more digits than can be looked at.
    highest = min(2 ** (bits if found[1] else bits - 1) - 1, 10**_MOST_DIGITS - 1)
    limits = (0 if found[1] else max(-highest - 1, -(10**_MOST_DIGITS) + 1), highest)
    arrow = getattr(pa, f"{found[1].lower()}int{bits}")() if bits <= _MOST_ARROW_BITS else None
    return {"kind": Kind.INTEGER, "integers": limits, "takes_booleans": True, "arrow": arrow}


def _decimal(found: re.Match[str]) -> dict[str, Any]:
    precision, scale = int(found[1]), int(found[2])
    arrow = (pa.decimal128 if precision <= _MOST_DECIMAL else pa.decimal256)(precision, scale)
    return {"kind": Kind.NUMERIC, "precision": precision, "scale": scale, "finite": True, "arrow": arrow}


def _fixed(found: re.Match[str]) -> dict[str, Any]:
    return {"kind": Kind.TEXT, "octets": int(found[1]), "arrow": pa.string()}


def _clock(_found: re.Match[str]) -> dict[str, Any]:
    last = (2**32 - 1) * _MICROSECONDS + _MICROSECONDS - 1
    return {"kind": Kind.INSTANT, "instants": (0, last), "fraction": 0, "arrow": pa.timestamp("s", "UTC")}


def _fine_clock(found: re.Match[str]) -> dict[str, Any]:
    digits = int(found[1])
    first, last = _microseconds(_FIRST_DAY), _microseconds(_LAST_DAY) + 86_400 * _MICROSECONDS - 1
    if digits > _MICROSECOND_DIGITS + 2:
        last = _LAST_NANOSECOND
    unit = "us" if digits > _MILLISECOND_DIGITS else "ms" if digits > _SECOND_DIGITS else "s"
    fraction = min(digits, _MICROSECOND_DIGITS)
    return {
        "kind": Kind.INSTANT,
        "instants": (first, last),
        "fraction": fraction,
        "arrow": pa.timestamp(unit, "UTC"),
    }


def _enum(found: re.Match[str]) -> dict[str, Any]:
    values = tuple(map(unescaped, _VALUE.findall(found.string)))
    return {"kind": Kind.ENUM, "values": values, "arrow": pa.string()}


def _microseconds(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * _MICROSECONDS


def _days(first: date, last: date) -> dict[str, Any]:
    return {"kind": Kind.DATE, "days": ((first - _EPOCH).days, (last - _EPOCH).days), "arrow": pa.date32()}


_TYPES: Final[tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], dict[str, Any]]], ...]] = (
    (_INTEGER, _integer),
    (_DECIMAL, _decimal),
    (_FIXED, _fixed),
    (_CLOCK, _clock),
    (_FINE_CLOCK, _fine_clock),
    (_ENUM, _enum),
)
_SIMPLE: Final[dict[str, dict[str, Any]]] = {
    "String": {"kind": Kind.TEXT, "arrow": pa.string()},
    "Bool": {"kind": Kind.BOOLEAN, "arrow": pa.bool_()},
    "Float32": {"kind": Kind.FLOAT, "single": True, "arrow": pa.float32()},
    "Float64": {"kind": Kind.FLOAT, "arrow": pa.float64()},
    "Date": _days(_EPOCH, date(2149, 6, 6)),
    "Date32": _days(_FIRST_DAY, _LAST_DAY),
    "UUID": {"kind": Kind.UUID, "arrow": pa.string()},
    "IPv4": {"kind": Kind.OTHER, "arrow": pa.string()},
    "IPv6": {"kind": Kind.OTHER, "arrow": pa.string()},
}
