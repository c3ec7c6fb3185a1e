"""MariaDB's and MySQL's binary log: which keys were written between two places of it.

The server keeps it for everybody and for a time of its own, so there is nothing to make or to drop, and a place is a
file and a position. What names no rows (statements, cascades of foreign keys, two-phase commits) is a gap. Sources:
mariadb.com/kb/en/binary-log, dev.mysql.com/doc/refman/8.4/en/binary-log.html, read 2026-11.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from reverse_etl.errors import QueryError
from reverse_etl.sources.mysql.binlog import Place, written_keys
from reverse_etl.sources.mysql.wire import Address, Row
from reverse_etl.sources.powers import GapError, LogStatus

_SETTINGS: Final = {"log_bin": "ON", "binlog_format": "ROW", "binlog_row_image": "FULL", "binlog_row_metadata": "FULL"}
"""What the server must be set to, so that the log names the columns of all rows, as they were and as they are."""

_PLACES: Final = ("SHOW BINARY LOG STATUS", "SHOW MASTER STATUS")
"""From MySQL 8.2 on, and before; MariaDB has the second."""

_TABLES: Final = """
SELECT t.table_type, (SELECT COUNT(*) FROM information_schema.columns AS c WHERE c.table_schema = t.table_schema
                      AND c.table_name = t.table_name AND c.column_name = {column})
