"""Which canonical kind a MySQL type is read as."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from reverse_etl.sources.mysql.wire import Field


class Kind(Enum):
    """How a column's bytes in the text protocol are read."""

    NOTHING = auto()
    BIT = auto()
    """BIT(1): a byte, or a digit where MariaDB computed it."""
    BITS = auto()
    """Wider ones: an unsigned number, highest byte first."""
    COMPUTED_BITS = auto()
    """The same as MariaDB sends it out of an expression: in digits."""
    TINY_BOOLEAN = auto()
    INTEGER = auto()
    FLOAT = auto()
    DECIMAL = auto()
    PADDED_DECIMAL = auto()
    """With ZEROFILL: zeros in front."""
    TEXT = auto()
    BINARY = auto()
    DATE = auto()
    WALL_CLOCK = auto()
    INSTANT = auto()
    TIME = auto()
    JSON = auto()


_BYTES: Final = 63
"""The character set of bytes."""
_ZEROFILL: Final = 64
_BINARY: Final = 128
_TINY: Final = 1
_BIT: Final = 16

_KINDS: Final = {
    0: Kind.DECIMAL,
    _TINY: Kind.INTEGER,
    2: Kind.INTEGER,
    3: Kind.INTEGER,
    4: Kind.FLOAT,
    5: Kind.FLOAT,
    6: Kind.NOTHING,
    7: Kind.INSTANT,  # TIMESTAMP: the session's zone is UTC
    8: Kind.INTEGER,
    9: Kind.INTEGER,
    10: Kind.DATE,
    11: Kind.TIME,
    12: Kind.WALL_CLOCK,  # DATETIME
    13: Kind.INTEGER,  # YEAR
    14: Kind.DATE,
    242: Kind.BINARY,  # VECTOR
    245: Kind.JSON,
    246: Kind.DECIMAL,
    255: Kind.BINARY,  # GEOMETRY
}
"""Types that are neither text nor bytes. Source: dev.mysql.com/doc/dev/mysql-server/latest/field__types_8h.html."""


def kinds(fields: Sequence[Field], *, tinyint1_is_boolean: bool) -> list[Kind]:
    """The kind of each column.

    Args:
        fields: The result's columns.
        tinyint1_is_boolean: Whether TINYINT(1) holds true and false.
    """
    return [_kind(field, tinyint1_is_boolean) for field in fields]


def _kind(field: Field, tinyint1_is_boolean: bool) -> Kind:
    if field.type == _BIT:
        wide = Kind.COMPUTED_BITS if field.flags & _BINARY else Kind.BITS
        return Kind.BIT if field.length == 1 else wide
    if field.type == _TINY and field.length == 1 and tinyint1_is_boolean:
        return Kind.TINY_BOOLEAN
    kind = _KINDS.get(field.type)
    if kind is Kind.DECIMAL and field.flags & _ZEROFILL:
        return Kind.PADDED_DECIMAL
    return kind or (Kind.BINARY if field.charset == _BYTES else Kind.TEXT)
