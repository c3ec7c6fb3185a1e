"""What PostgreSQL's catalogue has of a table: its columns, its keys, and what this user may do.

Readable by every user who may connect. Types are named with their schema where it is not ``pg_catalog``, so that the
session's ``search_path`` does not matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reverse_etl.destinations._sql import columns
from reverse_etl.destinations._sql.columns import Column, Kind

if TYPE_CHECKING:
    import psycopg

_TABLE: Final = """
SELECT c.oid, c.relkind, row_security_active(c.oid) AS has_policies,
       EXISTS (SELECT FROM pg_rewrite WHERE ev_class = c.oid AND ev_type <> '1') AS has_rules,
       EXISTS (SELECT FROM pg_trigger WHERE tgrelid IN (SELECT c.oid UNION SELECT relid FROM pg_partition_tree(c.oid))
               AND NOT tgisinternal AND tgenabled IN ('O', 'A') AND tgtype & 3 = 3) AS may_swallow_rows,
       EXISTS (SELECT FROM pg_trigger WHERE tgrelid IN (SELECT c.oid UNION SELECT relid FROM pg_partition_tree(c.oid))
               AND NOT tgisinternal AND tgenabled IN ('O', 'A') AND tgtype & 7 = 7) AS may_fill_rows,
       c.relkind = 'r' AND NOT c.relhassubclass AND NOT row_security_active(c.oid) AND NOT EXISTS (
           SELECT FROM pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal) AS stands_alone,
       has_schema_privilege(n.oid, 'USAGE') AS schema_usage,
       has_database_privilege(current_database(), 'TEMPORARY') AS temporary,
       has_table_privilege(c.oid, 'DELETE') AS may_delete,
       pg_is_in_recovery() AS read_only, current_setting('server_version_num')::int AS version,
       EXISTS (SELECT FROM pg_index WHERE indrelid = c.oid AND indisunique AND indimmediate AND indisvalid
               AND indpred IS NULL AND indexprs IS NULL AND %(key)s = ARRAY(
                   SELECT attname::text FROM pg_attribute WHERE attrelid = c.oid
                   AND attnum = ANY (indkey[0:indnkeyatts - 1]) ORDER BY 1)) AS unique_key
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relname = %(table)s AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
"""
"""``tgtype`` 3: before each row; 7: before each row that is added."""

_COLUMNS: Final = """
SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type, a.atttypid AS oid, a.atttypmod AS modifier,
       a.attnotnull AS not_null, a.attidentity AS identity, a.attgenerated <> '' AS generated,
       a.atthasdef AS has_default,
       pg_get_expr(d.adbin, d.adrelid) LIKE '%%nextval(%%' AS counts,
       has_column_privilege(a.attrelid, a.attnum, 'INSERT') AS may_insert,
       has_column_privilege(a.attrelid, a.attnum, 'UPDATE') AS may_update,
       has_column_privilege(a.attrelid, a.attnum, 'SELECT') AS may_select,
       (SELECT s.refobjid::regclass::text FROM pg_depend AS s JOIN pg_class AS q ON q.oid = s.refobjid
        WHERE s.classid = 'pg_attrdef'::regclass AND s.objid = d.oid AND s.refclassid = 'pg_class'::regclass
        AND CASE WHEN q.relkind = 'S' THEN NOT has_sequence_privilege(q.oid, 'USAGE') END LIMIT 1
       ) AS sequence_without_usage
FROM pg_attribute AS a LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""

_TYPES: Final = """
SELECT t.oid, t.typname AS name, n.nspname = 'pg_catalog' AS built_in, t.typtype AS form, t.typcategory AS category,
       t.typbasetype AS base, t.typtypmod AS modifier, t.typnotnull AS not_null,
       t.typdefault IS NOT NULL AS has_default,
       ARRAY(SELECT enumlabel::text FROM pg_enum WHERE enumtypid = t.oid ORDER BY enumsortorder) AS labels
FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace WHERE t.oid = ANY (%s)
"""