FROM information_schema.tables AS t WHERE t.table_schema = {schema} AND t.table_name = {table}
"""

_CASCADE: Final = re.compile(
    r"CONSTRAINT `(\w+)` FOREIGN KEY \(`(\w+)`[^)]*\) REFERENCES `(?:\w+`\.`)?(\w+)` \([^)]*\)"
    r"[^,\n]* ON (?:DELETE|UPDATE) (?:CASCADE|SET)"
)
"""In SHOW CREATE TABLE: rows that a foreign key changes along are changed by the storage engine, behind the log."""

_SETTLES_S: Final = 1.0
"""MySQL writes a transaction to its log a moment before the transaction can be seen."""


@dataclass(frozen=True, slots=True)
class MysqlLog:
    """See ``powers.ChangeLog``.

    Attributes:
        address: Where the log is read, on a connection of its own.
        tables: As the sync names them, each with its column.
        ask: Runs one statement in the session. Raises SourceError.
        is_mariadb: Whether the server is one.
    """

    address: Address
    tables: Mapping[str, str]
    ask: Callable[[str], Sequence[Row]]
    is_mariadb: bool

    def now(self) -> str:
        problems = self._problems()
        if problems:
            raise GapError(problems[0])
        place = self._place()
        return f"{self._about()}|{self._gtid(place)}|{place}"

    def changed(self, since: str, until: str) -> Generator[pa.RecordBatch, None, None]:
        about, gtid, last = since.rsplit("|", 2)
        about_now, _, now = until.rsplit("|", 2)
        if about.partition("|")[0] != about_now.partition("|")[0]:
            raise GapError("Another server answers than at the last completed run.")
        if about != about_now:
            raise GapError("`changes.tables` is not as it was.")
        begin, end = Place.parse(last), Place.parse(now)
        if begin > end or gtid != self._gtid(begin):
            raise GapError("The server's binary log since the last completed run is gone.")
        yield from written_keys(self.address, self._named(), begin, end, grant=self._grant("REPLICATION SLAVE"))

    def status(self) -> LogStatus:
        problems = self._problems()
        if not problems:
            place = self._place()
            try:
                list(written_keys(self.address, self._named(), place, place, grant=self._grant("REPLICATION SLAVE")))
            except GapError as gap:
                problems.append(str(gap))
        return LogStatus(exists=not problems, problems=tuple(problems))

    def create(self) -> None:
        problems = self.status().problems
        if problems:
            raise QueryError(problems[0])

    def drop(self) -> bool:
        return False

    def _problems(self) -> list[str]:
        names = ", ".join(f"'{name}'" for name in (*_SETTINGS, "log_slave_updates", "log_replica_updates"))
        rows = self.ask(f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({names})")
        found = {_text(row[0]).lower(): _text(row[1]) for row in rows}
        problems = [
            f"The server's binary log does not name rows ({name} is {found.get(name) or 'not known to it'}): "
            f"set {name} = {wanted}."
            for name, wanted in _SETTINGS.items()
            if found.get(name, "").upper() != wanted
        ]
        if not problems:
            problems += self._place_problems()
        for name, column in self.tables.items():
            problems += self._table_problems(name, column)
        return problems

    def _place_problems(self) -> Iterator[str]:
        """What keeps the place from being seen, and databases that the log leaves out."""
        try:
            row = self._shown_place()
        except QueryError:
            right = "BINLOG MONITOR" if self.is_mariadb else "REPLICATION CLIENT"
            yield f"The user may not see the log: {self._grant(right)}"
            return
        only, ignored = (set(filter(None, _text(cell).split(","))) for cell in row[2:4])
        for schema in sorted({schema for schema, _ in self._named()}):
            if (only and schema not in only) or schema in ignored:
                yield f"The server's binary log leaves out the database {schema}."

    def _table_problems(self, name: str, column: str) -> Iterator[str]:
        schema, table = self._parts(name)
        values = {"schema": _quoted(schema), "table": _quoted(table), "column": _quoted(column)}
        rows = self.ask(_TABLES.format(**values))
        if not rows:
            yield f"There is no table {name}, or the user does not see it."
            return
        kind, has_column = rows[0]
        if _text(kind) not in ("BASE TABLE", "SYSTEM VERSIONED"):
            yield f"{name} is no table, and the log has only rows of tables."
            return
        if not int(has_column or 0):
            yield f"{name} has no column {column} (changes.tables)."
            return
        parents = {self._parts(other)[1].lower() for other in self.tables}
        ((_, definition, *_),) = self.ask(f"SHOW CREATE TABLE `{schema}`.`{table}`")
        for constraint, local, parent in _CASCADE.findall(_text(definition)):
            if local != column or parent.lower() not in parents:
                what = f"rows of {name} that the foreign key {constraint} changes along with {parent}"
                yield f"The log does not name {what}."

    def _place(self) -> Place:
        """Up to where everything is committed: in MariaDB, of a snapshot, which holds all that is before it."""
        if self.is_mariadb:
            self.ask("START TRANSACTION WITH CONSISTENT SNAPSHOT")
            try:
                rows = self.ask("SHOW SESSION STATUS LIKE 'binlog_snapshot_%'")
            finally:
                self.ask("COMMIT")
            found = {_text(row[0]).lower(): _text(row[1]) for row in rows}
            if found.get("binlog_snapshot_file"):
                return Place(found["binlog_snapshot_file"], int(found["binlog_snapshot_position"]))
        file, position, *_ = self._shown_place()
        if not self.is_mariadb:
            time.sleep(_SETTLES_S)
        return Place(_text(file), int(position or 0))

    def _shown_place(self) -> Row:
        """The row of the server's own statement. Raises QueryError where it is not allowed."""
        *first, last = _PLACES[1:] if self.is_mariadb else _PLACES
        for statement in first:
            try:
                return self.ask(statement)[0]
            except QueryError:
                continue
        return self.ask(last)[0]

    def _about(self) -> str:
        """Which server's log it is, and of which tables."""
        ((server,),) = self.ask("SELECT CONCAT_WS(':', @@hostname, @@port, @@server_id)")
        tables = hashlib.sha256(repr(sorted(self.tables.items())).encode()).hexdigest()[:16]
        return f"{_text(server)}|{tables}"

    def _gtid(self, place: Place) -> str:
        """What distinguishes a place from one of the same name in a log that began again; empty in MySQL."""
        if not self.is_mariadb:
            return ""
        ((found,),) = self.ask(f"SELECT BINLOG_GTID_POS({_quoted(place.file)}, {place.position:d})")
        return _text(found)

    def _named(self) -> dict[tuple[str, str], tuple[str, str]]:
        """By schema and table: the name that the sync has for it, and the column."""
        return {self._parts(name): (name, column) for name, column in self.tables.items()}

    def _parts(self, name: str) -> tuple[str, str]:
        schema, _, table = name.replace("`", "").rpartition(".")
        return schema or self.address.database, table

    def _grant(self, right: str) -> str:
        return f"GRANT {right} ON *.* TO '{self.address.user}'@'%'."


def _text(cell: bytes | None) -> str:
    return (cell or b"").decode(errors="replace")


def _quoted(text: str) -> str:
    return "'" + re.sub(r"(['\\\\])", r"\1\1", text) + "'"
