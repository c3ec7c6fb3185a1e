"""What MySQL's catalogue has of a table: its columns, its keys and its checks, as far as this user may see them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reverse_etl.destinations._sql import columns
from reverse_etl.destinations._sql.columns import Column, Kind

if TYPE_CHECKING:
    from reverse_etl.destinations.mysql.connection import Session

_COLUMNS: Final = (
    "SELECT column_name, column_type, data_type, is_nullable = 'YES', column_default IS NOT NULL, extra, "
    "character_maximum_length, character_octet_length, numeric_precision, numeric_scale, datetime_precision, "
    "character_set_name, collation_name FROM information_schema.columns WHERE {table} ORDER BY ordinal_position"
)
_KEYS: Final = (
    "SELECT index_name, column_name, sub_part IS NOT NULL, non_unique = 0 FROM information_schema.statistics "
    "WHERE {table} ORDER BY index_name, seq_in_index"
)
_CHECKS: Final = {
    True: "SELECT constraint_name, check_clause FROM information_schema.check_constraints "
    "WHERE constraint_schema = {schema} AND table_name = {name}",
    False: "SELECT c.constraint_name, c.check_clause FROM information_schema.check_constraints AS c JOIN "
    "information_schema.table_constraints AS t USING (constraint_schema, constraint_name) "
    "WHERE t.table_schema = {schema} AND t.table_name = {name}",
}
"""Of MariaDB, whose names are a table's own, and of MySQL."""

_FILLING: Final = (
    "SELECT 1 FROM information_schema.triggers WHERE event_object_schema = {schema} AND event_object_table = {name} "
    "AND event_manipulation = 'INSERT' AND action_timing = 'BEFORE' LIMIT 1"
)

