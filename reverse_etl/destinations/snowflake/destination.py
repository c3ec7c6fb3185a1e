"""One sync's way into one table of Snowflake: a slice of rows is one MERGE.

What is written is counted after the service has reported the statement's end, and the rows were read back. Where that
answer is lost, the next session asks by the statement's query id what became of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import pyarrow as pa

from reverse_etl.changeset.parts import ROW_NUMBER
from reverse_etl.destinations._sql.fit import fit, key_values
from reverse_etl.destinations._sql.marks import marks_of, removed_rows
from reverse_etl.destinations._sql.table import SqlTable
from reverse_etl.destinations.base import Accepted, Answer, Refusal, RequestRefused, TryAgain
from reverse_etl.destinations.powers import Fate, Note
from reverse_etl.destinations.snowflake import failures, looking, requirements
from reverse_etl.destinations.snowflake.catalogue import Table
from reverse_etl.destinations.snowflake.config import Config
from reverse_etl.destinations.snowflake.connection import Link, Session
from reverse_etl.destinations.snowflake.failures import Refused
from reverse_etl.destinations.snowflake.listing import denied, described
from reverse_etl.destinations.snowflake.slices import Slice
from reverse_etl.destinations.snowflake.statements import MAKE_FILES, Statements
from reverse_etl.destinations.snowflake.texts import readable
from reverse_etl.errors import DestinationRefusedError

if TYPE_CHECKING:
    from reverse_etl.destinations._sql.config import Rows
    from reverse_etl.destinations.table_powers import Described, Effects, LookedUp
    from reverse_etl.destinations.tables import Fitted
    from reverse_etl.pacing.retry import Patience


_Found = TypeVar("_Found")

_UNSTARTED: Final = "unstarted"
_FAILED: Final = "failed"
_MARKS: Final = {_UNSTARTED: Fate.UNKNOWN, _FAILED: Fate.NOT_WRITTEN}
"""Marks where there is no query id: the service may have begun the statement without our knowing, or it has failed."""


@dataclass(slots=True)
class _InDoubt:
    """A statement whose end is not known.

    Attributes:
        numbers: The rows that it is about.
        answer: What it is but for rows that are not there, if it has ended well.
        query: Its query id, where the service has given it.
    """

    numbers: pa.Int64Array
    answer: Accepted
    query: str | None = None


class SnowflakeTable(SqlTable[Config, Table, Statements]):
    """A table of Snowflake."""

    def __init__(self, config: Config, rows: Rows, columns: Sequence[str], *, patience: Patience) -> None:
        super().__init__(config, rows, columns, patience=patience)
        self._link = Link(config)
        self._in_doubt: _InDoubt | None = None

    def fit(self, batch: pa.RecordBatch) -> Fitted:
        """Converts a batch to the table's types, texts in columns of other types included."""
        return readable(super().fit(batch), self._prepared[1].columns, timezone=self._config.timezone)

    async def write(self, batch: pa.RecordBatch) -> Answer:
        """Writes a slice by one MERGE, as ``TableDestination`` defines it."""
        return await self._settled(partial(self._write, batch))

    async def append(self, batch: pa.RecordBatch, *, token: str, note: Note) -> Answer:  # noqa: ARG002 - the query id tells more
        """Adds a slice by one INSERT, as ``powers.Appends`` defines it."""
        return await self._settled(partial(self._append, batch, note))

    async def fate(self, mark: str) -> Fate | TryAgain:
        """What became of an INSERT, by its query id."""
        if mark in _MARKS:
            return _MARKS[mark]
        found = await self._settled(partial(_fate, mark))
        return Fate.NOT_WRITTEN if isinstance(found, RequestRefused) else found

    async def effects(self, batch: pa.RecordBatch) -> Effects | TryAgain:
        """What ``write`` would do with a slice, as ``table_powers.Foresees`` defines it."""
        return await self._looked(lambda session: looking.effects(session, self._prepared[1], batch))

    async def effects_of_delete(self, batch: pa.RecordBatch) -> Effects | TryAgain:
        """What ``delete`` would do with a slice, likewise."""
        fitted = self._of_gone(batch).batch
        return await self._looked(lambda session: looking.effects_of_delete(session, self._gone, fitted))

    async def look_up(self, batch: pa.RecordBatch, stream: str) -> LookedUp | TryAgain:  # noqa: ARG002 - it has one
        """What the table has of rows, as ``table_powers.LooksUp`` defines it."""
        fitted = self.fit(batch).batch
        return await self._looked(lambda session: looking.look_up(session, self._prepared[1], fitted))

    async def row_count(self) -> int | TryAgain:
        """How many rows the table has."""
        return await self._looked(lambda session: looking.row_count(session, self._prepared[1]))

    async def describe(self) -> Described | TryAgain:
        """The table, as ``table_powers.Describes`` defines it."""
        return await self._looked(lambda session: described(session, self._find(session)))

    async def not_among(self, rows: Iterable[pa.RecordBatch]) -> list[pa.RecordBatch] | TryAgain:
        """The keys of the table's rows that none of these rows has, as ``table_powers.Mirrors`` defines it."""
        keys, zone = self._prepared[1].of_keys(), self._config.timezone
        columns = [column.fits for column in keys.columns]
        fitted = [
            readable(fit(key_values(batch, columns), columns, timezone=zone), keys.columns, timezone=zone).batch
            for batch in rows
        ]
        return await self._looked(lambda session: looking.not_among(session, keys, fitted))

    async def delete(self, batch: pa.RecordBatch) -> Answer:
        """Deletes a slice by one DELETE, as ``powers.Deletes`` defines it."""
        return await self._settled(partial(self._delete, batch))

    async def close(self) -> None:
        """Ends the session."""
        await self._link.close()

    async def _settled(self, act: Callable[[Session], _Found]) -> _Found | RequestRefused | TryAgain:
        session = await self._link.connected()
        if isinstance(session, TryAgain):
            return session
        try:
            return await self._link.run(act)
        except Refused as refused:
            if not refused.lost:
                self._in_doubt = None
            if (trouble := failures.trouble(refused)) is not None:
                await self._link.drop()
                return trouble
            if (fault := failures.rows_fault(refused)) is not None:
                return fault
            await self._link.drop()
            raise self._cannot(refused, session) from None
        except BaseException:
            await self._link.drop()
            raise

    async def _looked(self, act: Callable[[Session], _Found]) -> _Found | TryAgain:
        """What is found out without writing."""
        found = await self._settled(act)
        if isinstance(found, RequestRefused):
            raise self._cannot_write(found.why.message.rstrip("."), "Run the sync, which names the row.")
        return found

    async def _look(self) -> tuple[Table, Statements] | TryAgain:
        session = await self._link.connected()
        if isinstance(session, TryAgain):
            return session
        try:
            return await self._link.run(self._read)
        except Refused as refused:
            await self._link.drop()
            if (trouble := failures.trouble(refused)) is not None:
                return trouble
            raise self._cannot(refused, session) from None

    async def _look_at_columns(self) -> Sequence[str] | TryAgain:
        return await self._looked(self._usable_columns)

    def _usable_columns(self, session: Session) -> Sequence[str]:
        table = self._find(session)
        requirements.require_kind(table, where=self.name)
        return [*table.columns]

    def _read(self, session: Session) -> tuple[Table, Statements]:
        table = self._find(session)
        where, timezone = f"{self.name}: table {table.full}", self._config.timezone
        marks = marks_of(table.columns, self._rows, timezone=timezone, where=where, at=datetime.now(UTC))
        statements = requirements.statements(table, self._rows, self._columns, marks, where=self.name)
        self._require_rights(session, table, statements)
        return table, statements

    def _find(self, session: Session) -> Table:
        schema = self._config.schema_name.resolve()
        return requirements.find(session, schema, self._rows, self._columns, where=self.name)

    def _require_rights(self, session: Session, table: Table, statements: Statements) -> None:
        """Asks for nothing but does what a run does, with no rows: that way roles of roles count too."""
        lacking = [right for right, probe in statements.probes().items() if denied(session, probe)]
        temporary = not denied(session, MAKE_FILES) and not denied(session, statements.make_stage())
        if lacking or not temporary:
            staging = self._config.staging.resolve()
            raise DestinationRefusedError(
                f"{self.name}: role {session.role} lacks rights to write to table {table.full}.",
                hint=requirements.lacks_rights(lacking, table, staging, temporary=temporary, role=session.role),
            )

    def _write(self, batch: pa.RecordBatch, session: Session) -> Answer:
        piece = Slice(session, self._prepared[1], batch)
        doubt = self._in_doubt
        if doubt is not None and not doubt.numbers.equals(batch.column(ROW_NUMBER)):
            doubt = None
        if doubt is not None and doubt.query is not None and session.is_running(doubt.query):
            return TryAgain("the service has not ended the statement whose answer was lost")
        piece.stage()
        if doubt is not None:
            answer = piece.read_back(doubt.answer)
            if doubt.query is not None or answer == doubt.answer:
                self._in_doubt = None
                return answer
        doubt = self._in_doubt = _InDoubt(batch.column(ROW_NUMBER), piece.plan())
        doubt.query = session.start(self._prepared[1].merge())
        session.wait(doubt.query)
        answer = piece.read_back(doubt.answer)
        self._in_doubt = None
        return answer

    def _append(self, batch: pa.RecordBatch, note: Note, session: Session) -> Answer:
        piece = Slice(session, self._prepared[1], batch)
        piece.stage()
        note(_UNSTARTED, Accepted())
        try:
            query = session.start(self._prepared[1].insert())
            note(query, Accepted())
            session.wait(query)
        except Refused as refused:
            if not refused.lost:
                note(_FAILED, Accepted())
            raise
        return Accepted()

    @property
    def _gone(self) -> Statements:
        return self._prepared[1].of_gone()

    def _of_gone(self, batch: pa.RecordBatch) -> Fitted:
        """Rows that are gone, as they are staged."""
        gone, zone = self._gone, self._config.timezone
        key = self._prepared[1].of_keys().columns
        return readable(removed_rows(batch, key, gone.marks, timezone=zone), gone.columns, timezone=zone)

    def _delete(self, batch: pa.RecordBatch, session: Session) -> Answer:
        """What is deleted already is no row's fault: a lost answer needs no question."""
        fitted = self._of_gone(batch)
        piece = Slice(session, self._gone, fitted.batch)
        piece.stage()
        answer = piece.delete()
        if not fitted.kept_back:
            return answer
        # A key that the table's type cannot hold is of no row; it is null there, and no row is deleted for it.
        places = {number: place for place, number in enumerate(batch.column(ROW_NUMBER).to_pylist())}
        kept = [Refusal(places[row], each.why) for each in fitted.kept_back for row in each.rows.to_pylist()]
        return Accepted(tuple(sorted({*answer.refusals, *kept})), answer.excluded)

    def _cannot(self, refused: Refused, session: Session) -> DestinationRefusedError:
        what, hint = failures.lasting(refused, role=session.role, warehouse=session.warehouse)
        return self._cannot_write(what, hint)


def _fate(query: str, session: Session) -> Fate | TryAgain:
    try:
        if session.is_running(query):
            return TryAgain("the service has not ended the statement whose answer was lost")
    except Refused as refused:
        if refused.lost:
            raise
        return Fate.NOT_WRITTEN
    return Fate.WRITTEN
