"""One sync's way into one table of ClickHouse: a slice of rows is one insert, or two.

There are no transactions. What is written is counted once it was read back. Where an answer is lost, the slice is
looked for again: what is there is not written twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar
from uuid import uuid4

import numpy as np
import pyarrow as pa

from reverse_etl.changeset.parts import ROW_NUMBER
from reverse_etl.destinations._sql import requirements as shared
from reverse_etl.destinations._sql.fit import fit, key_values
from reverse_etl.destinations._sql.marks import marks_of, removed_rows
from reverse_etl.destinations._sql.table import SqlTable
from reverse_etl.destinations.base import Accepted, Answer, Refusal, RequestRefused, TryAgain
from reverse_etl.destinations.clickhouse import catalogue, failures, looking, requirements
from reverse_etl.destinations.clickhouse.catalogue import Table
from reverse_etl.destinations.clickhouse.config import Config
from reverse_etl.destinations.clickhouse.connection import Link
from reverse_etl.destinations.clickhouse.listing import denied, described, may_delete
from reverse_etl.destinations.clickhouse.session import Refused, Session
from reverse_etl.destinations.clickhouse.slices import Slice
from reverse_etl.destinations.clickhouse.statements import Statements
from reverse_etl.destinations.powers import Fate, Note
from reverse_etl.destinations.table_powers import Described, Effects, LookedUp
from reverse_etl.errors import DestinationRefusedError

if TYPE_CHECKING:
    from reverse_etl.destinations._sql.config import Rows
    from reverse_etl.destinations.clickhouse.version import Version
    from reverse_etl.pacing.retry import Patience
    from reverse_etl.report import Reason


_REMEMBERED_S: Final = 1_800
"""Tables remember the tokens of inserts for an hour, if not for longer; by the clock of this machine."""


_Found = TypeVar("_Found")


class ClickhouseTable(SqlTable[Config, Table, Statements]):
    """A table of ClickHouse."""

    def __init__(self, config: Config, rows: Rows, columns: Sequence[str], *, patience: Patience) -> None:
        super().__init__(config, rows, columns, patience=patience)
        self._link = Link(config)
        self._run, self._began_at = uuid4().hex, int(time.time())
        self._version: Version | None = None
        self._tried = np.empty(0, np.int64)
        self._violates = False

    def of_run(self, run_id: str, started_at: int) -> None:
        """Before ``prepare``: which run the rows are of, as ``powers.MarksRuns`` defines it."""
        self._run, self._began_at = run_id, started_at

    async def write(self, batch: pa.RecordBatch) -> Answer:
        """Writes a slice, as ``TableDestination`` defines it."""
        return await self._settled(partial(self._write, batch))

    async def append(self, batch: pa.RecordBatch, *, token: str, note: Note) -> Answer:
        """Adds a slice in one insert, as ``powers.Appends`` defines it."""
        return await self._settled(partial(self._append, batch, token, note))

    async def fate(self, mark: str) -> Fate | TryAgain:
        """A table that drops what comes again by its token may be given it again, for as long as it remembers."""
        remembers = self._prepared[0].drops_repeats and time.time() - float(mark) < _REMEMBERED_S
        return Fate.NOT_WRITTEN if remembers else Fate.UNKNOWN

    async def effects(self, batch: pa.RecordBatch) -> Effects | TryAgain:
        """What ``write`` would do with a slice, as ``table_powers.Foresees`` defines it."""
        return await self._settled(partial(self._effects, batch))

    async def effects_of_delete(self, batch: pa.RecordBatch) -> Effects | TryAgain:
        """What ``delete`` would do with a slice, likewise."""
        return await self._settled(partial(self._effects_of_delete, batch))

    async def look_up(self, batch: pa.RecordBatch, stream: str) -> LookedUp | TryAgain:  # noqa: ARG002 - it has one
        """What the table has of rows, as ``table_powers.LooksUp`` defines it."""
        rows, statements = self.fit(batch).batch, self._prepared[1]
        return await self._settled(lambda session: looking.look_up(session, statements, rows))

    async def row_count(self) -> int | TryAgain:
        """How many rows the table has."""
        return await self._settled(lambda session: looking.row_count(session, self._prepared[1]))

    async def describe(self) -> Described | TryAgain:
        """The table, as ``table_powers.Describes`` defines it."""
        return await self._settled(lambda session: described(session, self._find(session)))

    async def not_among(self, rows: Iterable[pa.RecordBatch]) -> list[pa.RecordBatch] | TryAgain:
        """The keys of the table's rows that none of these rows has, as ``table_powers.Mirrors`` defines it."""
        statements = self._prepared[1]
        columns = [column.fits for column in statements.key]
        fitted = [fit(key_values(batch, columns), columns, timezone=self._config.timezone).batch for batch in rows]
        return await self._settled(lambda session: looking.not_among(session, statements, fitted))

    async def delete(self, batch: pa.RecordBatch) -> Answer:
        """Deletes a slice, as ``powers.Deletes`` defines it."""
        return await self._settled(partial(self._delete, batch))

    async def close(self) -> None:
        """Closes the connection."""
        await self._link.close()

    async def _settled(self, act: Callable[[Session], _Found]) -> _Found | TryAgain:
        session = await self._link.connected()
        if isinstance(session, TryAgain):
            return session
        try:
            return await self._link.run(act)
        except Refused as refused:
            return await self._after(refused)
        except BaseException:
            await self._link.drop(lost=True)
            raise

    async def _look(self) -> tuple[Table, Statements] | TryAgain:
        session = await self._link.connected()
        if isinstance(session, TryAgain):
            return session
        try:
            return await self._link.run(self._read)
        except Refused as refused:
            return await self._after(refused)

    async def _after(self, refused: Refused) -> TryAgain:
        """What follows from a refusal that is no row's. Raises DestinationRefusedError for one that lasts."""
        if refused.lost:
            await self._link.drop(lost=True)
        if (trouble := failures.trouble(refused)) is not None:
            return trouble
        raise self._cannot(refused) from None

    def _read(self, session: Session) -> tuple[Table, Statements]:
        table = self._find(session)
        self._version = requirements.version(table, self._columns, self._began_at, where=self.name)
        where = f"{self.name}: table {table.database}.{table.name}"
        at = datetime.fromtimestamp(self._began_at, UTC)
        marks = marks_of(table.columns, self._rows, timezone=self._config.timezone, where=where, at=at)
        statements = requirements.statements(
            table, self._rows, self._columns, marks, version=self._version, where=self.name
        )
        self._require_rights(session, statements)
        return table, statements

    async def _look_at_columns(self) -> Sequence[str] | TryAgain:
        return await self._settled(self._usable_columns)

    def _usable_columns(self, session: Session) -> Sequence[str]:
        table = self._find(session)
        requirements.require_kind(table, self._rows, where=self.name)
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

    def _require_rights(self, session: Session, statements: Statements) -> None:
        """Asks for nothing but does what a run does, with no rows: that way roles and patterns count too."""
        lacking = [right for right, probe in statements.probes().items() if denied(session, probe)]
        if statements.deletes and not statements.of.is_deleted and not may_delete(session, statements):
            lacking.append("ALTER DELETE")
        if lacking:
            table = statements.of
            raise DestinationRefusedError(
                f"{self.name}: user {self._link.user} lacks rights to write to table {table.database}.{table.name}.",
                hint=requirements.lacks_rights(lacking, table, self._link.user),
            )

    def _write(self, batch: pa.RecordBatch, session: Session) -> Accepted:
        statements, version = self._prepared[1], self._version
        piece = Slice(session, statements, batch, version=version, token=self._run, asks_first=self._violates)
        try:
            answer = piece.write(self._tried)
        except BaseException:
            self._tried = np.union1d(self._tried, piece.tried)
            raise
        self._tried, self._violates = np.empty(0, np.int64), piece.violates
        return answer

    def _append(self, batch: pa.RecordBatch, token: str, note: Note, session: Session) -> Accepted | RequestRefused:
        piece = Slice(session, self._prepared[1], batch, version=self._version, token=token)
        try:
            return piece.append(token, partial(note, str(time.time())))
        except Refused as refused:
            if not failures.is_a_rows_fault(refused):
                raise
            return RequestRefused(failures.refusal(0, refused).why)

    def _delete(self, batch: pa.RecordBatch, session: Session) -> Accepted:
        """What is gone already is no row's fault: an answer that is lost needs no question."""
        piece, numbers, refused = self._of_gone(batch, session)
        answer = piece.write(np.empty(0, np.int64)) if self._prepared[1].marks else piece.delete()
        places = {number: place for place, number in enumerate(batch.column(ROW_NUMBER).to_pylist())}
        refusals = [Refusal(places[numbers[each.place]], each.why) for each in answer.refusals]
        return Accepted(tuple(sorted({*refusals, *(Refusal(places[row], why) for row, why in refused)})))

    def _of_gone(self, batch: pa.RecordBatch, session: Session) -> tuple[Slice, list[int], list[tuple[int, Reason]]]:
        """The rows of a slice that are gone, their numbers, and those whose key no row of the table can have."""
        statements = self._prepared[1]
        fitted = removed_rows(batch, statements.key, statements.marks, timezone=self._config.timezone)
        refused = [(row, each.why) for each in fitted.kept_back for row in each.rows.to_pylist()]
        numbers = fitted.batch.column(ROW_NUMBER).to_numpy()
        rows = fitted.batch.filter(pa.array(~np.isin(numbers, [row for row, _ in refused])))
        piece = Slice(session, statements.of_gone(), rows, version=self._version, token=self._run)
        return piece, rows.column(ROW_NUMBER).to_pylist(), refused

    def _effects(self, batch: pa.RecordBatch, session: Session) -> Effects:
        statements = self._prepared[1]
        return looking.effects(Slice(session, statements, batch, version=self._version, token=self._run), statements)

    def _effects_of_delete(self, batch: pa.RecordBatch, session: Session) -> Effects:
        return looking.effects_of_delete(self._of_gone(batch, session)[0], self._prepared[1])

    def _cannot(self, refused: Refused) -> DestinationRefusedError:
        what = "the server refuses the statement"
        if failures.denied(refused):
            what = "the user lacks a right"
        elif failures.only_reads(refused):
            what = "the user may only read (profile with readonly)"
        hint = "Run the sync again: what changed about the table is found before the first row."
        if failures.beyond_a_limit(refused):
            what = "the statement is beyond a limit of the user's profile"
            hint = "Lower `rows_per_transaction`, or ask for higher limits (max_rows_..., max_bytes_...)."
        return self._cannot_write(f"{what} (error {refused.code})", hint)
