"""Which canonical kind a PostgreSQL type is read as, and the COPY statement that writes its values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, TypeAlias


class Kind(Enum):
    """How a column's text in COPY's CSV is read."""

    BOOLEAN = auto()
    INTEGER = auto()
    FLOAT = auto()
    DECIMAL = auto()
    TEXT = auto()
    PADDED_TEXT = auto()
    """char(n): blanks at the end fill the width and are no part of the value."""
    BINARY = auto()
    DATE = auto()
    WALL_CLOCK = auto()
    INSTANT = auto()
    JSON = auto()
    PADDED_RANGE = auto()
    """A range of char(n)."""
    NESTED = auto()
    """Arrays and rows, as ``to_json`` writes them."""


_KINDS: Final = {
    16: Kind.BOOLEAN,
    17: Kind.BINARY,
    18: Kind.TEXT,  # "char"
    19: Kind.TEXT,  # name
    20: Kind.INTEGER,
    21: Kind.INTEGER,
    23: Kind.INTEGER,
    25: Kind.TEXT,
    26: Kind.INTEGER,  # oid
    114: Kind.JSON,
    700: Kind.FLOAT,
    701: Kind.FLOAT,
    1042: Kind.PADDED_TEXT,  # char(n), bpchar
    1043: Kind.TEXT,
    1082: Kind.DATE,
    1083: Kind.TEXT,  # time
    1114: Kind.WALL_CLOCK,
    1184: Kind.INSTANT,
    1186: Kind.TEXT,  # interval
    1266: Kind.TEXT,  # timetz
    1700: Kind.DECIMAL,
    2249: Kind.NESTED,  # record
    2950: Kind.TEXT,  # uuid
    3802: Kind.JSON,  # jsonb
}
"""Fixed OIDs. Source: src/include/catalog/pg_type.dat of PostgreSQL 15."""

LookUp: TypeAlias = Callable[[str], Iterable[tuple[str, ...]]]
"""Runs a query on the server and gives its rows as text."""


@dataclass(frozen=True, slots=True)
class Types:
    """What types are made of, by OID; those with a fixed kind are not here.

    Attributes:
        domains: What each domain stands on.
        elements: The elements of each array.
        ranges: What each range is one of.
        rows: The types of each row's fields, by name.
    """

    domains: dict[int, int] = field(default_factory=dict)
    elements: dict[int, int] = field(default_factory=dict)
    ranges: dict[int, int] = field(default_factory=dict)
    rows: dict[int, dict[str, int]] = field(default_factory=dict)

    def kind(self, oid: int) -> Kind:
        """The kind of a type: a domain's is its base type's, and an unknown one is text."""
        oid = self.base(oid)
        if oid in self.elements or oid in self.rows:
            return Kind.NESTED
        if oid in self.ranges and self.kind(self.ranges[oid]) is Kind.PADDED_TEXT:
            return Kind.PADDED_RANGE
        return _KINDS.get(oid, Kind.TEXT)

    def base(self, oid: int) -> int:
        """The type that a domain stands on in the end; any other one itself."""
        while oid in self.domains:
            oid = self.domains[oid]
        return oid

    def kinds_in(self, oid: int) -> frozenset[Kind]:
        """The kinds of what is inside a type, to any depth, its own included."""
        inside: set[int] = set()
        waiting = [oid]
        while waiting:
            if (oid := self.base(waiting.pop())) not in inside:
                inside.add(oid)
                waiting += [*self.rows.get(oid, {}).values(), *([self.elements[oid]] if oid in self.elements else [])]
        return frozenset(map(self.kind, inside))


def types_of(oids: Iterable[int], look_up: LookUp) -> Types:
    """What types are made of, to any depth; the server is asked level by level, never for types with a fixed kind."""
    types = Types()
    asked = set(_KINDS)
    while wanted := {*oids} - asked:
        asked |= wanted
        listed = ", ".join(map(str, sorted(wanted)))
        found = look_up(
            f"SELECT oid, typtype, typbasetype, typcategory, typelem FROM pg_catalog.pg_type WHERE oid IN ({listed})"
        )
        for oid, form, base, category, element in found:
            if form == "d":
                types.domains[int(oid)] = int(base)
            elif category == "A":
                types.elements[int(oid)] = int(element)
            elif form == "c":
                types.rows[int(oid)] = {}
            elif form == "r":
                types.ranges[int(oid)] = 0
        _look_into_rows(types, wanted & types.rows.keys(), look_up)
        _look_into_ranges(types, wanted & types.ranges.keys(), look_up)
        fields = (field for row in types.rows.values() for field in row.values())
        oids = [*types.domains.values(), *types.elements.values(), *types.ranges.values(), *fields]
    return types


def _look_into_rows(types: Types, oids: Iterable[int], look_up: LookUp) -> None:
    if listed := ", ".join(map(str, sorted(oids))):
        found = look_up(
            "SELECT t.oid, a.attname, a.atttypid FROM pg_catalog.pg_type AS t "
            "JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.typrelid "
            f"WHERE a.attnum > 0 AND NOT a.attisdropped AND t.oid IN ({listed})"
        )
        for oid, name, inner in found:
            types.rows[int(oid)][name] = int(inner)


def _look_into_ranges(types: Types, oids: Iterable[int], look_up: LookUp) -> None:
    if listed := ", ".join(map(str, sorted(oids))):
        found = look_up(f"SELECT rngtypid, rngsubtype FROM pg_catalog.pg_range WHERE rngtypid IN ({listed})")
        types.ranges.update((int(oid), int(inner)) for oid, inner in found)


def copy_statement(query: str, kinds: Sequence[Kind], *, limit: int | None) -> str:
    """``COPY ... TO STDOUT`` of the query, nested values as JSON, at most ``limit`` rows.

    The query stays as it is where nothing is to be added. Otherwise its columns go by position, whatever their names.
    """
    if limit is None and Kind.NESTED not in kinds:
        return f"COPY (\n{query}\n) TO STDOUT (FORMAT csv)"
    columns = [f"c{number}" for number in range(len(kinds))]
    values = ", ".join(_value(f"q.{column}", kind) for column, kind in zip(columns, kinds, strict=True))
    tail = "" if limit is None else f" LIMIT {limit:d}"
    inner = f"SELECT {values} FROM (\n{query}\n) AS q ({', '.join(columns)}){tail}"
    return f"COPY ({inner}) TO STDOUT (FORMAT csv)"


def _value(column: str, kind: Kind) -> str:
    return f"pg_catalog.to_json({column})" if kind is Kind.NESTED else column
