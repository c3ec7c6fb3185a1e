"""A table's columns, as far as it matters which values fit; each engine fills them from its catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


class Kind(Enum):
    """What a column holds."""

    BOOLEAN = auto()
    INTEGER = auto()
    FLOAT = auto()
    NUMERIC = auto()
    TEXT = auto()
    ENUM = auto()
    UUID = auto()
    DATE = auto()
    WALL_CLOCK = auto()
    """A date-time without a zone."""
    INSTANT = auto()
    """A date-time with a zone."""
    JSON = auto()
    OTHER = auto()
    """Anything else; the server reads the text and decides."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column that is written.

    Attributes:
        name: As the table has it.
        type: As the engine writes it, length and precision included.
        kind: What it holds.
        nullable: Whether it may be empty.
        key: Whether it is one of ``identify_by``.
        integers: Lowest and highest of ``INTEGER``.
        precision: Digits of ``NUMERIC`` in all; None for any number.
        scale: Those behind the point.
        single: Whether ``FLOAT`` has 32 bits.
        characters: Longest text; None for any length.
        octets: The same in bytes of UTF-8.
        values: Those of ``ENUM``.
        holds_nul: Whether a text may hold the character NUL.
        finite: Whether numbers that are none (NaN, infinity) do not fit.
        unsigned: Whether ``FLOAT`` and ``NUMERIC`` hold nothing below 0.
        instants: Earliest and latest of ``INSTANT``, microseconds since 1970.
        fraction: Digits of a second that ``INSTANT`` and ``WALL_CLOCK`` keep; what is beyond is cut off.
        takes_booleans: Whether ``INTEGER`` stands for booleans too.
        days: Earliest and latest of ``DATE``, days since 1970.
        arrow: What values become at last, for engines that read no text; None where the server reads it.
    """

    name: str
    type: str
    kind: Kind
    nullable: bool = True
    key: bool = False
    integers: tuple[int, int] = (-(2**63), 2**63 - 1)
    precision: int | None = None
    scale: int = 0
    single: bool = False
    characters: int | None = None
    octets: int | None = None
    values: tuple[str, ...] = ()
    holds_nul: bool = True
    finite: bool = False
    unsigned: bool = False
    instants: tuple[int, int] | None = None
    fraction: int = 6
    takes_booleans: bool = False
    days: tuple[int, int] | None = None
    arrow: pa.DataType | None = None


@dataclass(frozen=True, slots=True)
class TableColumn:
    """One column of a table; engines add what is theirs.

    Attributes:
        fits: What fits.
        generated: Whether it is computed from others.
        has_default: Whether a row may leave it out.
    """

    fits: Column
    generated: bool
    has_default: bool
