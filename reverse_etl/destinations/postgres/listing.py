"""The tables of a schema, so that ``init`` can offer them; and one of them as ``test-connection`` shows it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import psycopg

from reverse_etl.destinations._sql.described import shown_columns
from reverse_etl.destinations.base import TryAgain
from reverse_etl.destinations.postgres.connection import Link
from reverse_etl.destinations.table_powers import Described
from reverse_etl.errors import DestinationRefusedError, DestinationUnavailableError
from reverse_etl.sources.postgres.errors import condition

if TYPE_CHECKING:
    from reverse_etl.destinations.postgres.catalogue import Table
    from reverse_etl.destinations.postgres.config import Config

_UNIQUE: Final = """
SELECT CASE WHEN indisprimary THEN 'PRIMARY KEY' ELSE 'UNIQUE' END AS kind,
       ARRAY(SELECT pg_get_indexdef(indexrelid, n::int, true) FROM generate_series(1, indnkeyatts) AS n) AS columns
FROM pg_catalog.pg_index JOIN pg_catalog.pg_class AS c ON c.oid = indrelid
JOIN pg_catalog.pg_namespace AS s ON s.oid = c.relnamespace
WHERE s.nspname = %(schema)s AND c.relname = %(table)s AND indisunique AND indpred IS NULL
ORDER BY NOT indisprimary, indexrelid
"""

_ALL_COLUMNS: Final = """
SELECT c.relname AS table, a.attname AS name FROM pg_catalog.pg_attribute AS a
JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace AS s ON s.oid = c.relnamespace
WHERE s.nspname = %s AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY c.relname, a.attnum
"""


def tables(config: Config) -> dict[str, list[str]]:
    """The columns of each table of the destination's schema. Raises DestinationError, UnsetVariableError."""
    return asyncio.run(_tables(config))


async def _tables(config: Config) -> dict[str, list[str]]:
    link = Link(config)
    try:
        connection = await link.connected()
        if isinstance(connection, TryAgain):
            raise DestinationUnavailableError(f"{config.label}: {connection.cause}.", hint=connection.hint)
        return await _columns(connection, config.schema_name)
    except psycopg.Error as error:
        raise DestinationRefusedError(f"{config.label}: {condition(error.sqlstate or '')}.") from None
    finally:
        await link.close()


async def described(connection: psycopg.AsyncConnection[Any], table: Table) -> Described:
    """A table, with the user's rights as the catalogue has them; raises psycopg.Error."""
    columns = [*table.columns.values()]
    rights: list[str] = []
    lacking: list[str] = []
    for right in ("SELECT", "INSERT", "UPDATE"):
        may = sum(right in column.may for column in columns)
        (rights if may else lacking).append(right if may in (0, len(columns)) else f"{right} of some columns")
    (rights if table.may_delete else lacking).append("DELETE")
    cursor = await connection.execute(_UNIQUE, {"schema": table.schema, "table": table.name})
    keys = [f"{kind} ({', '.join(names)})" for kind, names in await cursor.fetchall()]
    return Described(f"{table.schema}.{table.name}", shown_columns(columns, table.filled), keys, rights, lacking)


async def _columns(connection: psycopg.AsyncConnection[Any], schema: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    cursor = await connection.execute(_ALL_COLUMNS, [schema])
    for table, name in await cursor.fetchall():
        found.setdefault(table, []).append(name)
    return found