_CONSTRAINTS: Final = """
WITH tables AS (SELECT %(table)s::oid AS oid UNION SELECT relid FROM pg_partition_tree(%(table)s::oid))
SELECT conname AS name, ARRAY(SELECT attname::text FROM unnest(conkey) WITH ORDINALITY AS k (number, place)
    JOIN pg_attribute ON attrelid = conrelid AND attnum = k.number ORDER BY k.place) AS columns
FROM pg_constraint WHERE conrelid IN (SELECT oid FROM tables)
UNION ALL
SELECT relname, ARRAY(SELECT attname::text FROM unnest(indkey) WITH ORDINALITY AS k (number, place)
    JOIN pg_attribute ON attrelid = indrelid AND attnum = k.number ORDER BY k.place)
FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
WHERE indrelid IN (SELECT oid FROM tables) AND indisunique
"""

_INTEGERS: Final = {
    "int2": (-(2**15), 2**15 - 1),
    "int4": (-(2**31), 2**31 - 1),
    "int8": (-(2**63), 2**63 - 1),
    "oid": (0, 2**32 - 1),
}
_KINDS: Final = {
    "bool": Kind.BOOLEAN,
    "float4": Kind.FLOAT,
    "float8": Kind.FLOAT,
    "numeric": Kind.NUMERIC,
    "text": Kind.TEXT,
    "varchar": Kind.TEXT,
    "bpchar": Kind.TEXT,
    "citext": Kind.TEXT,
    "name": Kind.TEXT,
    "char": Kind.TEXT,
    "uuid": Kind.UUID,
    "date": Kind.DATE,
    "timestamp": Kind.WALL_CLOCK,
    "timestamptz": Kind.INSTANT,
    "json": Kind.JSON,
    "jsonb": Kind.JSON,
}
_OCTETS: Final = {"name": 63, "char": 1}
"""Longer texts are cut off without a word."""
_HEADER: Final = 4
"""Is in the modifier of text and numeric types, before the length."""


