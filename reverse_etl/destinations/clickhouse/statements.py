"""The SQL that finds out what the table has of a slice, and that brings rows into it.

The slice goes beside each statement as a table of its own, ``reverse_etl_stage``: a column for each place, ``c0`` and
so on, of the table's own type, and the row's ``place`` in the slice. New rows are inserted as they are. A row that
exists is inserted whole, with what it has in other columns: an insert without them would empty them.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from typing import Final

from reverse_etl.destinations._sql.columns import Kind
from reverse_etl.destinations._sql.marks import Mark
from reverse_etl.destinations.clickhouse import types
from reverse_etl.destinations.clickhouse.catalogue import Table, TableColumn, literal, quoted
from reverse_etl.destinations.clickhouse.literals import literals

STAGE: Final = "reverse_etl_stage"
PLACE: Final = "reverse_etl_place"
_OLD: Final = "reverse_etl_"
"""Before the place of a column of the table, where its own name could be another's."""


@dataclass(frozen=True, slots=True)
class Statements:
    """What is run for each slice.

    Attributes:
        of: The table.
        columns: Those that are written, in the order of the stage.
        write: ``add_and_update``, ``update_only``, ``add_only`` or ``append``.
        keeps_when_empty: Whether NULL and '' keep what is there.
        deletes: Whether rows that are gone are deleted.
        version: What the version column gets, as SQL; empty where the query has it, or there is none.
        marks: What is set in rows that are gone, where these are not deleted.
        marking: Whether that is what is written.
    """

    of: Table
    columns: Sequence[TableColumn]
    write: str
    keeps_when_empty: bool
    deletes: bool
    version: str
    marks: tuple[Mark[TableColumn], ...] = ()
    marking: bool = False

    @property
    def table(self) -> str:
        """Database and name, quoted."""
        return f"{quoted(self.of.database)}.{quoted(self.of.name)}"

    @property
    def key(self) -> list[TableColumn]:
        """Its columns."""
        return [column for column in self.columns if column.fits.key]

    @property
    def adds(self) -> bool:
        """Whether rows that the table does not have are added."""
        return self.write != "update_only"

    @property
    def updates(self) -> bool:
        """Whether rows that the table has are changed."""
        return self.write in ("add_and_update", "update_only") and len(self.columns) > len(self.key)

    @property
    def keys(self) -> frozenset[str]:
        """The names of the key's columns."""
        return frozenset(column.fits.name for column in self.key)

    def structure(self, names: Container[str] | None) -> str:
        """The columns of a stage, as ``staged`` chooses them."""
        columns = [f"c{at} {self._type(column)}" for at, column in self.staged(names)]
        return ", ".join(["place UInt32", *columns])

    def staged(self, names: Container[str] | None) -> list[tuple[int, TableColumn]]:
        """The columns of a stage by their places: those with these names, or all."""
        return [(at, column) for at, column in enumerate(self.columns) if names is None or column.fits.name in names]

    def existing(self) -> str:
        """The places of rows that the table has, of a stage of keys."""
        places = ", ".join(f"c{at}" for at, _ in self.staged(self.keys))
        found = f"SELECT {self._key_names} FROM {self._table_rows} WHERE {self._in_stage}"
        return f"SELECT place FROM {STAGE} WHERE ({places}) IN ({found})"

    def plan(self) -> str:
        """The places of rows that the table has, each with whether it differs."""
        differs = [f"NOT {self._equal(at)}" for at, column in enumerate(self.columns) if not column.fits.key]
        return f"SELECT s.place AS place, toUInt8({' OR '.join(differs) or '0'}) AS differs FROM {self._joined()}"

    @property
    def compared(self) -> list[str]:
        """The columns that are not the key's."""
        return [column.fits.name for column in self.columns if not column.fits.key]

    def look_up(self) -> str:
        """The places of rows that the table has; and for each column whether it is the same, and texts."""
        parts = ["s.place"]
        for at, column in enumerate(self.columns):
            if not column.fits.key:
                texts = (self._value(at), self._old(column.fits.name))
                parts += [f"toUInt8({self._equal(at)}) = 1", *(f"toString({text})" for text in texts)]
        return f"SELECT {', '.join(parts)} FROM {self._joined()} ORDER BY 1"

    def update(self) -> str:
        """Inserts the rows of the stage that the table has, with what they have in other columns."""
        values = self._merged()
        names = ", ".join(map(quoted, values))
        return f"INSERT INTO {self.table} ({names}) SELECT {', '.join(values.values())} FROM {self._joined()}"

    def checked(self, *, existing: bool) -> frozenset[str]:
        """The columns of the stage for ``violations``: those that checks are about, and of existing rows the key."""
        about = frozenset(name for check in self.of.checks for name in check.columns)
        return about | self.keys if existing else about

    def violations(self, *, existing: bool) -> str:
        """The places of rows for which checks do not hold, each with the numbers of those, of rows as they would be.

        Args:
            existing: Whether the rows are those that the table has.
        """
        if existing:
            values, place, source = self._merged(), "s.place", self._joined()
        else:
            values = {column.fits.name: f"c{at}" for at, column in enumerate(self.columns)}
            place, source = "place", STAGE
        about = self.checked(existing=False)
        read = [f"{value} AS {quoted(name)}" for name, value in values.items() if name in about]
        fails = ", ".join(
            # Where a check is NULL, it does not hold.
            f"if(ifNull({check.condition}, 0), -1, {number})" if {*check.columns} <= {*values} else "-1"
            for number, check in enumerate(self.of.checks)
        )
        failed = f"arrayFilter(it -> it >= 0, [{fails}])"
        rows = ", ".join([f"{place} AS {PLACE}", *read])
        found = f"SELECT {PLACE} AS place, {failed} AS failed FROM (SELECT {rows} FROM {source})"
        return f"SELECT place, failed FROM ({found}) WHERE notEmpty(failed)"

    def bury(self) -> str:
        """Marks the rows with the keys of the stage as gone, in tables that have a column for it."""
        columns = [column for column in self.of.columns.values() if self._is_kept(column)]
        names = [quoted(column.fits.name) for column in columns]
        values = [
            self._newest(quoted(name)) if name == self.of.version else quoted(name)
            for name in (c.fits.name for c in columns)
        ]
        return (
            f"INSERT INTO {self.table} ({', '.join([*names, quoted(self.of.is_deleted)])}) "
            f"SELECT {', '.join([*values, '1'])} FROM {self._table_rows} WHERE {self._in_stage}"
        )

    def delete(self, keys: Sequence[Sequence[str]]) -> str:
        """Deletes rows by their keys.

        Args:
            keys: Of each row the values of its key, as SQL.
        """
        listed = ", ".join(key[0] if len(key) == 1 else f"({', '.join(key)})" for key in keys)
        return f"DELETE FROM {self.table} WHERE {self._key_names} IN ({listed})"

    def of_keys(self) -> Statements:
        """Those for slices of keys alone."""
        return replace(self, columns=self.key)

    def of_gone(self) -> Statements:
        """Those for slices of rows that are gone: of their keys, and of what is set in them."""
        columns = [*self.key, *(mark.column for mark in self.marks)]
        return replace(self, columns=columns, write="update_only", keeps_when_empty=False, marking=bool(self.marks))

    def count(self) -> str:
        """How many rows the table has."""
        return f"SELECT count() FROM {self._table_rows}"

    def not_among(self, *, staged: bool) -> str:
        """The keys, as text, of rows that are not marked and of which none is in a stage of keys, if there is one."""
        texts = ", ".join(f"{_text(column)} AS {_OLD}{at}" for at, column in enumerate(self.key))
        conditions = [f"NOT ({' AND '.join(map(_marked, self.marks))})"] if self.marks else []
        if staged:
            conditions.append(f"NOT ({self._in_stage})")
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return f"SELECT {texts} FROM {self._table_rows}{where}"

    def probes(self) -> dict[str, str]:
        """Statements that touch no row, by the right on the table that they need."""
        columns = self.columns if self.write == "append" else self._all_columns()
        names = ", ".join(quoted(column.fits.name) for column in columns)
        values = ", ".join(f"defaultValueOfTypeName({literal(column.fits.type)})" for column in columns)
        insert = {"INSERT": f"INSERT INTO {self.table} ({names}) SELECT {values} WHERE 0"}
        return insert if self.write == "append" else {"SELECT": f"SELECT {names} FROM {self.table} WHERE 0", **insert}

    def may_delete(self) -> str:
        """Whether the user has the right to delete rows; servers before 24.11 cannot be asked."""
        return f"CHECK GRANT ALTER DELETE ON {self.table}"

    @property
    def _table_rows(self) -> str:
        """The table's rows, each key once; where rows do not replace each other there is nothing to look through."""
        return f"{self.table} FINAL" if self.of.replaces else self.table

    @property
    def _key_names(self) -> str:
        names = [quoted(column.fits.name) for column in self.key]
        return names[0] if len(names) == 1 else f"({', '.join(names)})"

    @property
    def _in_stage(self) -> str:
        places = ", ".join(f"c{at}" for at, column in enumerate(self.columns) if column.fits.key)
        return f"{self._key_names} IN (SELECT {places} FROM {STAGE})"

    def _all_columns(self) -> list[TableColumn]:
        return [column for column in self.of.columns.values() if column in self.columns or self._is_kept(column)]

    def _is_kept(self, column: TableColumn) -> bool:
        """Whether a row that is inserted again has to have what it had in a column."""
        return column.readable and not column.generated and column.fits.name != self.of.is_deleted

    def _joined(self) -> str:
        """Rows of the table ``t``, under names of ours, and of the stage ``s``, by key."""
        places = {name: at for at, name in enumerate(self.of.columns)}
        read = ", ".join(
            f"{quoted(name)} AS {_OLD}{at}"
            for name, at in places.items()
            if self.of.columns[name] in self._all_columns()
        )
        on = " AND ".join(
            f"t.{_OLD}{places[column.fits.name]} = s.c{at}" for at, column in enumerate(self.columns) if column.fits.key
        )
        rows = f"SELECT {read} FROM {self._table_rows} WHERE {self._in_stage}"
        return f"({rows}) AS t INNER JOIN {STAGE} AS s ON {on}"

    def _merged(self) -> dict[str, str]:
        """What a row that exists gets in its columns, by their names."""
        written = {column.fits.name: at for at, column in enumerate(self.columns)}
        values = {}
        for name in (column.fits.name for column in self._all_columns()):
            old = self._old(name)
            if name in written:
                values[name] = self._value(written[name])
            else:
                values[name] = self._newest(old) if name == self.of.version else old
        return values

    def _newest(self, old: str) -> str:
        """The version of a row that is to replace one: never an older one, nor the same one in another partition."""
        moves = any(column.partitions and not column.fits.key for column in self.of.columns.values())
        return (
            f"if({old} >= {self.version}, {old} + 1, {self.version})" if moves else f"greatest({old}, {self.version})"
        )

    def _old(self, name: str) -> str:
        return f"t.{_OLD}{[*self.of.columns].index(name)}"

    def _equal(self, at: int) -> str:
        column = self.columns[at]
        old, new = self._old(column.fits.name), self._value(at)
        same = f"{old} = {new}"
        if column.fits.kind is Kind.FLOAT:
            same = f"({same} OR (isNaN({old}) AND isNaN({new})))"
        return f"ifNull({same}, {old} IS NULL AND {new} IS NULL)"

    def _value(self, at: int) -> str:
        """What an existing row gets."""
        column, new = self.columns[at], f"s.c{at}"
        if self.marking and any(mark.now and mark.column == column for mark in self.marks):
            return f"if({_is_set(self._old(column.fits.name), column)}, {self._old(column.fits.name)}, {new})"
        if not self.keeps_when_empty or column.fits.key:
            return new
        empty = f" OR {new} = ''" if column.fits.kind is Kind.TEXT else ""
        return f"if({new} IS NULL{empty}, {self._old(column.fits.name)}, {new})"

    def _type(self, column: TableColumn) -> str:
        plain = types.plain(column.fits.type)
        return plain if column.fits.key else f"Nullable({plain})"


def _is_set(value: str, column: TableColumn) -> str:
    """Whether a column holds a time: where it cannot be empty, the first one stands for none."""
    return f"ifNull({value} != defaultValueOfTypeName({literal(types.plain(column.fits.type))}), 0)"


def _marked(mark: Mark[TableColumn]) -> str:
    """A condition for rows in which a mark is set."""
    name = quoted(mark.column.fits.name)
    if mark.now:
        return _is_set(name, mark.column)
    [value] = literals(mark.fitted, mark.column.fits)
    return f"ifNull({name} = {value}, 0)" if value is not None else f"{name} IS NULL"


def _text(column: TableColumn) -> str:
    """A column of the key as text, as rows that are deleted have it."""
    name = quoted(column.fits.name)
    if column.fits.kind is Kind.INSTANT:
        return f"concat(toString(toDateTime64({name}, 6, 'UTC')), 'Z')"
    return f"toString({name})"
