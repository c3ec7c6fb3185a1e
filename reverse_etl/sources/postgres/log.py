"""PostgreSQL's log, decoded: a replication slot keeps what is committed until a completed run has read it.

The slot is moved no further than where the last completed run read to, so that what a run did not come to send is read
again. Source: postgresql.org/docs/current/logicaldecoding.html and functions-admin.html, table of replication
functions, read 2026-11.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Final

import pyarrow as pa

from reverse_etl.errors import QueryError
from reverse_etl.sources.base import BATCH_ROWS
from reverse_etl.sources.postgres.marks import IDENTITY
from reverse_etl.sources.postgres.pgoutput import KeyReader
from reverse_etl.sources.powers import CHANGED_KEY, GapError, LogStatus

_SERVER: Final = """
SELECT pg_catalog.pg_is_in_recovery(), current_setting('wal_level'),
       (SELECT rolsuper OR rolreplication FROM pg_catalog.pg_roles WHERE rolname = current_user)
       OR EXISTS (SELECT FROM pg_catalog.pg_roles
                  WHERE rolname = 'rds_replication' AND pg_catalog.pg_has_role(current_user, oid, 'MEMBER')),
       (SELECT pubinsert AND pubupdate AND pubdelete AND pubtruncate FROM pg_catalog.pg_publication
        WHERE pubname = '{name}')
"""

_TABLES: Final = """
WITH RECURSIVE given (name, field) AS (VALUES {given}),
part (name, field, root, id, kind, identity) AS (
  SELECT given.name, given.field, c.oid, c.oid, c.relkind, c.relreplident
  FROM given JOIN pg_catalog.pg_class AS c ON c.oid = pg_catalog.to_regclass(given.name)
  UNION ALL
  SELECT part.name, part.field, part.root, c.oid, c.relkind, c.relreplident
  FROM part JOIN pg_catalog.pg_inherits AS i ON i.inhparent = part.id
  JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
)
SELECT part.name, part.field, part.id, part.kind, part.id::pg_catalog.regclass,
  EXISTS (SELECT FROM pg_catalog.pg_attribute AS a
          WHERE a.attrelid = part.id AND a.attname = part.field AND a.attnum > 0 AND NOT a.attisdropped),
  part.identity = 'f' OR EXISTS (
    SELECT FROM pg_catalog.pg_index AS x JOIN pg_catalog.pg_attribute AS a ON a.attrelid = x.indrelid
    WHERE x.indrelid = part.id AND a.attname = part.field AND a.attnum = ANY (x.indkey)
      AND CASE part.identity WHEN 'd' THEN x.indisprimary WHEN 'i' THEN x.indisreplident END),
  EXISTS (SELECT FROM pg_catalog.pg_publication_tables AS p
          JOIN pg_catalog.pg_namespace AS n ON n.nspname = p.schemaname
          JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = p.tablename
          WHERE p.pubname = '{name}' AND c.oid IN (part.id, part.root))
FROM part ORDER BY part.name, part.id
"""

_SLOT: Final = """
SELECT plugin, database = current_database(), confirmed_flush_lsn, to_jsonb(s) ->> 'wal_status',
       pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), restart_lsn)::bigint,
       (SELECT setting::bigint FROM pg_catalog.pg_settings WHERE name = 'max_slot_wal_keep_size')
FROM pg_catalog.pg_replication_slots AS s WHERE slot_name = '{name}'
"""

_PEEK: Final = """
SELECT data FROM pg_catalog.pg_logical_slot_peek_binary_changes(
  '{name}', '{until}', NULL, 'proto_version', '1', 'publication_names', '"{name}"')
