"""One sync's way into one table of MySQL or MariaDB: a slice of rows is one transaction.

What is written is counted after COMMIT alone. The server cannot be asked what became of a transaction: where the answer
to COMMIT is lost, the connection is ended, and the rows are looked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa

from reverse_etl.changeset.parts import ROW_NUMBER
from reverse_etl.destinations._sql import requirements as shared
from reverse_etl.destinations._sql.fit import fit, key_values
from reverse_etl.destinations._sql.marks import marks_of, removed_rows
from reverse_etl.destinations._sql.table import SqlTable
from reverse_etl.destinations.base import Accepted, Answer, TryAgain
from reverse_etl.destinations.mysql import catalogue, failures, looking, requirements
from reverse_etl.destinations.mysql.catalogue import Table
from reverse_etl.destinations.mysql.config import Config
from reverse_etl.destinations.mysql.connection import Link, Lost, Session
from reverse_etl.destinations.mysql.listing import denied, described
from reverse_etl.destinations.mysql.statements import DROP_STAGE, Statements
from reverse_etl.destinations.mysql.transaction import Transaction
from reverse_etl.destinations.powers import Fate, Note
from reverse_etl.destinations.table_powers import Described, Effects, LookedUp
from reverse_etl.errors import DestinationRefusedError
from reverse_etl.sources.mysql.wire import Refused

if TYPE_CHECKING:
    from reverse_etl.destinations._sql.config import Rows
    from reverse_etl.pacing.retry import Patience


_Found = TypeVar("_Found")


class MysqlTable(SqlTable[Config, Table, Statements]):
    """A table of MySQL or MariaDB."""

    def __init__(self, config: Config, rows: Rows, columns: Sequence[str], *, patience: Patience) -> None:
        super().__init__(config, rows, columns, patience=patience)
        self._link = Link(config)
        self._in_doubt: Accepted | None = None

    async def write(self, batch: pa.RecordBatch) -> Answer:
        """Writes a slice in one transaction, as ``TableDestination`` defines it."""
        return await self._settled(partial(self._write, batch))

    async def append(self, batch: pa.RecordBatch, *, token: str, note: Note) -> Answer:  # noqa: ARG002 - the server has no place for it
        """Adds a slice in one transaction, as ``powers.Appends`` defines it."""
        return await self._settled(partial(self._append, batch, note))

    async def fate(self, mark: str) -> Fate | TryAgain:
        """Whether the table has a row of the number that it gave; otherwise there is no way to know."""
        started, identifier, number = mark.split("-")
        # Until it is ended, its transaction may still be committed.
        await self._link.drop(lost=Lost(int(identifier), int(started)))
        return await self._settled(partial(self._fate, int(started), number))

    async def effects(self, batch: pa.RecordBatch) -> Effects | TryAgain:
        """What ``write`` would do with a slice, as ``table_powers.Foresees`` defines it."""
        return await self._settled(partial(self._effects, batch))

    async def effects_of_delete(self, batch: pa.RecordBatch) -> Effects | TryAgain:
        """What ``delete`` would do with a slice, likewise."""
        return await self._settled(partial(self._effects_of_delete, batch))

    async def describe(self) -> Described | TryAgain:
        """The table, as ``table_powers.Describes`` defines it."""
        return await self._settled(lambda session: described(session, self._find(session)))

    async def row_count(self) -> int | TryAgain:
        """How many rows the table has."""
        return await self._settled(self._count)

    async def look_up(self, batch: pa.RecordBatch, stream: str) -> LookedUp | TryAgain:  # noqa: ARG002 - it has one
        """What the table has of rows, as ``table_powers.LooksUp`` defines it."""
        return await self._settled(partial(self._look_up, self.fit(batch).batch))

    async def not_among(self, rows: Iterable[pa.RecordBatch]) -> list[pa.RecordBatch] | TryAgain:
        """The keys of the table's rows that none of these rows has, as ``table_powers.Mirrors`` defines it."""
        keys = self._prepared[1].of_keys()
        columns = [column.fits for column in keys.columns]
        fitted = [fit(key_values(batch, columns), columns, timezone=self._config.timezone).batch for batch in rows]
        return await self._settled(lambda session: looking.not_among(session, keys, fitted))

    async def delete(self, batch: pa.RecordBatch) -> Answer:
        """Deletes a slice in one transaction, as ``powers.Deletes`` defines it."""
        return await self._settled(partial(self._delete, batch))

    async def _settled(self, act: Callable[[Session], _Found]) -> _Found | TryAgain:
        session = await self._link.connected()
        if isinstance(session, TryAgain):
            return session
        if session.read_only:
            # It may not have what the primary server has.
            await self._link.drop()
            return TryAgain("the server only reads: it is a replica now", hint="Name the primary server as `host`.")
        try:
            return await self._link.run(act)
        except Refused as refused:
            await self._link.drop(lost=session.place if refused.lost else None)
            if (trouble := failures.trouble(refused)) is not None:
                return trouble
            raise self._cannot(refused) from None
        except BaseException:
            await self._link.drop(lost=session.place)
            raise

    async def close(self) -> None:
        """Closes the connection."""
        await self._link.close()

    async def _look(self) -> tuple[Table, Statements] | TryAgain:
        session = await self._link.connected()
        if isinstance(session, TryAgain):
            return session
        if session.read_only:
            await self._link.drop()
            return TryAgain("the server only reads: it is a replica", hint="Name the primary server as `host`.")
        try:
            return await self._link.run(self._read)
        except Refused as refused:
            await self._link.drop()
            if (trouble := failures.trouble(refused)) is not None:
                return trouble
            raise self._cannot(refused) from None

    def _read(self, session: Session) -> tuple[Table, Statements]:
        requirements.require_version(session, where=self.name)
        table = self._find(session)
        where = f"{self.name}: table {table.database}.{table.name}"
        timezone, at = self._config.timezone, datetime.now(UTC)
        marks = marks_of(table.columns, self._rows, timezone=timezone, where=where, at=at)
        statements = requirements.statements(table, self._rows, self._columns, marks, where=self.name)
        self._require_rights(session, table, statements)
        return table, statements

    async def _look_at_columns(self) -> Sequence[str] | TryAgain:
        return await self._settled(self._usable_columns)

    def _usable_columns(self, session: Session) -> Sequence[str]:
        requirements.require_version(session, where=self.name)
        table = self._find(session)
        requirements.require_kind(table, where=self.name)
        return [*table.columns]

    def _find(self, session: Session) -> Table:
        places = shared.places(self._config.database.resolve(), self._rows.table)
        for database, name in places:
            table = catalogue.table(session, database, name, key=self._rows.identify_by)
            if table is not None:
                return table
        database, name = places[-1]
        known = catalogue.table_names(session, database)
        unseen = "A user sees the tables that it has a right on."
        raise shared.no_table(("database", database), name, known, where=self.name, unseen=unseen)

    def _require_rights(self, session: Session, table: Table, statements: Statements) -> None:
        """Asks for nothing but does what a run does, with no rows: that way roles and patterns count too."""
        lacking = [right for right, probe in statements.probes().items() if denied(session, probe)]
        session.run(DROP_STAGE)
        temporary = not denied(session, statements.make_stage())
        if lacking or not temporary:
            database = self._config.database.resolve()
            raise DestinationRefusedError(
                f"{self.name}: user {session.user} lacks rights to write to table {table.database}.{table.name}.",
                hint=requirements.lacks_rights(lacking, table, database, temporary=temporary, user=session.user),
            )
        session.run(DROP_STAGE)

    def _write(self, batch: pa.RecordBatch, session: Session) -> Accepted:
        transaction = Transaction(session, *self._prepared, batch)
        transaction.stage()
        doubt, self._in_doubt = self._in_doubt, None
        if doubt is not None and transaction.landed(doubt):
            return doubt
        session.run("START TRANSACTION")
        answer = transaction.write()
        try:
            session.run("COMMIT")
        except Refused as refused:
            self._in_doubt = answer if refused.lost else None
            raise
        return answer

    def _append(self, batch: pa.RecordBatch, note: Note, session: Session) -> Accepted:
        transaction = Transaction(session, *self._prepared, batch)
        transaction.stage()
        session.run("START TRANSACTION")
        answer, number = transaction.append()
        note(f"{session.place.started}-{session.place.identifier}-{number}", answer)
        session.run("COMMIT")
        return answer

    def _fate(self, started: int, number: str, session: Session) -> Fate:
        if not number:
            return Fate.UNKNOWN
        try:
            ((found,),) = session.rows(self._prepared[1].numbered(number))
        except Refused as refused:
            if not failures.denied(refused):
                raise
            return Fate.UNKNOWN
        if found == "0":
            return Fate.NOT_WRITTEN
        # A server that was restarted may have given the number again.
        return Fate.WRITTEN if session.place.is_of_start(started) else Fate.UNKNOWN

    def _delete(self, batch: pa.RecordBatch, session: Session) -> Accepted:
        """What is deleted already is no row's fault: a lost COMMIT needs no question."""
        transaction = self._of_gone(batch, session)
        session.run("START TRANSACTION")
        answer = transaction.delete()
        session.run("COMMIT")
        return answer

    def _of_gone(self, batch: pa.RecordBatch, session: Session) -> Transaction:
        """A slice of rows that are gone, staged."""
        table, statements = self._prepared
        key = statements.of_keys().columns
        fitted = removed_rows(batch, key, statements.marks, timezone=self._config.timezone)
        transaction = Transaction(session, table, statements.of_gone(), fitted.batch)
        transaction.leave_out(fitted.kept_back, batch.column(ROW_NUMBER))
        transaction.stage()
        return transaction

    def _effects(self, batch: pa.RecordBatch, session: Session) -> Effects:
        transaction = Transaction(session, *self._prepared, batch)
        transaction.stage()
        return looking.effects(transaction)

    def _look_up(self, batch: pa.RecordBatch, session: Session) -> LookedUp:
        transaction = Transaction(session, *self._prepared, batch)
        transaction.stage()
        return looking.look_up(session, transaction)

    def _effects_of_delete(self, batch: pa.RecordBatch, session: Session) -> Effects:
        gone = self._of_gone(batch, session)
        ((found,),) = session.rows(gone.statements.count_deleted())
        return Effects(deletes=int(found))

    def _count(self, session: Session) -> int:
        ((count,),) = session.rows(f"SELECT COUNT(*) FROM {self._prepared[1].table}")
        return int(count)

    def _cannot(self, refused: Refused) -> DestinationRefusedError:
        what = "the user lacks a right" if failures.denied(refused) else "the server refuses the statement"
        hint = "Run the sync again: what changed about the table is found before the first row."
        return self._cannot_write(f"{what} (error {refused.code})", hint)
