"""Rows of a slice that a constraint of the table will refuse, as far as that can be asked beforehand.

The answer only decides which rows are written one by one, so that the others can be written together: what becomes of
a row, and why, the server says when it is written. So what is not asked (exclusions, expressions of indexes, columns
that a sync does not write) costs time alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reverse_etl.destinations._sql.repeats import repeated
from reverse_etl.destinations.postgres.statements import BY_INDEX, BY_INDEX_NO_MORE, STAGE, Statements, quoted

if TYPE_CHECKING:
    import psycopg
    import pyarrow as pa

_APART: Final = "reverse_etl_apart"
_PLACE: Final = "reverse_etl_place"
_MOST: Final = 0.2
"""Of a slice's rows; of more of them, one by one is no way."""

_CONSTRAINTS: Final = """
SELECT c.contype::text AS kind, pg_get_expr(c.conbin, c.conrelid) AS condition,
       ARRAY(SELECT attname::text FROM unnest(c.conkey) WITH ORDINALITY AS k (number, place)
             JOIN pg_attribute ON attrelid = c.conrelid AND attnum = k.number ORDER BY k.place) AS columns,
       quote_ident(n.nspname) || '.' || quote_ident(r.relname) AS other,
       ARRAY(SELECT attname::text FROM unnest(c.confkey) WITH ORDINALITY AS k (number, place)
             JOIN pg_attribute ON attrelid = c.confrelid AND attnum = k.number ORDER BY k.place) AS others
FROM pg_constraint AS c LEFT JOIN (pg_class AS r JOIN pg_namespace AS n ON n.oid = r.relnamespace)
     ON r.oid = c.confrelid
WHERE c.conrelid = %(table)s::regclass AND c.contype IN ('c', 'f')
      AND (c.contype = 'c' OR has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(r.oid, 'SELECT'))
UNION ALL
SELECT 'u', NULL, ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = i.indrelid
                        AND attnum = ANY (i.indkey[0:i.indnkeyatts - 1]) ORDER BY 1), NULL, NULL
FROM pg_index AS i WHERE indrelid = %(table)s::regclass AND indisunique AND indpred IS NULL AND indexprs IS NULL
"""
"""``regclass`` and expressions are written and read with ``pg_catalog`` alone in the ``search_path``."""


@dataclass(slots=True)
class Suspects:
    """How they are found.

    Attributes:
        query: The places of those in the stage that break a check or a reference, or have a value of the table's.
        key: The places of the key's columns among those that are staged.
        unique: The same of other columns that are unique, or unique together.
        expected: Whether there are any, as the slice before had some.
    """

    query: str
    key: Sequence[int]
    unique: Sequence[Sequence[int]]
    expected: bool = False

    def can_be_apart(self, batch: pa.RecordBatch) -> bool:
        """Whether it is a way for this slice at all: where it has a key twice, all others would fail too."""
        return not len(repeated([batch.column(at) for at in self.key]))

    def places(self, rows: Sequence[tuple[Any, ...]], batch: pa.RecordBatch) -> list[int]:
        """Those that are written one by one; none where that is no way for this slice.

        Args:
            rows: What the query gives.
            batch: The slice.
        """
        places = {place for (place,) in rows}
        for columns in self.unique:
            places.update(repeated([batch.column(at) for at in columns]).tolist())
        self.expected = bool(places)
        return [] if len(places) > _MOST * batch.num_rows else sorted(places)


async def suspects(connection: psycopg.AsyncConnection[Any], statements: Statements) -> Suspects | None:
    """How they are found; None where the table has no constraint to ask about. Raises psycopg.Error.

    Args:
        connection: In autocommit mode.
        statements: Those for the table.
    """
    from psycopg.rows import dict_row

    async with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute("SET LOCAL search_path = pg_catalog")
        await cursor.execute(_CONSTRAINTS, {"table": statements.table})
        constraints = [each for each in await cursor.fetchall() if each["columns"]]
    names = [column.fits.name for column in statements.columns]
    constraints = [each for each in constraints if set(each["columns"]) <= {*names}]
    found = [*_branches(constraints, statements)]
    if not found:
        return None
    key = [at for at, column in enumerate(statements.columns) if column.fits.key]
    unique = [[names.index(name) for name in each["columns"]] for each in constraints if each["kind"] == "u"]
    asked = {names[at] for at in key}.union(*(each["columns"] for each in constraints))
    typed = ", ".join(
        f"r.c{at}::{column.fits.type} AS {quoted(column.fits.name)}"
        for at, column in enumerate(statements.columns)
        if column.fits.name in asked
    )
    query = (
        f"{BY_INDEX}; WITH s AS MATERIALIZED (SELECT r.place AS {_PLACE}, {typed} FROM {STAGE} AS r) "
        f"{' UNION '.join(found)}; {BY_INDEX_NO_MORE}"
    )
    return Suspects(query, key, [columns for columns in unique if sorted(columns) != key])


def set_apart(places: Iterable[int]) -> str:
    """Takes rows out of the stage."""
    which = f"place = ANY ('{{{', '.join(map(str, places))}}}'::int[])"
    made = f"CREATE TEMPORARY TABLE {_APART} ON COMMIT DROP AS SELECT * FROM {STAGE} WHERE {which}"
    return f"{made}; DELETE FROM {STAGE} WHERE {which}"


TAKE_UP: Final = f"DROP TABLE {STAGE}; ALTER TABLE pg_temp.{_APART} RENAME TO {STAGE.removeprefix('pg_temp.')}"
"""Makes the rows that were taken out all that is staged."""


def _branches(constraints: Iterable[Mapping[str, Any]], statements: Statements) -> Iterable[str]:
    """Queries of places, for what each constraint asks."""
    key = [column.fits.name for column in statements.columns if column.fits.key]
    for each in constraints:
        names, columns = each["columns"], [quoted(name) for name in each["columns"]]
        if each["kind"] == "c":
            yield f"SELECT {_PLACE} FROM s WHERE ({each['condition']}) IS FALSE"
        elif each["kind"] == "f":
            there = " AND ".join(f"s.{column} IS NOT NULL" for column in columns)
            same = " AND ".join(
                f"o.{quoted(other)} = s.{column}" for other, column in zip(each["others"], columns, strict=True)
            )
            known = f"EXISTS (SELECT FROM {each['other']} AS o WHERE {same})"
            # In a CASE the planner may read a small table once, and does not look each row up in its index.
            yield f"SELECT {_PLACE} FROM s WHERE CASE WHEN {there} THEN NOT {known} END"
        elif sorted(names) != sorted(key):
            same = " AND ".join(f"t.{column} = s.{column}" for column in columns)
            mine = " AND ".join(f"t.{quoted(name)} = s.{quoted(name)}" for name in key)
            yield f"SELECT {_PLACE} FROM s JOIN {statements.table} AS t ON {same} WHERE NOT ({mine})"
