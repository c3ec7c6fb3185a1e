"""The SQL that brings a slice of rows from a temporary stage into a table.

The stage has a column for each place, ``c0`` and so on, of the type of the table's own, and the row's ``place`` in the
slice. So what is compared has been read as the table reads it. Texts are compared by their characters, keys too,
whatever collation a column, or what is new in a schema, has: the row of another key is never written to. Unique and
primary keys are not enforced by Snowflake: no statement relies on one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import pyarrow as pa

from reverse_etl.destinations._sql.columns import Kind
from reverse_etl.destinations._sql.marks import Mark
from reverse_etl.destinations.snowflake.catalogue import TableColumn, literal, quoted

FILES: Final = "reverse_etl_files"
MAKE_FILES: Final = f"CREATE TEMPORARY STAGE IF NOT EXISTS {FILES}"
STAGE: Final = "reverse_etl_stage"
PLACE: Final = "place"

_FORMAT: Final = "FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE NULL_IF = ())"
"""Without an empty ``NULL_IF`` the text ``\\N`` would be NULL."""
_NO_DEFAULT: Final = "DEFAULT_DDL_COLLATION = ''"
"""Otherwise a text of the stage gets the collation that account, database or schema have for what is new there.

Source: docs.snowflake.com/en/sql-reference/sql/create-table and create-hybrid-table, read 2026-11."""


@dataclass(frozen=True, slots=True)
class Statements:
    """What is run for each slice.

    Attributes:
        table: Database, schema and name, quoted.
        columns: Those that are written, in the order of the stage.
        write: ``add_and_update``, ``update_only``, ``add_only`` or ``append``.
        keeps_when_empty: Whether NULL and '' keep what is there.
        deletes: Whether rows that are gone are deleted.
        marks: What is set in rows that are gone; they are deleted where it is nothing.
        removes: Whether the rows of the slices are gone.
    """

    table: str
    columns: Sequence[TableColumn]
    write: str
    keeps_when_empty: bool
    deletes: bool
    marks: tuple[Mark[TableColumn], ...] = ()
    removes: bool = False

    @property
    def key(self) -> list[str]:
        """The names of its columns, as the query has them."""
        return [self.columns[at].fits.name for at in self._key]

    @property
    def adds(self) -> bool:
        """Whether rows that the table does not have are added."""
        return self.write != "update_only"

    @property
    def updates(self) -> bool:
        """Whether rows that the table has are changed."""
        return self.write not in ("add_only", "append") and bool(self._data)

    def of_keys(self) -> Statements:
        """Those for slices of keys alone."""
        return replace(self, columns=[self.columns[at] for at in self._key], keeps_when_empty=False)

    def of_gone(self) -> Statements:
        """Those for slices of rows that are gone: their keys, and what is set in them."""
        columns = [*self.of_keys().columns, *(mark.column for mark in self.marks)]
        return replace(self, columns=columns, write="update_only", keeps_when_empty=False, removes=True)

    def make_stage(self) -> str:
        """An empty temporary table for a slice."""
        columns = ", ".join(f"c{at} {column.fits.type}" for at, column in enumerate(self.columns))
        return f"CREATE OR REPLACE TEMPORARY TABLE {STAGE} ({PLACE} NUMBER(10,0), {columns}) {_NO_DEFAULT}"

    def fill_stage(self, schema: pa.Schema, name: str) -> str:
        """Copies a file into it, and removes the file.

        Args:
            schema: Of the rows as they were made to fit.
            name: The file's.
        """
        reads = [f"$1:{PLACE}::NUMBER(10,0)"]
        reads += [self._read(at, schema.field(at).type) for at in range(len(self.columns))]
        return f"COPY INTO {STAGE} FROM (SELECT {', '.join(reads)} FROM @{FILES}/{name}) {_FORMAT} PURGE = TRUE"

    def plan(self) -> str:
        """The rows that are not simply written.

        Place, which of its key's rows it is, how many of the table's match, the place of a column that a new row lacks.
        """
        nth = f"ROW_NUMBER() OVER (PARTITION BY {self._keys('r')} ORDER BY r.{PLACE}) AS nth"
        numbers = f"SELECT r.*, {nth} FROM {STAGE} AS r"
        found = f"COUNT(t.{self._name(self._key[0])})"
        lacking = self._lacking()
        odd = ["MAX(s.nth) > 1", f"{found} > 1"]
        if self.write == "update_only":
            odd.append(f"{found} = 0")
        if self.write == "add_only":
            odd.append(f"{found} > 0")
        if lacking != "NULL":
            odd.append(f"{lacking} IS NOT NULL")
        return (
            f"SELECT s.{PLACE}, MAX(s.nth) AS nth, {found} AS matches, {lacking} AS lacks FROM ({numbers}) AS s "
            f"LEFT JOIN {self.table} AS t ON {self._match('t')} GROUP BY s.{PLACE} HAVING {' OR '.join(odd)}"
        )

    def take(self, places: Sequence[int]) -> str:
        """Removes rows from the stage."""
        return f"DELETE FROM {STAGE} WHERE {PLACE} IN ({', '.join(map(str, places))})"

    def insert(self) -> str:
        """Adds the whole stage."""
        names = ", ".join(self._name(at) for at in range(len(self.columns)))
        values = ", ".join(f"s.c{at}" for at in range(len(self.columns)))
        return f"INSERT INTO {self.table} ({names}) SELECT {values} FROM {STAGE} AS s ORDER BY s.{PLACE}"

    def merge(self) -> str:
        """Writes the stage: changes rows that the table has and that differ, adds those that it does not have."""
        when = []
        if self.updates:
            sets = ", ".join(f"t.{self._name(at)} = s.c{at}" for at in self._data)
            when.append(f"WHEN MATCHED AND ({self._differs()}) THEN UPDATE SET {sets}")
        if self.adds:
            names = ", ".join(self._name(at) for at in range(len(self.columns)))
            values = ", ".join(f"s.c{at}" for at in range(len(self.columns)))
            when.append(f"WHEN NOT MATCHED THEN INSERT ({names}) VALUES ({values})")
        return f"MERGE INTO {self.table} AS t USING ({self._source()}) AS s ON {self._match('t')} {' '.join(when)}"

    def count(self) -> str:
        """How many rows of the stage the table does not have, has otherwise, and has as they are."""
        new, differs = f"t.{self._name(self._key[0])} IS NULL", self._differs() if self._data else "FALSE"
        return (
            f"SELECT COUNT_IF({new}), COUNT_IF(NOT {new} AND ({differs})), COUNT_IF(NOT {new} AND NOT ({differs})) "
            f"FROM ({self._source()}) AS s LEFT JOIN {self.table} AS t ON {self._match('t')}"
        )

    def look_up(self) -> str:
        """The places of the stage's rows that the table has; and for each column whether it is the same, and texts."""
        parts = []
        for at in self._data:
            pair = (f"s.c{at}", f"t.{self._name(at)}")
            expected, found = (self._compared(at, value) for value in pair)
            parts += [f"{expected} IS NOT DISTINCT FROM {found}", *(f"{value}::VARCHAR" for value in pair)]
        joined = f"({self._source()}) AS s JOIN {self.table} AS t ON {self._match('t')}"
        return f"SELECT {', '.join([f's.{PLACE}', *parts])} FROM {joined} ORDER BY 1"

    def count_deleted(self) -> str:
        """How many rows of the table the stage is of that are to be deleted, or marked and are not yet."""
        differs = f" WHERE {self._differs()}" if self.marks else ""
        joined = f"({self._source()}) AS s JOIN {self.table} AS t ON {self._match('t')}"
        return f"SELECT COUNT(*) FROM {joined}{differs}"

    def not_among(self) -> str:
        """The keys of the table's rows that the stage does not have and that are not marked."""
        keys = ", ".join(f"t.{self._name(at)}" for at in self._key)
        known = " AND ".join(f"t.{self._name(at)} IS NOT NULL" for at in self._key)
        joined = f"{self.table} AS t LEFT JOIN {STAGE} AS s ON {self._match('t')}"
        marked = " AND ".join(map(_is_marked, self.marks))
        unmarked = f" AND NOT ({marked})" if marked else ""
        return f"SELECT {keys} FROM {joined} WHERE s.{PLACE} IS NULL AND {known}{unmarked}"

    def unlike(self) -> str:
        """The places of rows that the table does not have as they were to be written."""
        differs = f" OR {self._differs()}" if self._data else ""
        return (
            f"SELECT s.{PLACE} FROM ({self._source()}) AS s LEFT JOIN {self.table} AS t ON {self._match('t')} "
            f"WHERE t.{self._name(self._key[0])} IS NULL{differs}"
        )

    def delete(self) -> str:
        """Deletes the table's rows with the keys of the stage."""
        return f"DELETE FROM {self.table} AS t USING {STAGE} AS s WHERE {self._match('t')}"

    def still_there(self) -> str:
        """The places of keys of the stage that the table has."""
        return f"SELECT DISTINCT s.{PLACE} FROM {STAGE} AS s JOIN {self.table} AS t ON {self._match('t')}"

    def probes(self) -> dict[str, str]:
        """Statements that touch no row, by the right on the table that they need."""
        names = [self._name(at) for at in range(len(self.columns))]
        probes = {}
        if self.write != "append":
            probes["SELECT"] = f"SELECT {', '.join(names)} FROM {self.table} WHERE FALSE"
        if self.adds:
            nulls = ", ".join("NULL" for _ in names)
            nothing = "FROM (SELECT 1 AS one) AS one WHERE FALSE"
            probes["INSERT"] = f"INSERT INTO {self.table} ({', '.join(names)}) SELECT {nulls} {nothing}"
        if self.updates:
            sets = ", ".join(f"{self._name(at)} = NULL" for at in self._data)
            probes["UPDATE"] = f"UPDATE {self.table} SET {sets} WHERE FALSE"
        elif self.marks:
            sets = ", ".join(f"{quoted(mark.column.stored)} = NULL" for mark in self.marks)
            probes["UPDATE"] = f"UPDATE {self.table} SET {sets} WHERE FALSE"
        if self.deletes:
            probes["DELETE"] = f"DELETE FROM {self.table} WHERE FALSE"
        return probes

    @property
    def _key(self) -> list[int]:
        return [at for at, column in enumerate(self.columns) if column.fits.key]

    @property
    def _data(self) -> list[int]:
        return [at for at, column in enumerate(self.columns) if not column.fits.key]

    def _name(self, at: int) -> str:
        return quoted(self.columns[at].stored)

    def _keys(self, alias: str) -> str:
        return ", ".join(f"{alias}.c{at}" for at in self._key)

    def _match(self, alias: str) -> str:
        return " AND ".join(f"{self._characters(at, f'{alias}.{self._name(at)}')} = s.c{at}" for at in self._key)

    def _source(self) -> str:
        """The stage, with the values that existing rows get."""
        names = [f"s.{PLACE}", *(f"{self._value(at)} AS c{at}" for at in range(len(self.columns)))]
        there = f" LEFT JOIN {self.table} AS o ON {self._match('o')}" if self.keeps_when_empty or self.removes else ""
        return f"SELECT {', '.join(names)} FROM {STAGE} AS s{there}"

    def _value(self, at: int) -> str:
        given = f"s.c{at}"
        if self.removes and any(mark.now and mark.column is self.columns[at] for mark in self.marks):
            return f"COALESCE(o.{self._name(at)}, {given})"
        if not self.keeps_when_empty or at in self._key:
            return given
        empty = f"NULLIF({given}, '')" if self.columns[at].fits.kind is Kind.TEXT else given
        return f"COALESCE({empty}, o.{self._name(at)}, {given})"

    def _differs(self) -> str:
        """Whether row ``t`` has other values than it would get."""
        return " OR ".join(
            f"{self._compared(at, f't.{self._name(at)}')} IS DISTINCT FROM {self._compared(at, f's.c{at}')}"
            for at in self._data
        )

    def _compared(self, at: int, value: str) -> str:
        """A value as it is compared: JSON by its text, a text by its characters whatever the collation."""
        is_json = self.columns[at].fits.kind is Kind.JSON
        return f"TO_JSON({value})" if is_json else self._characters(at, value)

    def _characters(self, at: int, value: str) -> str:
        return f"COLLATE({value}, 'utf8')" if self.columns[at].collated else value

    def _lacking(self) -> str:
        """The place of the first column that a new row must not lack and lacks; NULL for none."""
        needed = [at for at in self._data if not self.columns[at].fits.nullable]
        if not self.keeps_when_empty or not self.adds or not needed:
            return "NULL"
        new = f"t.{self._name(self._key[0])} IS NULL"
        return f"MIN(CASE {' '.join(f'WHEN {new} AND s.c{at} IS NULL THEN {at}' for at in needed)} END)"

    def _read(self, at: int, given: pa.DataType) -> str:
        """A value of the file in the column's type."""
        column = self.columns[at]
        value = f"$1:c{at}"
        if column.fits.kind is Kind.JSON:
            json = f"PARSE_JSON({value}::VARCHAR)"
            return json if column.form == "VARIANT" else f"{json}::{column.form}"
        if column.fits.kind is Kind.TEXT:
            return f"{value}::VARCHAR"
        text = "::VARCHAR" if pa.types.is_string(given) else ""
        return f"{value}{text}::{column.fits.type}"


def _is_marked(mark: Mark[TableColumn]) -> str:
    """A condition for rows ``t`` that have what a mark sets."""
    name = f"t.{quoted(mark.column.stored)}"
    if mark.now:
        return f"{name} IS NOT NULL"
    value = mark.fitted[0].as_py()
    return f"{name} IS NOT DISTINCT FROM {literal(value) if isinstance(value, str) else str(value)}"
