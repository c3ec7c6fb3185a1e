"""The SQL that brings a slice of rows from a temporary stage into a table.

The stage has a column for each place, ``c0`` and so on, in the types that the rows have in Arrow, and the row's
``place`` in the slice. What is written, or compared with the table, has the table's own types.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import pyarrow as pa

from reverse_etl.destinations._sql.columns import Kind
from reverse_etl.destinations._sql.marks import Mark
from reverse_etl.destinations.postgres.binary import stage_type
from reverse_etl.destinations.postgres.catalogue import TableColumn
from reverse_etl.destinations.postgres.stage import literal

STAGE: Final = "pg_temp.reverse_etl_stage"
BAD: Final = "pg_temp.reverse_etl_bad"
NOT_APPLIED: Final = "02000"
"""Stands for a SQLSTATE where a row was written without an error and is not there. Source: SQL's "no data"."""

_MAKE_BAD: Final = f"CREATE TEMPORARY TABLE {BAD} (place integer, state text, at_constraint text, at_column text) "
MAKE_BAD: Final = f"{_MAKE_BAD}ON COMMIT DROP"
READ_BAD: Final = f"SELECT place, state, at_constraint, at_column FROM {BAD} ORDER BY place"

BY_INDEX: Final = "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off"
BY_INDEX_NO_MORE: Final = BY_INDEX.replace("= off", "TO DEFAULT")
"""A slice's rows are looked for in the key's index; the planner would rather read the whole table for each slice."""

INDEX_STAGE: Final = f"CREATE INDEX ON {STAGE} (place); ANALYZE {STAGE}"


