"""The SQL that brings a slice of rows from a temporary stage into a table.

The stage has a column for each place, ``c0`` and so on, of the type, character set and collation of the table's own,
and the row's ``place`` in the slice. So keys are equal where the table has them equal, and what the table would round
or pad is rounded and padded before it is compared. No statement names the stage twice, which MySQL refuses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from reverse_etl.destinations._sql.columns import Kind
from reverse_etl.destinations._sql.marks import Mark
from reverse_etl.destinations.mysql.catalogue import TableColumn, quoted

STAGE: Final = "reverse_etl_stage"
DROP_STAGE: Final = f"DROP TEMPORARY TABLE IF EXISTS {STAGE}"
FILL_STAGE: Final = f"INSERT INTO {STAGE} VALUES "
BAD: Final = "reverse_etl_bad"
MAKE_BAD: Final = f"CREATE TEMPORARY TABLE IF NOT EXISTS {BAD} (place INT, code INT, text TEXT) ENGINE = InnoDB"
EMPTY_BAD: Final = f"DELETE FROM {BAD}"
READ_BAD: Final = f"SELECT place, code, text FROM {BAD} ORDER BY place"
FEW: Final = 12
"""Rows that are tried together where a slice holds bad ones."""
ROW: Final = "reverse_etl_row"
"""The variable of a block that holds a row of the stage."""
_INDEXED: Final = 100
"""Characters of a text in an index of the stage."""


@dataclass(frozen=True, slots=True)
class Statements:
    """What is run for each slice.

    Attributes:
        table: Database and name, quoted.
        columns: Those that are written, in the order of the stage.
        write: ``add_and_update``, ``update_only``, ``add_only`` or ``append``.
        keeps_when_empty: Whether NULL and '' keep what is there.
        unique_key: Whether no two rows of the table have the same key.
        indexed: Whether the table has an index by which rows of a key are found.
        deletes: Whether rows that are gone are deleted.
        marks: What is set in rows that are gone; they are deleted where it is nothing.
        removes: Whether the rows of the slices are gone.
        filled: Columns that are not among them, need a value and may get it from a trigger.
        numbered_by: The column in which the table itself numbers new rows; empty where there is none.
    """

    table: str
    columns: Sequence[TableColumn]
    write: str
    keeps_when_empty: bool
    unique_key: bool
    indexed: bool
    deletes: bool
    filled: Sequence[str] = ()
    numbered_by: str = ""
    marks: tuple[Mark[TableColumn], ...] = ()
    removes: bool = False

    @property
    def key(self) -> list[str]:
        """The names of its columns."""
        return [self.columns[at].fits.name for at in self._key]

    @property
    def adds(self) -> bool:
        """Whether rows that the table does not have are added."""
        return self.write != "update_only"

    @property
    def updates(self) -> bool:
        """Whether rows that the table has are changed."""
        return self.write not in ("add_only", "append") and bool(self._set)

    def make_stage(self, *, indexed: bool = False) -> str:
        """A temporary table for slices; with an index by key where the table has none, or that is asked for."""
        columns = [f"c{at} {column.definition}" for at, column in enumerate(self.columns)]
        if (indexed or not self.indexed) and self.write != "append":
            columns.append(f"KEY ({', '.join(self._index_part(at) for at in self._key)})")
        return f"CREATE TEMPORARY TABLE {STAGE} (place INT NOT NULL PRIMARY KEY, {', '.join(columns)}) ENGINE = InnoDB"

    def find_again(self) -> str:
        """The places of rows whose key an earlier row has, as the table compares keys."""
        keys = ", ".join(f"c{at}" for at in self._key)
        number = f"row_number() OVER (PARTITION BY {keys} ORDER BY place)"
        return f"SELECT place FROM (SELECT place, {number} AS nth FROM {STAGE}) AS numbered WHERE nth > 1"

    def find_several(self) -> str:
        """The places of rows that match several of the table's."""
        return f"SELECT s.place FROM {self._joined} GROUP BY s.place HAVING COUNT(*) > 1"

    def take(self, places: Sequence[int]) -> str:
        """Removes rows from the stage."""
        return f"DELETE FROM {STAGE} WHERE place IN ({_list(places)})"

    def plan(self) -> str:
        """The places of rows that the table has, and of those among them that differ, with commas between them."""
        changed = f"GROUP_CONCAT(CASE WHEN {self._differs('s')} THEN s.place END)" if self.updates else "NULL"
        return f"SELECT GROUP_CONCAT(s.place), {changed} FROM {self._joined}"

    def update(self, where: str) -> str:
        """Changes the rows that the table has and that differ, of those ``s`` for which a condition holds."""
        return f"UPDATE {self._joined} SET {self._sets('s')} WHERE {where} AND {self._differs('s')}"

    def insert(self, where: str, *, looks: bool, ignore: str = "") -> str:
        """Adds rows ``s`` for which a condition holds; with ``looks`` only those that the table does not have."""
        names = ", ".join([*(self._name(at) for at in range(len(self.columns))), *map(quoted, self.filled)])
        # INSERT ... SELECT looks for a default of what is left out before a trigger fills it.
        values = ", ".join([*(f"s.c{at}" for at in range(len(self.columns))), *("NULL" for _ in self.filled)])
        new = f" AND NOT EXISTS (SELECT 1 FROM {self.table} AS t WHERE {self._match('s')})" if looks else ""
        rows = f"SELECT {values} FROM {STAGE} AS s WHERE {where}{new} ORDER BY s.place"
        return f"INSERT {ignore}INTO {self.table} ({names}) {rows}"

    def of_keys(self) -> Statements:
        """Those for slices of keys alone."""
        return replace(self, columns=[self.columns[at] for at in self._key])

    def not_among(self, condition: str) -> str:
        """The keys of the table's rows ``t`` for which a condition holds and that the stage does not have."""
        keys = ", ".join(f"t.{self._name(at)}" for at in self._key)
        known = " AND ".join(f"t.{self._name(at)} IS NOT NULL" for at in self._key)
        join = f"{self.table} AS t LEFT JOIN {STAGE} AS s ON {self._match('s')}"
        return f"SELECT {keys} FROM {join} WHERE s.place IS NULL AND {known} AND {condition}"

    @property
    def compared(self) -> list[str]:
        """The columns that are not the key's."""
        return [column.fits.name for column in self.columns if not column.fits.key]

    def look_up(self) -> str:
        """The places of the stage's rows that the table has; and for each column whether it is the same, and texts."""
        parts = []
        for at, column in enumerate(self.columns):
            if not column.fits.key:
                texts = (f"CAST({text} AS CHAR)" for text in (self._value(at, "s"), f"t.{self._name(at)}"))
                parts += [self._is_same(at, "s"), *texts]
        return f"SELECT {', '.join(['s.place', *parts])} FROM {self._joined} ORDER BY 1"

    def of_gone(self) -> Statements:
        """Those for slices of rows that are gone: their keys, and what is set in them."""
        columns = [*self.of_keys().columns, *(mark.column for mark in self.marks)]
        return replace(self, columns=columns, write="update_only", keeps_when_empty=False, removes=True)

    def delete(self, where: str) -> str:
        """Marks or deletes the table's rows with the keys of rows ``s`` for which a condition holds, as they are spelt.

        A key that differs in its spelling is that of another row of the query, to which the row belongs by now.
        """
        condition = " AND ".join([where, *self._same, *self._unmarked])
        if self.marks:
            return f"UPDATE {self._joined} SET {self._sets('s')} WHERE {condition}"
        return f"DELETE t FROM {self._joined} WHERE {condition}"

    def count_deleted(self) -> str:
        """How many rows that would delete, of all rows of the stage."""
        return f"SELECT COUNT(*) FROM {self._joined} WHERE {' AND '.join(['TRUE', *self._same, *self._unmarked])}"

    def upsert(self, where: str) -> list[str]:
        """Changes and adds rows ``s`` for which a condition holds, whichever of both they need by now."""
        update = [self.update(where)] if self.updates else []
        return [*update, *([self.insert(where, looks=self.write != "append")] if self.adds else [])]

    def numbered(self, number: str) -> str:
        """Whether the table has a row of a number that it gave."""
        return f"SELECT COUNT(*) FROM {self.table} WHERE {quoted(self.numbered_by)} = {int(number)}"

    def probes(self) -> dict[str, str]:
        """Statements that touch no row, by the right on the table that they need."""
        names = [self._name(at) for at in range(len(self.columns))]
        probes = {}
        if self.write != "append":
            probes["SELECT"] = f"SELECT {', '.join(names)} FROM {self.table} WHERE FALSE"
        if self.adds:
            added = [*names, *map(quoted, self.filled)]
            nulls = ", ".join("NULL" for _ in added)
            nothing = "FROM (SELECT 1) AS one WHERE FALSE"
            probes["INSERT"] = f"INSERT INTO {self.table} ({', '.join(added)}) SELECT {nulls} {nothing}"
        if self.updates:
            sets = ", ".join(f"{self._name(at)} = NULL" for at in self._set)
            probes["UPDATE"] = f"UPDATE {self.table} SET {sets} WHERE FALSE"
        if self.deletes:
            probes["DELETE"] = f"DELETE FROM {self.table} WHERE FALSE"
        if self.marks:
            sets = ", ".join(f"{name} = {name}" for name in (quoted(mark.column.fits.name) for mark in self.marks))
            probes["UPDATE"] = (
                f"UPDATE {self.table} SET {sets} WHERE FALSE"
                if "UPDATE" not in probes
                else (f"{probes['UPDATE'].removesuffix(' WHERE FALSE')}, {sets} WHERE FALSE")
            )
        return probes

    @property
    def _key(self) -> list[int]:
        return [at for at, column in enumerate(self.columns) if column.fits.key]

    @property
    def _set(self) -> list[int]:
        """What an existing row gets; of the key, texts alone can differ from those that are equal to them."""
        finds = self.write == "update_only"
        return [
            at
            for at, column in enumerate(self.columns)
            if not column.fits.key or (column.charset and not finds and not column.generated)
        ]

    @property
    def _unmarked(self) -> list[str]:
        """Conditions for rows that are not marked as the stage's row asks for."""
        return [self._differs("s")] if self.marks else []

    @property
    def _same(self) -> list[str]:
        """Conditions for keys that are spelt alike."""
        return [
            f"CAST(t.{self._name(at)} AS BINARY) = CAST(s.c{at} AS BINARY)"
            for at in self._key
            if self.columns[at].charset
        ]

    @property
    def _joined(self) -> str:
        """Stage and table, read in the order in which one of them has an index for the other's rows."""
        stage, table = f"{STAGE} AS s", f"{self.table} AS t"
        first, second = (stage, table) if self.indexed else (table, stage)
        return f"{first} STRAIGHT_JOIN {second} ON {self._match('s')}"

    @property
    def update_one(self) -> str:
        """The update of a block's row: handlers do not see errors of an update of joined tables."""
        return f"UPDATE {self.table} AS t SET {self._sets(ROW)} WHERE {self._match(ROW)} AND {self._differs(ROW)}"

    def _match(self, row: str) -> str:
        return " AND ".join(f"t.{self._name(at)} = {row}.c{at}" for at in self._key)

    def _sets(self, row: str) -> str:
        return ", ".join(f"t.{self._name(at)} = {self._value(at, row)}" for at in self._set)

    def _differs(self, row: str) -> str:
        """Whether row ``t`` has other values than it would get, by the byte: a collation has different texts equal."""
        return f"NOT ({' AND '.join(self._is_same(at, row) for at in self._set)})"

    def _is_same(self, at: int, row: str) -> str:
        """Whether row ``t`` has the value that it would get."""
        old, new = f"t.{self._name(at)}", self._value(at, row)
        if self.columns[at].charset:
            old, new = f"CAST({old} AS BINARY)", f"CAST({new} AS BINARY)"
        return f"{old} <=> {new}"

    def _name(self, at: int) -> str:
        return quoted(self.columns[at].fits.name)

    def _value(self, at: int, row: str) -> str:
        """What an existing row gets."""
        new = f"{row}.c{at}"
        if self.removes and any(mark.now and mark.column is self.columns[at] for mark in self.marks):
            return f"COALESCE(t.{self._name(at)}, {new})"
        if not self.keeps_when_empty:
            return new
        # A collation may have blanks equal to nothing.
        empty = f"LENGTH({new}) = 0" if self.columns[at].fits.kind is Kind.TEXT else "FALSE"
        return f"IF({new} IS NULL OR {empty}, t.{self._name(at)}, {new})"

    def _index_part(self, at: int) -> str:
        column = self.columns[at].fits
        long = column.kind is Kind.TEXT and (column.characters is None or column.characters > _INDEXED)
        return f"c{at}({_INDEXED})" if long else f"c{at}"


def among(places: Sequence[int]) -> str:
    """A condition for the rows of these places."""
    return f"s.place IN ({_list(places)})"


def _list(places: Sequence[int]) -> str:
    return ", ".join(map(str, places))