@dataclass(frozen=True, slots=True)
class TableColumn(columns.TableColumn):
    """One column of a table.

    Attributes:
        is_array: Whether it holds several values.
        has_equality: Whether its values can be compared.
        identity: ``a`` for one that only the table numbers, ``d`` for one that it numbers by default.
        counts: Whether the default comes from a sequence.
        may: ``INSERT``, ``UPDATE`` and ``SELECT``, those that this user may do.
        sequence_without_usage: The sequence of its default, where this user may not use it.
    """

    is_array: bool
    has_equality: bool
    identity: str
    counts: bool
    may: frozenset[str]
    sequence_without_usage: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table as the catalogue has it.

    Attributes:
        schema: Its schema's name.
        name: Its own.
        kind: ``r`` for a table, ``p`` for one with partitions; others cannot be written to.
        columns: In the table's order, by name.
        unique_key: Whether a unique index holds exactly the key's columns, for all rows and at once.
        constraints: The columns of each constraint and unique index, those of partitions included.
        has_policies: Whether row-level security is on for this user.
        has_rules: Whether statements are rewritten.
        may_swallow_rows: Whether a trigger may leave rows out without an error.
        filled: The columns that must not be empty and that a trigger may fill before a row is added.
        stands_alone: Whether no other table has rows of it, and no trigger or policy sees its rows.
        schema_usage: Whether this user may look into the schema.
        temporary: Whether this user may make temporary tables.
        may_delete: Whether this user may delete rows.
        read_only: Whether the server is a standby.
        version: As in 150018.
    """

    schema: str
    name: str
    kind: str
    columns: Mapping[str, TableColumn]
    unique_key: bool
    constraints: Mapping[str, tuple[str, ...]]
    has_policies: bool
    has_rules: bool
    may_swallow_rows: bool
    filled: frozenset[str]
    stands_alone: bool
    schema_usage: bool
    temporary: bool
    may_delete: bool
    read_only: bool
    version: int


async def table(
    connection: psycopg.AsyncConnection[Any], schema: str, name: str, *, key: tuple[str, ...]
) -> Table | None:
    """A table, or None where there is none of that name.

    Args:
        connection: In a transaction or in autocommit mode.
        schema: The schema's name, exactly.
        name: The table's, exactly.
        key: The columns that are to identify its rows.
    """
    if any("\0" in each for each in (schema, name, *key)):
        # The driver sends none; nothing is called so.
        return None
    async with connection.transaction():
        await connection.execute("SET LOCAL search_path = pg_catalog")
        found = await _rows(connection, _TABLE, {"schema": schema, "table": name, "key": sorted(key)})
        if not found:
            return None
        (about,) = found
        oid = about.pop("oid")
        about["kind"] = about.pop("relkind")
        columns = await _rows(connection, _COLUMNS, [oid])
        types = await _types(connection, {row["oid"] for row in columns})
        constraints = await _rows(connection, _CONSTRAINTS, {"table": oid})
        by_name = {row["name"]: _column(row, types, key) for row in columns}
        may_fill = about.pop("may_fill_rows")
        return Table(
            schema=schema,
            name=name,
            columns=by_name,
            filled=frozenset(each for each, column in by_name.items() if may_fill and not column.fits.nullable),
            constraints={row["name"]: tuple(row["columns"]) for row in constraints},
            **about,
        )


async def table_names(connection: psycopg.AsyncConnection[Any], schema: str) -> list[str]:
    """The tables of a schema, sorted; none where there is no such schema."""
    if "\0" in schema:
        return []
    query = (
        "SELECT relname AS name FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace AS n ON n.oid = relnamespace "
        "WHERE nspname = %s AND relkind IN ('r', 'p') ORDER BY 1"
    )
    return [row["name"] for row in await _rows(connection, query, [schema])]


async def _rows(connection: psycopg.AsyncConnection[Any], query: str, parameters: Any) -> list[dict[str, Any]]:
    from psycopg.rows import dict_row

    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query, parameters)
        return await cursor.fetchall()


async def _types(connection: psycopg.AsyncConnection[Any], oids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """Types by OID, and those that domains stand on."""
    types: dict[int, dict[str, Any]] = {}
    wanted = set(oids)
    while wanted:
        found = await _rows(connection, _TYPES, [list(wanted)])
        types |= {row["oid"]: row for row in found}
        wanted = {row["base"] for row in found if row["base"]} - types.keys()
    return types


def _column(row: dict[str, Any], types: Mapping[int, dict[str, Any]], key: tuple[str, ...]) -> TableColumn:
    base, modifier, not_null = types[row["oid"]], row["modifier"], row["not_null"]
    has_default = row["has_default"] or bool(row["identity"])
    while base["form"] == "d":
        not_null = not_null or base["not_null"]
        has_default = has_default or base["has_default"]
        modifier = base["modifier"]
        base = types[base["base"]]
    known = base["name"] if base["built_in"] or base["name"] == "citext" else ""
    rights = {"INSERT": row["may_insert"], "UPDATE": row["may_update"], "SELECT": row["may_select"]}
    return TableColumn(
        fits=_fits(row, base, known, modifier=modifier, nullable=not not_null, key=key),
        is_array=base["category"] == "A",
        has_equality=base["category"] != "G" and known not in ("json", "xml"),
        identity=row["identity"],
        generated=row["generated"],
        has_default=has_default,
        counts=bool(row["identity"]) or bool(row["counts"]),
        may=frozenset(right for right, granted in rights.items() if granted),
        sequence_without_usage=row["sequence_without_usage"] or "",
    )


def _fits(
    row: dict[str, Any], base: dict[str, Any], known: str, *, modifier: int, nullable: bool, key: tuple[str, ...]
) -> Column:
    length = modifier - _HEADER if modifier >= _HEADER else None
    precision, scale = None, 0
    if known == "numeric" and length is not None:
        # Source: src/backend/utils/adt/numeric.c. Since 15 the scale may be below 0 or above the precision.
        precision, scale = (length >> 16) & 0xFFFF, ((length & 0x7FF) ^ 1024) - 1024
        if not 0 <= scale <= precision:
            precision, scale = None, 0
    kind = Kind.ENUM if base["form"] == "e" else Kind.INTEGER if known in _INTEGERS else _KINDS.get(known, Kind.OTHER)
    return Column(
        name=row["name"],
        type=row["type"],
        kind=kind,
        nullable=nullable,
        key=row["name"] in key,
        integers=_INTEGERS.get(known, _INTEGERS["int8"]),
        precision=precision,
        scale=scale,
        single=known == "float4",
        characters=length if known in ("varchar", "bpchar") else None,
        octets=_OCTETS.get(known),
        values=tuple(base["labels"]),
        holds_nul=False,
    )
