"""What Snowflake's catalogue has of a table: which one a name means, and its columns.

SHOW commands list what the role may see, and need no warehouse. Names are matched exactly, then where a single name
differs in case alone: unquoted names are stored in upper case.
Source: docs.snowflake.com/en/sql-reference/sql/show-columns and show-objects, read 2026-11.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reverse_etl.destinations._sql import columns
from reverse_etl.destinations._sql.columns import Column, Kind

if TYPE_CHECKING:
    from reverse_etl.destinations.snowflake.connection import Session

_KINDS: Final = {
    "TEXT": Kind.TEXT,
    "REAL": Kind.FLOAT,
    "BOOLEAN": Kind.BOOLEAN,
    "DATE": Kind.DATE,
    "TIMESTAMP_NTZ": Kind.WALL_CLOCK,
    "TIMESTAMP_LTZ": Kind.INSTANT,
    "TIMESTAMP_TZ": Kind.INSTANT,
    "VARIANT": Kind.JSON,
    "ARRAY": Kind.JSON,
    "OBJECT": Kind.JSON,
}
_MOST_DIGITS: Final = 6
"""Of a second, that our values have."""


@dataclass(frozen=True, slots=True)
class TableColumn(columns.TableColumn):
    """One column of a table; ``fits.name`` is what the query calls it, where the query has it.

    Attributes:
        stored: Its name as the account spells it.
        form: Snowflake's word for the type: ``FIXED``, ``TEXT`` ...
        collated: Whether texts are compared by a collation.
        writable: Whether values of its type can be written.
    """

    stored: str
    form: str
    collated: bool
    writable: bool


@dataclass(frozen=True, slots=True)
class Table:
    """A table as the catalogue has it.

    Attributes:
        database: As the account spells it, as ``schema`` and ``name``.
        kind: ``TABLE``, ``VIEW`` and others.
        is_dynamic: Whether Snowflake fills it by a query.
        columns: In the table's order, by the query's name, or their own.
    """

    database: str
    schema: str
    name: str
    kind: str
    is_dynamic: bool
    columns: Mapping[str, TableColumn]

    @property
    def full(self) -> str:
        """Its name in messages."""
        return f"{self.schema}.{self.name}"

    @property
    def quoted(self) -> str:
        """Its name in statements."""
        return ".".join(map(quoted, (self.database, self.schema, self.name)))


def quoted(name: str) -> str:
    """A name as SQL takes it, whatever it holds."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as SQL takes it."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def matching(name: str, known: Iterable[str]) -> list[str]:
    """The names that are meant: the same one, or all that differ in case alone."""
    known = list(known)
    return [name] if name in known else [each for each in known if each.upper() == name.upper()]


def objects(session: Session, name: str | None = None) -> list[dict[str, Any]]:
    """Tables and views of the database, all of them or those whose names differ in case alone.

    Args:
        session: Of the database.
        name: Without regard to case.
    """
    like = "" if name is None else f" LIKE {literal(name)}"
    found = session.listed(f"SHOW OBJECTS{like} IN DATABASE {quoted(session.database)}")
    return [each for each in found if name is None or each["name"].upper() == name.upper()]


def read_columns(session: Session, table: str, key: Sequence[str], names: Sequence[str]) -> dict[str, TableColumn]:
    """The columns of a table, in its order, by the query's name where the query has one.

    Args:
        session: Of the database.
        table: The table's name, quoted.
        key: The columns that are to identify its rows, as the query names them.
        names: The query's columns.
    """
    found = session.listed(f"SHOW COLUMNS IN TABLE {table}")
    stored = [row["column_name"] for row in found]
    named = {matches[0]: name for name in names if len(matches := matching(name, stored)) == 1}
    return {
        (name := named.get(row["column_name"], row["column_name"])): _column(row, name, name in key) for row in found
    }


def _column(row: dict[str, Any], name: str, key: bool) -> TableColumn:
    about = json.loads(row["data_type"])
    form, collation = about["type"], about.get("collation") or ""
    kind, type_ = _kind(about)
    given = str(row["default"] or "")
    counts = bool(row["autoincrement"]) or given.upper().startswith(("IDENTITY", "NEXTVAL"))
    number = kind in (Kind.INTEGER, Kind.NUMERIC)
    precision, scale = about.get("precision") or 0, about.get("scale") or 0
    timed = kind in (Kind.WALL_CLOCK, Kind.INSTANT)
    return TableColumn(
        fits=Column(
            name=name,
            type=type_,
            kind=kind,
            nullable=str(row["null?"]).lower() in ("true", "y"),
            key=key,
            integers=(1 - 10**precision, 10**precision - 1) if number else (0, 0),
            precision=precision if number else None,
            scale=scale if number else 0,
            characters=about.get("length") if kind is Kind.TEXT else None,
            octets=about.get("byteLength") if kind is Kind.TEXT else None,
            finite=number,
            fraction=min(_MOST_DIGITS, scale) if timed else _MOST_DIGITS,
        ),
        generated=str(row["kind"]).upper() == "VIRTUAL_COLUMN",
        has_default=bool(given) or counts,
        stored=row["column_name"],
        form=form,
        collated=bool(collation),
        writable=kind is not Kind.OTHER,
    )


def _kind(about: dict[str, Any]) -> tuple[Kind, str]:
    """What a column holds, and its type in SQL."""
    form = about["type"]
    if form == "FIXED":
        kind = Kind.NUMERIC if about["scale"] else Kind.INTEGER
        return kind, f"NUMBER({about['precision']},{about['scale']})"
    kind = _KINDS.get(form, Kind.OTHER)
    if kind is Kind.TEXT:
        return kind, f"VARCHAR({about['length']})"
    if kind in (Kind.WALL_CLOCK, Kind.INSTANT):
        return kind, f"{form}({about['scale']})"
    return kind, "FLOAT" if form == "REAL" else form