_BITS: Final = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}
_YEARS: Final = (1901, 2155)
_KINDS: Final = {
    "decimal": Kind.NUMERIC,
    "float": Kind.FLOAT,
    "double": Kind.FLOAT,
    "enum": Kind.ENUM,
    "uuid": Kind.UUID,
    "date": Kind.DATE,
    "datetime": Kind.WALL_CLOCK,
    "timestamp": Kind.INSTANT,
    "json": Kind.JSON,
    **dict.fromkeys(("char", "varchar", "tinytext", "text", "mediumtext", "longtext"), Kind.TEXT),
    **dict.fromkeys(("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"), Kind.TEXT),
}
_UNWRITABLE: Final = {
    *("geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon"),
    *("geometrycollection", "geomcollection", "vector"),
}
_LAST_TIMESTAMP: Final = {True: 2**32 - 1, False: 2**31 - 1}
"""Unix seconds; MariaDB's since 11.5 in 64 bits, and others'."""
_VALUE: Final = re.compile(r"'((?:[^'\\]|''|\\.)*)'", re.DOTALL)
_ESCAPED: Final = re.compile(r"''|\\(.)", re.DOTALL)
_CHARACTERS: Final = {"0": "\0", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a", "b": "\b"}
_NAME_IN_CLAUSE: Final = re.compile(r"'(?:[^'\\]|''|\\.)*'|`((?:[^`]|``)+)`", re.DOTALL)
"""A text, which may hold what looks like a name, or a name, which may hold a quote."""


def quoted(name: str) -> str:
    """A name as SQL takes it, whatever it holds."""
    return "`" + name.replace("`", "``") + "`"


def literal(text: str) -> str:
    """A text as SQL takes it, in the session's SQL mode."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\0", "\\0") + "'"


@dataclass(frozen=True, slots=True)
class TableColumn(columns.TableColumn):
    """One column of a table.

    Attributes:
        charset: Its character set; empty where it holds no text.
        collation: How its texts are compared.
        writable: Whether a text or number can become its value.
        counts: Whether the table numbers new rows in it (``AUTO_INCREMENT``).
    """

    charset: str
    collation: str
    writable: bool
    counts: bool = False

    @property
    def definition(self) -> str:
        """Its type, for a column of another table that compares as it does."""
        text = f" CHARACTER SET {self.charset} COLLATE {self.collation}" if self.charset else ""
        return f"{self.fits.type}{text} NULL"


@dataclass(frozen=True, slots=True)
class Key:
    """An index.

    Attributes:
        columns: In its order; an expression is none.
        whole: Whether all of it is whole columns, and not their beginnings or expressions.
        unique: Whether no two rows may have the same values.
    """

    columns: tuple[str, ...]
    whole: bool
    unique: bool


@dataclass(frozen=True, slots=True)
class Table:
    """A table as the catalogue has it.

    Attributes:
        database: Its database's name.
        name: Its own.
        kind: ``BASE TABLE`` and the like.
        engine: What stores it.
        columns: In the table's order, by name.
        keys: By name.
        checks: The columns of each check, by its name.
        filled: The columns that must not be empty and that a trigger may fill before a row is added, as far as this
            user sees triggers (MySQL: with the right ``TRIGGER``).
    """

    database: str
    name: str
    kind: str
    engine: str
    columns: Mapping[str, TableColumn]
    keys: Mapping[str, Key]
    checks: Mapping[str, tuple[str, ...]]
    filled: frozenset[str]

    def is_unique(self, names: Iterable[str]) -> bool:
        """Whether no two rows have the same values in these columns."""
        names = set(names)
        return any(key.unique and key.columns and set(key.columns) <= names for key in self.keys.values())

    def is_indexed(self, names: Iterable[str]) -> bool:
        """Whether rows are found by these columns without reading the table."""
        names = set(names)
        return any(key.columns and key.columns[0] in names for key in self.keys.values())


def table(session: Session, database: str, name: str, *, key: Sequence[str]) -> Table | None:
    """A table, or None where this user sees none of that name.

    Args:
        session: A connection.
        database: The database's name, exactly.
        name: The table's, exactly.
        key: The columns that are to identify its rows.
    """
    schema, exactly = literal(database), literal(name)
    where = f"table_schema = {schema} AND table_name = {exactly}"
    found = session.rows(f"SELECT table_name, table_type, engine FROM information_schema.tables WHERE {where}")
    about = next((row for row in found if row[0] == name), None)
    if about is None:
        return None
    last = _LAST_TIMESTAMP[session.is_mariadb and session.number >= (11, 5)]
    columns = {row[0]: _column(row, key, last) for row in session.rows(_COLUMNS.format(table=where))}
    checks = session.rows(_CHECKS[session.is_mariadb].format(schema=schema, name=exactly))
    may_fill = bool(session.rows(_FILLING.format(schema=schema, name=exactly)))
    return Table(
        database=database,
        name=name,
        kind=about[1],
        engine=about[2],
        columns=columns,
        keys=_keys(session.rows(_KEYS.format(table=where))),
        checks={name: _names(clause, name, columns) for name, clause in checks},
        filled=frozenset(name for name, column in columns.items() if may_fill and not column.fits.nullable),
    )


def table_names(session: Session, database: str) -> list[str]:
    """The tables of a database that this user sees, sorted."""
    query = "SELECT table_name FROM information_schema.tables WHERE table_schema = {} AND table_type <> 'VIEW'"
    return sorted(name for (name,) in session.rows(query.format(literal(database))))


def _keys(rows: Iterable[tuple[str, ...]]) -> dict[str, Key]:
    parts: dict[str, list[tuple[str, ...]]] = {}
    for index, *part in rows:
        parts.setdefault(index, []).append(tuple(part))
    return {
        index: Key(
            columns=() if any(not name for name, _, _ in part) else tuple(name for name, _, _ in part),
            whole=all(name and cut == "0" for name, cut, _ in part),
            unique=part[0][2] == "1",
        )
        for index, part in parts.items()
    }


def _names(clause: str, name: str, columns: Mapping[str, TableColumn]) -> tuple[str, ...]:
    """The columns that a check is about; one that belongs to a column has its name."""
    named = dict.fromkeys(each.replace("``", "`") for each in _NAME_IN_CLAUSE.findall(clause))
    return tuple(each for each in named if each in columns) or ((name,) if name in columns else ())


def _column(row: tuple[str, ...], key: Sequence[str], last: int) -> TableColumn:
    data_type, nullable, has_default, extra = row[2:6]
    charset, collation = row[-2:]
    generated = "GENERATED" in extra.replace("DEFAULT_GENERATED", "")
    return TableColumn(
        fits=_fits(row, key, last),
        generated=generated,
        has_default=has_default == "1" or nullable == "1" or "auto_increment" in extra,
        charset=charset,
        collation=collation,
        writable=data_type not in _UNWRITABLE,
        counts="auto_increment" in extra,
    )


def _fits(row: tuple[str, ...], key: Sequence[str], last: int) -> Column:
    name, full, data_type, nullable, _, _, characters, octets, precision, scale, fraction, charset, _ = row
    integers = _integers(full, data_type, precision)
    kind = Kind.INTEGER if integers else _KINDS.get(data_type, Kind.OTHER)
    # In other encodings, bytes are not those of UTF-8: the server knows.
    counts_bytes = kind is Kind.TEXT and data_type not in ("char", "varchar") and charset in ("", "utf8mb4", "utf8mb3")
    return Column(
        name=name,
        type=full,
        kind=kind,
        nullable=nullable == "1",
        key=name in key,
        integers=integers or (-(2**63), 2**63 - 1),
        precision=int(precision) if kind is Kind.NUMERIC else None,
        scale=int(scale) if kind is Kind.NUMERIC else 0,
        single=data_type == "float",
        characters=int(characters) if data_type in ("char", "varchar") else None,
        octets=int(octets) if counts_bytes else None,
        values=_values(full) if kind is Kind.ENUM else (),
        finite=True,
        unsigned=kind in (Kind.NUMERIC, Kind.FLOAT) and " unsigned" in full,
        instants=(1_000_000, last * 1_000_000 + 999_999) if kind is Kind.INSTANT else None,
        fraction=int(fraction) if fraction and kind in (Kind.INSTANT, Kind.WALL_CLOCK) else 6,
        takes_booleans=kind is Kind.INTEGER and data_type != "year",
    )


def _integers(full: str, data_type: str, precision: str) -> tuple[int, int] | None:
    if data_type == "year":
        return _YEARS
    if data_type == "bit":
        return 0, 2 ** int(precision) - 1
    bits = _BITS.get(data_type)
    if bits is None:
        return None
    return (0, 2**bits - 1) if "unsigned" in full else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def _values(full: str) -> tuple[str, ...]:
    return tuple(_ESCAPED.sub(_character, value) for value in _VALUE.findall(full))


def _character(escaped: re.Match[str]) -> str:
    return _CHARACTERS.get(escaped[1], escaped[1]) if escaped[1] else "'"
