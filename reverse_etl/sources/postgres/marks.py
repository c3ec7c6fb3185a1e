"""Which rows changed, as PostgreSQL marks them: each with the transaction that wrote it, its ``xmin``.

A row that the last completed run did not see was written by a transaction that its snapshot did not count as over.
Each of those, subtransactions and prepared ones included, has a number from the snapshot's own ``xmin`` on. So a row
from there on is read again, and none is lost. Source: postgresql.org/docs/current/functions-info.html, table of
transaction ID and snapshot information functions, and storage-page-layout.html, read 2026-11.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reverse_etl.errors import QueryError
from reverse_etl.sources.powers import EVERY_ROW, Mark

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reverse_etl.config.changed import ChangedTable

SNAPSHOT: Final = """
SELECT pg_catalog.txid_snapshot_xmin(s), pg_catalog.txid_snapshot_xmax(s) FROM pg_catalog.txid_current_snapshot() AS s
"""
"""Numbers of 64 bits, of which rows hold the lower 32."""

IDENTITY: Final = """
SELECT system_identifier, (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()),
       CASE WHEN pg_catalog.pg_is_in_recovery()
            THEN (SELECT greatest(c.timeline_id, r.min_recovery_end_timeline)
                  FROM pg_catalog.pg_control_checkpoint() AS c, pg_catalog.pg_control_recovery() AS r)
            ELSE ('x' || substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8))::bit(32)::int END
FROM pg_catalog.pg_control_system()
"""
"""The cluster, the database, and the timeline: a standby that took over may have used numbers again."""

MOST_TRANSACTIONS: Final = 2_000_000_000
"""Rows hold numbers modulo 2^32, which compare only within half of that."""

_KINDS: Final = """
WITH RECURSIVE part AS (
  SELECT oid, relkind FROM pg_catalog.pg_class WHERE oid = pg_catalog.to_regclass('{name}')
  UNION ALL
  SELECT c.oid, c.relkind FROM part
  JOIN pg_catalog.pg_inherits AS i ON i.inhparent = part.oid JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
)
SELECT string_agg(DISTINCT relkind::text, ''), bool_or(EXISTS (
  SELECT FROM pg_catalog.pg_attribute AS a
  WHERE a.attrelid = part.oid AND a.attname = 'xmin' AND a.atttypid = 'pg_catalog.xid'::pg_catalog.regtype))
FROM part
"""


def mark(before: str, *, identity: Sequence[str], xmin: int, xmax: int) -> Mark:
    """What a snapshot leaves for the next run, and which rows it has that an earlier one had not.

    Args:
        before: The earlier one's place; empty for none.
        identity: What tells the database from others; empty where the server does not tell.
        xmin: The oldest transaction that is not over, 64 bits.
        xmax: The next transaction's number, 64 bits.
    """
    place = ":".join(("xmin", *identity, str(xmin)))
    whose, _, number = before.rpartition(":")
    if not before.startswith("xmin:"):
        # Nothing, or what a log left.
        return Mark(place, EVERY_ROW)
    since = int(number)
    if whose != place.rpartition(":")[0] or since > xmax:
        return Mark(
            place,
            EVERY_ROW,
            "The database is not the one that the last completed run read: it was restored, or another server took "
            "over. So everything was read again.",
        )
    if xmax - since > MOST_TRANSACTIONS:
        return Mark(
            place,
            EVERY_ROW,
            "The last completed run is too many transactions ago to tell what changed since then. So everything was "
            "read again.",
        )
    number = str(since % 2**32)
    return Mark(place, f"(pg_catalog.age({{table}}.xmin) <= pg_catalog.age('{number}'::pg_catalog.xid))")


def require_marked(table: ChangedTable, row: Callable[[str], Sequence[str]], where: str) -> None:
    """Makes sure that a table's rows are marked; says nothing of one that is not there.

    Raises:
        QueryError: It is a view, or its rows, or those of a part, lie in another database.
    """
    quoted = ".".join(f'"{part.replace(chr(34), chr(34) * 2)}"' for part in table.parts)
    kinds, has_column = row(_KINDS.format(name=quoted.replace("'", "''")))
    name = ".".join(table.parts)
    at = f"{where}: line {table.line} of the query: {{{{changed: {table.alias}}}}}"
    if "v" in kinds and has_column != "t":
        raise QueryError(
            f"{at}: {name} is a view, and only the rows of tables are marked.",
            hint="Read its tables in the query, or select `xmin` of the right table in the view.",
        )
    if "f" in kinds:
        raise QueryError(
            f"{at}: rows of {name} lie in another database and are not marked.",
            hint="Compare a column with {{last_sync_time}}, or let the sync read that database.",
        )