def quoted(name: str) -> str:
    """A name as SQL takes it, whatever it holds."""
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True, slots=True)
class Statements:
    """What is run for each slice.

    Attributes:
        table: Schema and name, quoted.
        columns: Those that are written, in the order of the stage.
        write: ``add_and_update``, ``update_only``, ``add_only`` or ``append``.
        keeps_when_empty: Whether NULL and '' keep what is there.
        unique_key: Whether the key is unique in the table itself.
        looks_first: Whether existing rows are updated first and only others inserted: an insert that becomes an
            update would take a number from a sequence, or fail for want of a value that the row has already.
        merges: Whether MERGE does it in one reading of the table. Unlike ON CONFLICT it neither locks rows that are
            the same nor takes numbers from sequences; that another writer adds a key meanwhile makes it fail.
        finds_swallowed: Whether rows that a trigger leaves out are looked for.
        marks: What is set in rows that are gone; they are deleted where it is nothing.
        removes: Whether the rows of the slices are gone.
    """

    table: str
    columns: Sequence[TableColumn]
    write: str
    keeps_when_empty: bool
    unique_key: bool
    looks_first: bool
    merges: bool
    finds_swallowed: bool
    marks: tuple[Mark[TableColumn], ...] = ()
    removes: bool = False

    @property
    def finds_twice(self) -> bool:
        """Whether the statement fails where a slice has a key twice, or finds several rows of one."""
        return not self.looks_first or (self.merges and self.unique_key)

    @property
    def leaves_out(self) -> bool:
        """Whether what the table has decides which rows are left out."""
        return self.write in ("update_only", "add_only")

    def make_stage(self, schema: pa.Schema) -> str:
        """A temporary table for slices of these Arrow types, in the order of ``columns``."""
        columns = [f"c{at} {stage_type(schema.field(at).type)}" for at in range(len(self.columns))]
        return f"CREATE TEMPORARY TABLE {STAGE} (place integer, {', '.join(columns)}) ON COMMIT DROP"

    def fill_stage(self) -> str:
        """Copies the rows into it."""
        names = ", ".join(f"c{at}" for at in range(len(self.columns)))
        return f"COPY {STAGE} ({names}, place) FROM STDIN (FORMAT binary)"

    def of_keys(self) -> Statements:
        """Those for slices of keys alone."""
        return replace(self, columns=[column for column in self.columns if column.fits.key])

    def of_gone(self) -> Statements:
        """Those for slices of rows that are gone: their keys, and what is set in them."""
        keys = self.of_keys()
        columns = [*keys.columns, *(mark.column for mark in self.marks)]
        return replace(keys, columns=columns, keeps_when_empty=False, removes=True)

    def delete_rows(self) -> str:
        """Deletes the table's rows with the keys of the stage, or marks them."""
        if self.marks:
            return self._update(self._rows())
        return f"DELETE FROM {self.table} AS t USING {self._rows()} AS s WHERE {self._match('t')}"

    def still_there(self) -> str:
        """The places of keys of the stage that the table has, and has not marked."""
        there = f"EXISTS (SELECT FROM {self.table} AS t WHERE {self._match('t')}{self._unmarked})"
        return f"SELECT s.place FROM {self._rows()} AS s WHERE {there} ORDER BY 1"

    def not_among(self) -> str:
        """The keys, as text, of the table's rows that the stage does not have and that are not marked."""
        texts = ", ".join(f"t.{self._name(at)}::text" for at in self._key)
        known = " AND ".join(f"t.{self._name(at)} IS NOT NULL" for at in self._key)
        marked = [
            f"t.{quoted(mark.column.fits.name)} IS NOT NULL"
            if mark.now
            else f"t.{quoted(mark.column.fits.name)} IS NOT DISTINCT FROM {literal(mark)}"
            for mark in self.marks
        ]
        unmarked = f" AND NOT ({' AND '.join(marked)})" if marked else ""
        there = f"EXISTS (SELECT FROM {self._rows()} AS s WHERE {self._match('t')})"
        return f"SELECT {texts} FROM {self.table} AS t WHERE {known}{unmarked} AND NOT {there}"

    def take_ambiguous(self) -> str:
        """Removes rows that match several of the table's, or whose key an earlier one has; gives place and reason.

        Only a table without a unique key has the first; the second it would insert twice. No other column is read:
        a value that its type refuses is a row's own fault.
        """
        keys = ", ".join(f"s.c{at}" for at in self._key)
        again = f"SELECT s.place, row_number() OVER (PARTITION BY {keys} ORDER BY s.place) > 1 AS is_again FROM s"
        several = f"SELECT s.place FROM s JOIN {self.table} AS t ON {self._match('t')} GROUP BY 1 HAVING count(*) > 1"
        reason = "CASE WHEN is_again THEN 'duplicate_key' ELSE 'matches_several_rows' END AS reason"
        return (
            f"WITH s AS {self._rows(places=self._key)}, again AS ({again}), several AS ({several}), "
            f"found AS (SELECT place, {reason} FROM again WHERE is_again OR place IN (SELECT place FROM several)) "
            f"DELETE FROM {STAGE} AS d USING found WHERE d.place = found.place RETURNING d.place, found.reason"
        )

    def take_left_out(self) -> str:
        """Removes the rows that ``update_only`` or ``add_only`` leaves out, and gives their places."""
        exists = f"EXISTS (SELECT FROM {self.table} AS t WHERE {self._match('t')})"
        wanted = exists if self.write == "add_only" else f"NOT {exists}"
        return (
            f"DELETE FROM {STAGE} AS d USING (SELECT s.place FROM {self._rows()} AS s WHERE {wanted}) AS found "
            f"WHERE d.place = found.place RETURNING d.place"
        )

    def count_rows(self) -> str:
        """How many of the stage's rows the table has, and how many of those differ."""
        differs = self._differs([self._value(at, f"s.c{at}", "t") for at in self._data]) if self._data else "FALSE"
        return (
            f"SELECT count(*), count(*) FILTER (WHERE {differs}) FROM {self._rows()} AS s "
            f"JOIN {self.table} AS t ON {self._match('t')}"
        )

    def look_up(self) -> str:
        """The places of the stage's rows that the table has; and for each column whether it is the same, and texts."""
        parts = []
        for at in self._data:
            value = self._value(at, f"s.c{at}", "t")
            [(old, new)] = self._pairs([at], [value])
            parts += [f"({old}) IS NOT DISTINCT FROM ({new})", f"({value})::text", f"t.{self._name(at)}::text"]
        columns = ", ".join(["s.place", *parts])
        return f"SELECT {columns} FROM {self._rows()} AS s JOIN {self.table} AS t ON {self._match('t')} ORDER BY 1"

    @property
    def compared(self) -> list[str]:
        """The columns that are not the key's."""
        return [self.columns[at].fits.name for at in self._data]

    def write_rows(self, where: str = "") -> str:
        """Writes the stage in one statement, or those rows ``r`` of it for which a condition holds.

        Those of a condition never by MERGE, which another writer can make fail. With ``finds_swallowed``, rows that
        were not there before and are not written are put into ``BAD``.
        """
        rows = self._rows(where)
        if self.write == "append":
            return self._insert(rows)
        if self.merges and not where:
            return self._merge(rows)
        steps = {}
        if self.write != "add_only" and self._data:
            steps["updated"] = self._update(rows) if self.looks_first or self.write == "update_only" else ""
        steps["inserted"] = self._insert(rows) if self.write != "update_only" else ""
        steps = {name: step for name, step in steps.items() if step}
        if self.finds_swallowed:
            return self._finding_swallowed(steps, rows)
        *before, (_, last) = steps.items()
        return f"{self._with(before)}{last}"

    @property
    def _unmarked(self) -> str:
        """A condition on row ``t`` behind others: it is not marked as the stage's row asks for."""
        return f" AND {self._differs([self._value(at, f's.c{at}', 't') for at in self._data])}" if self._data else ""

    @property
    def _key(self) -> list[int]:
        return [at for at, column in enumerate(self.columns) if column.fits.key]

    @property
    def _data(self) -> list[int]:
        return [at for at, column in enumerate(self.columns) if not column.fits.key]

    def _name(self, at: int) -> str:
        return quoted(self.columns[at].fits.name)

    def _rows(self, where: str = "", places: Sequence[int] | None = None) -> str:
        """The stage's rows in the table's types; all of them, or those for which a condition on ``r`` holds.

        Args:
            where: The condition.
            places: Of the columns; all of them where it is None.
        """
        chosen = range(len(self.columns)) if places is None else places
        typed = ", ".join(f"r.c{at}::{self.columns[at].fits.type} AS c{at}" for at in chosen)
        return f"(SELECT r.place, {typed} FROM {STAGE} AS r{f' WHERE {where}' if where else ''})"

    def _match(self, alias: str) -> str:
        return " AND ".join(f"{alias}.{self._name(at)} = s.c{at}" for at in self._key)

    def _value(self, at: int, staged: str, table: str) -> str:
        """What an existing row gets."""
        if self.removes and any(mark.now and mark.column is self.columns[at] for mark in self.marks):
            return f"coalesce({table}.{self._name(at)}, {staged})"
        if not self.keeps_when_empty:
            return staged
        empty = f"nullif({staged}, '')" if self.columns[at].fits.kind is Kind.TEXT else staged
        return f"coalesce({empty}, {table}.{self._name(at)})"

    def _differs(self, staged: Sequence[str]) -> str:
        """Whether row ``t`` has other values than these, one for each data column."""
        pairs = self._pairs(self._data, staged)
        return f"({', '.join(old for old, _ in pairs)}) IS DISTINCT FROM ({', '.join(new for _, new in pairs)})"

    def _pairs(self, places: Sequence[int], staged: Sequence[str]) -> list[tuple[str, str]]:
        """What row ``t`` has of some columns, and these values, as they can be compared."""
        pairs = []
        for at, value in zip(places, staged, strict=True):
            cast = "" if self.columns[at].has_equality else "::text"
            pairs.append((f"t.{self._name(at)}{cast}", f"({value}){cast}" if cast else value))
        return pairs

    def _update(self, rows: str) -> str:
        values = [self._value(at, f"s.c{at}", "t") for at in self._data]
        sets = ", ".join(f"{self._name(at)} = {value}" for at, value in zip(self._data, values, strict=True))
        return (
            f"UPDATE {self.table} AS t SET {sets} FROM {rows} AS s WHERE {self._match('t')} AND {self._differs(values)}"
        )

    def _merge(self, rows: str) -> str:
        names = ", ".join(self._name(at) for at in range(len(self.columns)))
        news = ", ".join(f"s.c{at}" for at in range(len(self.columns)))
        values = [self._value(at, f"s.c{at}", "t") for at in self._data]
        sets = ", ".join(f"{self._name(at)} = {value}" for at, value in zip(self._data, values, strict=True))
        merge = (
            f"MERGE INTO {self.table} AS t USING {rows} AS s ON {self._match('t')} "
            f"WHEN MATCHED AND {self._differs(values)} THEN UPDATE SET {sets} "
            f"WHEN NOT MATCHED THEN INSERT ({names}) VALUES ({news})"
        )
        return f"{BY_INDEX}; {merge}" if self.unique_key else merge

    def _insert(self, rows: str) -> str:
        names = ", ".join(self._name(at) for at in range(len(self.columns)))
        values = ", ".join(f"s.c{at}" for at in range(len(self.columns)))
        new = f" WHERE NOT EXISTS (SELECT FROM {self.table} AS o WHERE {self._match('o')})" if self.looks_first else ""
        # In the order of the slice: the planner may give the rows in another, and the last of one key wins.
        insert = f"INSERT INTO {self.table} AS t ({names}) SELECT {values} FROM {rows} AS s{new}"
        if not self.unique_key or self.write == "append":
            return insert
        key = ", ".join(self._name(at) for at in self._key)
        if self.write == "add_only" or not self._data:
            return f"{insert} ON CONFLICT ({key}) DO NOTHING"
        values_of = [self._value(at, f"excluded.{self._name(at)}", "t") for at in self._data]
        sets = ", ".join(f"{self._name(at)} = {value}" for at, value in zip(self._data, values_of, strict=True))
        return f"{insert} ON CONFLICT ({key}) DO UPDATE SET {sets} WHERE {self._differs(values_of)}"

    def _finding_swallowed(self, steps: dict[str, str], rows: str) -> str:
        keys = ", ".join(f"t.{self._name(at)} AS k{at}" for at in self._key)
        written = [(name, f"{step} RETURNING {keys}") for name, step in steps.items()]
        missing = [
            f"NOT EXISTS (SELECT FROM {name} AS w WHERE {' AND '.join(f'w.k{at} = s.c{at}' for at in self._key)})"
            for name in steps
        ]
        same = self._match("t")
        if self._data and self.write != "add_only":
            same += f" AND NOT {self._differs([self._value(at, f's.c{at}', 't') for at in self._data])}"
        missing.append(f"NOT EXISTS (SELECT FROM {self.table} AS t WHERE {same})")
        return (
            f"{self._with(written)}INSERT INTO {BAD} SELECT s.place, '{NOT_APPLIED}', '', '' FROM {rows} AS s "
            f"WHERE {' AND '.join(missing)}"
        )

    def _with(self, steps: Sequence[tuple[str, str]]) -> str:
        return f"WITH {', '.join(f'{name} AS ({step})' for name, step in steps)} " if steps else ""