"""

_MEGABYTE: Final = 1024 * 1024

Rows = Callable[[str], Sequence[Sequence[str]]]


@dataclass(frozen=True, slots=True)
class _Slot:
    confirmed: int
    status: str
    kept_bytes: int
    limit_bytes: int | None


@dataclass(frozen=True, slots=True)
class PostgresLog:
    """See ``powers.ChangeLog``.

    Attributes:
        name: Of the slot and of the publication.
        tables: As the sync names them, each with its column.
        user: Who is logged in, for the grants.
        rows: Runs one statement.
        stream: Runs one query whose result may be long.
    """

    name: str
    tables: Mapping[str, str]
    user: str
    rows: Rows
    stream: Callable[[str], Generator[pa.RecordBatch, None, None]]

    def now(self) -> str:
        problems, oids = self._look()
        slot = None if problems else self._slot()
        if slot is None:
            raise GapError(problems[0] if problems else f"The database has no replication slot {self.name}.")
        ((flushed,),) = self.rows("SELECT pg_catalog.pg_current_wal_flush_lsn()")
        return f"{self._about(oids)}|{flushed}"

    def changed(self, since: str, until: str) -> Generator[pa.RecordBatch, None, None]:
        about, _, last = since.rpartition("|")
        about_now, _, now = until.rpartition("|")
        if about.rpartition("|")[0] != about_now.rpartition("|")[0] or _number(last) > _number(now):
            raise GapError("The database was restored, or another server took over.")
        if about != about_now:
            raise GapError("The tables, their parts or `changes.tables` are not as they were.")
        problems, oids = self._look()
        slot = self._slot()
        if slot is None or problems or slot.status == "lost":
            raise GapError(f"The replication slot {self.name} lost what it was to keep.")
        if slot.confirmed > _number(last):
            raise GapError(f"The replication slot {self.name} was recreated, or another program reads it.")
        try:
            if slot.confirmed < _number(last):
                self.rows(f"SELECT pg_catalog.pg_replication_slot_advance('{self.name}', '{last}')")
            yield from self._read(oids, now)
        except QueryError as error:
            raise GapError(f"The log could not be read: {error.message}") from None

    def status(self) -> LogStatus:
        problems, _ = self._look()
        slot = self._slot() if not problems or "standby" not in problems[0] else None
        if slot is None:
            return LogStatus(exists=False, problems=tuple(problems))
        if slot.status == "lost":
            problems.append(f"The server dropped what slot {self.name} was to keep: drop it and create it again.")
        return LogStatus(True, tuple(problems), slot.kept_bytes, slot.limit_bytes)

    def create(self) -> None:
        problems, _ = self._look()
        if problems:
            raise QueryError(problems[0])
        if self._slot() is not None:
            return
        self.rows(f"SELECT pg_catalog.pg_create_logical_replication_slot('{self.name}', 'pgoutput')")

    def drop(self) -> bool:
        if not self.rows(f"SELECT FROM pg_catalog.pg_replication_slots WHERE slot_name = '{self.name}'"):
            return False
        self.rows(f"SELECT pg_catalog.pg_drop_replication_slot('{self.name}')")
        return True

    def _read(self, oids: Mapping[int, tuple[str, str]], until: str) -> Generator[pa.RecordBatch, None, None]:
        with closing(self.stream(_PEEK.format(name=self.name, until=until))) as batches:
            messages = (message for part in batches for message in part.column(0).to_pylist())
            keys = KeyReader(oids).keys(messages)
            while batch := list(islice(keys, BATCH_ROWS)):
                tables, values = zip(*batch, strict=True)
                yield pa.RecordBatch.from_arrays(
                    [pa.array(tables, pa.string()), pa.array(values, pa.string())], schema=CHANGED_KEY
                )

    def _look(self) -> tuple[list[str], dict[int, tuple[str, str]]]:
        """What keeps the log from being read, and the tables and their parts by OID."""
        ((standby, level, may_replicate, published),) = self.rows(_SERVER.format(name=self.name))
        if standby == "t":
            return ["The server is a standby, whose log cannot be read: connect to its primary."], {}
        problems = []
        if level != "logical":
            problems.append(
                f"The server writes no such log (wal_level is {level}): set wal_level = logical, restart it."
            )
        if may_replicate != "t":
            problems.append(
                f'The user may not read the log: ALTER ROLE "{self.user}" REPLICATION (on Amazon RDS: GRANT '
                f'rds_replication TO "{self.user}").'
            )
        given = ", ".join(f"({_quoted(table)}, {_quoted(column)})" for table, column in self.tables.items())
        rows = self.rows(_TABLES.format(given=given, name=self.name))
        found = {row[0] for row in rows}
        problems += [
            f"There is no table {table}, or the user does not see it." for table in self.tables if table not in found
        ]
        unpublished = False
        for _, column, _, kind, part, has_column, is_identity, is_published in rows:
            if kind not in "rp":
                problems.append(f"{part} is no table, and the log has only rows of tables.")
            elif has_column != "t":
                problems.append(f"{part} has no column {column} (changes.tables).")
            elif kind == "r" and is_identity != "t":
                problems.append(
                    f"The log would not have {column} of deleted and moved rows of {part}: "
                    f"ALTER TABLE {part} REPLICA IDENTITY FULL."
                )
            unpublished = unpublished or (kind == "r" and is_published != "t")
        if not problems and unpublished:
            change = "ALTER PUBLICATION {} SET TABLE" if published else "CREATE PUBLICATION {} FOR TABLE"
            statement = f"{change.format(self.name)} {', '.join(self.tables)}"
            problems.append(f"The owner of the tables has to publish them for the sync: {statement}.")
        elif not problems and published != "t":
            statement = f"ALTER PUBLICATION {self.name} SET (publish = 'insert, update, delete, truncate')"
            problems.append(f"The publication does not have all that happens: {statement}.")
        return problems, {int(row[2]): (row[0], row[1]) for row in rows}

    def _slot(self) -> _Slot | None:
        rows = self.rows(_SLOT.format(name=self.name))
        if not rows:
            return None
        ((plugin, is_here, confirmed, status, kept, limit),) = rows
        if plugin != "pgoutput" or is_here != "t" or not confirmed:
            return None
        limit_bytes = int(limit) * _MEGABYTE if limit and int(limit) >= 0 else None
        return _Slot(_number(confirmed), status, int(kept or 0), limit_bytes)

    def _about(self, oids: Mapping[int, tuple[str, str]]) -> str:
        """Whose log it is, and of which tables."""
        ((*identity,),) = self.rows(IDENTITY)
        tables = hashlib.sha256(repr(sorted(oids.items())).encode()).hexdigest()[:16]
        return f"{':'.join(identity)}|{tables}"


def _number(lsn: str) -> int:
    """A place in the log as a number."""
    high, _, low = lsn.partition("/")
    return (int(high, 16) << 32) + int(low, 16)


def _quoted(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"'{doubled}'"
