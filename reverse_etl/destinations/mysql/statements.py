"""The SQL that brings a slice of rows from a temporary stage into a table.

The stage has a column for each place, ``c0`` and so on, of the type, character set and collation of the table's own,
and the row's ``place`` in the slice. So keys are equal where the table has them equal, and what the table would round
or pad is rounded and padded before it is compared. No statement names the stage twice, which MySQL refuses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from reverse_etl.destinations._sql.columns import Kind
from reverse_etl.destinations.mysql.catalogue import TableColumn, quoted

STAGE: Final = "reverse_etl_stage"
DROP_STAGE: Final = f"DROP TEMPORARY TABLE IF EXISTS {STAGE}"
FILL_STAGE: Final = f"INSERT INTO {STAGE} VALUES "
_INDEXED: Final = 100
"""Characters of a text in an index of the stage."""


@dataclass(frozen=True, slots=True)
class Statements:
    """What is run for each slice.

    Attributes:
        table: Database and name, quoted.
        columns: Those that are written, in the order of the stage.
        write: ``add_and_update``, ``update_only`` or ``add_only``.
        keeps_when_empty: Whether NULL and '' keep what is there.
        unique_key: Whether no two rows of the table have the same key.
        indexed: Whether the table has an index by which rows of a key are found.
    """

    table: str
    columns: Sequence[TableColumn]
    write: str
    keeps_when_empty: bool
    unique_key: bool
    indexed: bool

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
        return self.write != "add_only" and bool(self._data)

    def make_stage(self) -> str:
        """A temporary table for slices."""
        columns = [f"c{at} {column.definition}" for at, column in enumerate(self.columns)]
        if not self.indexed:
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
        changed = f"GROUP_CONCAT(CASE WHEN {self._differs} THEN s.place END)" if self.updates else "NULL"
        return f"SELECT GROUP_CONCAT(s.place), {changed} FROM {self._joined}"

    def update(self, where: str) -> str:
        """Changes the rows that the table has and that differ, of those ``s`` for which a condition holds."""
        sets = ", ".join(f"t.{self._name(at)} = {self._value(at)}" for at in self._data)
        return f"UPDATE {self._joined} SET {sets} WHERE {where} AND {self._differs}"

    def insert(self, where: str, *, looks: bool) -> str:
        """Adds rows ``s`` for which a condition holds; with ``looks`` only those that the table does not have."""
        names = ", ".join(self._name(at) for at in range(len(self.columns)))
        values = ", ".join(f"s.c{at}" for at in range(len(self.columns)))
        match = " AND ".join(f"o.{self._name(at)} = s.c{at}" for at in self._key)
        new = f" AND NOT EXISTS (SELECT 1 FROM {self.table} AS o WHERE {match})" if looks else ""
        return (
            f"INSERT INTO {self.table} ({names}) SELECT {values} FROM {STAGE} AS s WHERE {where}{new} ORDER BY s.place"
        )

    def probes(self) -> dict[str, str]:
        """Statements that touch no row, by the right on the table that they need."""
        names = [self._name(at) for at in range(len(self.columns))]
        probes = {"SELECT": f"SELECT {', '.join(names)} FROM {self.table} WHERE FALSE"}
        if self.adds:
            nulls = ", ".join("NULL" for _ in names)
            nothing = "FROM (SELECT 1) AS one WHERE FALSE"
            probes["INSERT"] = f"INSERT INTO {self.table} ({', '.join(names)}) SELECT {nulls} {nothing}"
        if self.updates:
            sets = ", ".join(f"{self._name(at)} = NULL" for at in self._data)
            probes["UPDATE"] = f"UPDATE {self.table} SET {sets} WHERE FALSE"
        return probes

    @property
    def _key(self) -> list[int]:
        return [at for at, column in enumerate(self.columns) if column.fits.key]

    @property
    def _data(self) -> list[int]:
        return [at for at, column in enumerate(self.columns) if not column.fits.key]

    @property
    def _joined(self) -> str:
        """Stage and table, read in the order in which one of them has an index for the other's rows."""
        stage, table = f"{STAGE} AS s", f"{self.table} AS t"
        first, second = (stage, table) if self.indexed else (table, stage)
        match = " AND ".join(f"t.{self._name(at)} = s.c{at}" for at in self._key)
        return f"{first} STRAIGHT_JOIN {second} ON {match}"

    @property
    def _differs(self) -> str:
        """Whether row ``t`` has other values than it would get, by the byte: a collation has different texts equal."""
        pairs = []
        for at in self._data:
            old, new = f"t.{self._name(at)}", self._value(at)
            if self.columns[at].charset:
                old, new = f"CAST({old} AS BINARY)", f"CAST({new} AS BINARY)"
            pairs.append(f"{old} <=> {new}")
        return f"NOT ({' AND '.join(pairs)})"

    def _name(self, at: int) -> str:
        return quoted(self.columns[at].fits.name)

    def _value(self, at: int) -> str:
        """What an existing row gets."""
        if not self.keeps_when_empty:
            return f"s.c{at}"
        # A collation may have blanks equal to nothing.
        empty = f"LENGTH(s.c{at}) = 0" if self.columns[at].fits.kind is Kind.TEXT else "FALSE"
        return f"IF(s.c{at} IS NULL OR {empty}, t.{self._name(at)}, s.c{at})"

    def _index_part(self, at: int) -> str:
        column = self.columns[at].fits
        long = column.kind is Kind.TEXT and (column.characters is None or column.characters > _INDEXED)
        return f"c{at}({_INDEXED})" if long else f"c{at}"


def between(first: int, last: int) -> str:
    """A condition for the rows of these places and those between them."""
    return f"s.place BETWEEN {first} AND {last}"


def among(places: Sequence[int]) -> str:
    """A condition for the rows of these places."""
    return f"s.place IN ({_list(places)})"


def _list(places: Sequence[int]) -> str:
    return ", ".join(map(str, places))
