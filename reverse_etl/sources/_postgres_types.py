"""Which canonical kind a PostgreSQL type is read as, and the COPY statement that says its values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import Enum, auto
from typing import Final


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
    NESTED = auto()
    """Arrays and rows; ``to_json`` says them."""
    NESTED_PADDED_TEXT = auto()
    """Arrays of char(n)."""
    NESTED_NUMBERS = auto()
    """Arrays whose elements may be NaN or infinite, which ``to_json`` says as text."""


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
    1014: Kind.NESTED_PADDED_TEXT,  # char(n)[]
    1021: Kind.NESTED_NUMBERS,  # float4[]
    1022: Kind.NESTED_NUMBERS,  # float8[]
    1042: Kind.PADDED_TEXT,  # char(n), bpchar
    1043: Kind.TEXT,
    1082: Kind.DATE,
    1083: Kind.TEXT,  # time
    1114: Kind.WALL_CLOCK,
    1184: Kind.INSTANT,
    1186: Kind.TEXT,  # interval
    1231: Kind.NESTED_NUMBERS,  # numeric[]
    1266: Kind.TEXT,  # timetz
    1700: Kind.DECIMAL,
    2249: Kind.NESTED,  # record
    2950: Kind.TEXT,  # uuid
    3802: Kind.JSON,  # jsonb
}
"""Fixed OIDs. Source: src/include/catalog/pg_type.dat of PostgreSQL 15."""

_ARRAYS: Final = {
    Kind.PADDED_TEXT: Kind.NESTED_PADDED_TEXT,
    Kind.FLOAT: Kind.NESTED_NUMBERS,
    Kind.DECIMAL: Kind.NESTED_NUMBERS,
}
"""Arrays whose elements are not as ``to_json`` writes them, by the elements' kind; others are ``NESTED``."""


def kinds(types: Sequence[int], look_up: Callable[[str], Iterable[tuple[str, ...]]]) -> list[Kind]:
    """The kind of each type: a domain's is its base type's, an array's its elements', one not listed here is text.

    Args:
        types: Type OIDs.
        look_up: Runs a query on the server and gives its rows as text.
    """
    known: dict[int, Kind] = {}
    domains: dict[int, int] = {}
    elements: dict[int, int] = {}
    wanted = set(types) - _KINDS.keys()
    while wanted:
        oids = ", ".join(map(str, sorted(wanted)))
        rows = look_up(
            f"SELECT oid, typtype, typbasetype, typcategory, typelem FROM pg_catalog.pg_type WHERE oid IN ({oids})"
        )
        for oid, form, base, category, element in rows:
            if form == "d":
                domains[int(oid)] = int(base)
            elif category == "A":
                elements[int(oid)] = int(element)
            else:
                known[int(oid)] = Kind.NESTED if form == "c" else Kind.TEXT
        inner = {*domains.values(), *elements.values()}
        wanted = inner - _KINDS.keys() - known.keys() - domains.keys() - elements.keys()

    def kind(oid: int) -> Kind:
        while oid in domains:
            oid = domains[oid]
        if oid in elements:
            return _ARRAYS.get(kind(elements[oid]), Kind.NESTED)
        return _KINDS.get(oid) or known.get(oid, Kind.TEXT)

    return [kind(oid) for oid in types]


def copy_statement(query: str, kinds: Sequence[Kind], *, limit: int | None) -> str:
    """``COPY ... TO STDOUT`` of the query, nested values as JSON, at most ``limit`` rows.

    The query stays as it is where nothing is to be added. Otherwise its columns go by position, whatever their names.
    """
    if limit is None and not any(map(_nested, kinds)):
        return f"COPY (\n{query}\n) TO STDOUT (FORMAT csv)"
    columns = [f"c{number}" for number in range(len(kinds))]
    values = ", ".join(_value(f"q.{column}", kind) for column, kind in zip(columns, kinds, strict=True))
    tail = "" if limit is None else f" LIMIT {limit:d}"
    inner = f"SELECT {values} FROM (\n{query}\n) AS q ({', '.join(columns)}){tail}"
    return f"COPY ({inner}) TO STDOUT (FORMAT csv)"


def _value(column: str, kind: Kind) -> str:
    if kind is Kind.NESTED_PADDED_TEXT:
        return f"pg_catalog.to_json({column}::pg_catalog.text[])"
    return f"pg_catalog.to_json({column})" if _nested(kind) else column


def _nested(kind: Kind) -> bool:
    return kind in (Kind.NESTED, Kind.NESTED_NUMBERS, Kind.NESTED_PADDED_TEXT)
