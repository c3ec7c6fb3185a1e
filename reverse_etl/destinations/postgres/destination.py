"""One sync's way into one table of PostgreSQL: a slice of rows is one transaction.

What is written is counted after COMMIT alone; where the answer to COMMIT is lost, the server is asked what became of
the transaction. What happens in between is in ``transaction``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import psycopg
import pyarrow as pa

from reverse_etl.changeset.parts import ROW_NUMBER
from reverse_etl.destinations._sql import requirements as shared
from reverse_etl.destinations._sql.fit import fit, key_values
from reverse_etl.destinations._sql.marks import marks_of, removed_rows
from reverse_etl.destinations._sql.table import SqlTable
from reverse_etl.destinations.base import Accepted, Answer, Refusal, RequestRefused, TryAgain
from reverse_etl.destinations.postgres import catalogue, failures, requirements
from reverse_etl.destinations.postgres.catalogue import Table
from reverse_etl.destinations.postgres.config import Config
from reverse_etl.destinations.postgres.connection import Link
from reverse_etl.destinations.postgres.listing import described
from reverse_etl.destinations.postgres.stage import schema_of
from reverse_etl.destinations.postgres.statements import Statements
from reverse_etl.destinations.postgres.suspects import Suspects, suspects
from reverse_etl.destinations.postgres.transaction import Transaction
from reverse_etl.destinations.powers import Fate, Note
from reverse_etl.destinations.table_powers import Described, Effects, LookedUp
from reverse_etl.destinations.tables import Fitted
from reverse_etl.errors import DestinationRefusedError
from reverse_etl.sources.postgres.errors import condition

if TYPE_CHECKING:
    from reverse_etl.destinations._sql.config import Rows
    from reverse_etl.pacing.retry import Patience


@dataclass(frozen=True, slots=True)
class _InDoubt:
    """A transaction whose COMMIT has no answer, and what it is if it was committed."""

    transaction: str
    answer: Accepted


_Act: TypeAlias = Callable[[Transaction, pa.RecordBatch], Awaitable[Accepted]]
"""What becomes of a slice within its transaction."""
_Found = TypeVar("_Found")


class PostgresTable(SqlTable[Config, Table, Statements]):
    """A table of PostgreSQL."""

    def __init__(self, config: Config, rows: Rows, columns: Sequence[str], *, patience: Patience) -> None:
        super().__init__(config, rows, columns, patience=patience)
        self._link = Link(config)
        self._in_doubt: _InDoubt | None = None
        self._suspects: Suspects | None = None

    async def write(self, batch: pa.RecordBatch) -> Answer:
        """Writes a slice in one transaction, as ``TableDestination`` defines it."""
        return await self._settled(batch, self._prepared[1], Transaction.write)

    async def append(self, batch: pa.RecordBatch, *, token: str, note: Note) -> Answer:  # noqa: ARG002 - it has a number
        """Adds a slice in one transaction, as ``powers.Appends`` defines it."""
        return await self._settled(batch, self._prepared[1], Transaction.write, note)

    async def fate(self, mark: str) -> Fate | TryAgain:
        """What the server says of a transaction."""
        return await self._asked(partial(self._status, mark=mark))

    async def delete(self, batch: pa.RecordBatch) -> Answer:
        """Deletes a slice in one transaction, as ``powers.Deletes`` defines it."""
        keys, fitted = self._keys(batch)
        answer = await self._settled(fitted.batch, keys, Transaction.delete)
        if not fitted.kept_back or not isinstance(answer, Accepted):
            return answer
        # A key that the table's type cannot hold is of no row; it is null there, and no row is deleted for it.
        places = {number: place for place, number in enumerate(batch.column(ROW_NUMBER).to_pylist())}
        kept = [Refusal(places[row], each.why) for each in fitted.kept_back for row in each.rows.to_pylist()]
        return Accepted(tuple(sorted({*answer.refusals, *kept})), answer.excluded)

    async def effects(self, batch: pa.RecordBatch) -> Effects | TryAgain:
        """What ``write`` would do with a slice, as ``table_powers.Foresees`` defines it."""
        return await self._looked(batch, self._prepared[1], Transaction.effects)

    async def effects_of_delete(self, batch: pa.RecordBatch) -> Effects | TryAgain:
        """What ``delete`` would do with a slice, likewise."""
        keys, fitted = self._keys(batch)
        return await self._looked(fitted.batch, keys, Transaction.effects_of_delete)

    async def row_count(self) -> int | TryAgain:
        """How many rows the table has."""
        return await self._asked(self._count)

    async def describe(self) -> Described | TryAgain:
        """The table, as ``table_powers.Describes`` defines it."""
        return await self._asked(self._describe)

    async def _describe(self, connection: psycopg.AsyncConnection[Any]) -> Described:
        return await described(connection, await self._find(connection))

    async def _count(self, connection: psycopg.AsyncConnection[Any]) -> int:
        cursor = await connection.execute(f"SELECT count(*) FROM {self._prepared[1].table}")
        (count,) = await cursor.fetchone() or (0,)
        return int(count)

    def _keys(self, batch: pa.RecordBatch) -> tuple[Statements, Fitted]:
        """A slice of rows that are gone as it is staged, and the statements for it."""
        statements = self._prepared[1]
        key = statements.of_keys().columns
        return statements.of_gone(), removed_rows(batch, key, statements.marks, timezone=self._config.timezone)

    async def not_among(self, rows: Iterable[pa.RecordBatch]) -> list[pa.RecordBatch] | TryAgain:
        """The keys of the table's rows that none of these rows has, as ``table_powers.Mirrors`` defines it."""
        keys = self._prepared[1].of_keys()
        columns = [column.fits for column in keys.columns]
        names = [column.name for column in columns]
        fitted = [fit(key_values(batch, columns), columns, timezone=self._config.timezone).batch for batch in rows]

        async def ask(connection: psycopg.AsyncConnection[Any]) -> list[pa.RecordBatch]:
            transaction = Transaction(connection, self._prepared[0], keys)
            await transaction.begin(schema_of(fitted, names), self._settings)
            found = await transaction.not_among(fitted, names)
            await connection.execute("ROLLBACK")
            return found

        return await self._asked(ask)

    async def look_up(self, batch: pa.RecordBatch, stream: str) -> LookedUp | TryAgain:  # noqa: ARG002 - it has one
        """What the table has of rows, as ``table_powers.LooksUp`` defines it."""
        return await self._looked(self.fit(batch).batch, self._prepared[1], Transaction.look_up)

    async def _looked(
        self,
        batch: pa.RecordBatch,
        statements: Statements,
        look: Callable[[Transaction, pa.RecordBatch], Awaitable[_Found]],
    ) -> _Found | TryAgain:
        """What is found in a transaction that is rolled back."""

        async def ask(connection: psycopg.AsyncConnection[Any]) -> _Found:
            transaction = Transaction(connection, self._prepared[0], statements)
            await transaction.begin(batch.schema, self._settings)
            found = await look(transaction, batch)
            await connection.execute("ROLLBACK")
            return found

        return await self._asked(ask)

    async def _asked(self, ask: Callable[[psycopg.AsyncConnection[Any]], Awaitable[_Found]]) -> _Found | TryAgain:
        """What is found on the connection, where nothing is written."""
        connection = await self._link.connected()
        if isinstance(connection, TryAgain):
            return connection
        try:
            return await ask(connection)
        except psycopg.Error as error:
            lost = connection.broken
            await self._link.drop()
            if (trouble := failures.trouble(error, lost=lost)) is not None:
                return trouble
            raise self._cannot(error) from None
        except BaseException:
            await self._link.drop()
            raise

    async def _settled(
        self, batch: pa.RecordBatch, statements: Statements, act: _Act, note: Note | None = None
    ) -> Answer:
        connection = await self._link.connected()
        if isinstance(connection, TryAgain):
            return connection
        try:
            settled = await self._resolve(connection, self._in_doubt) if self._in_doubt is not None else None
            return settled if settled is not None else await self._transact(connection, batch, statements, act, note)
        except psycopg.Error as error:
            lost = connection.broken or (isinstance(error, psycopg.OperationalError) and not error.sqlstate)
            await self._link.drop()
            if (trouble := failures.trouble(error, lost=lost)) is not None:
                return trouble
            if failures.is_a_rows_fault(error.sqlstate or "", self._prepared[0]):
                refusal = failures.refusal(0, error.sqlstate or "", constraint="", column="", table=self._prepared[0])
                return RequestRefused(refusal.why)
            raise self._cannot(error) from None
        except BaseException:
            await self._link.drop()
            raise

    async def close(self) -> None:
        """Closes the connection."""
        await self._link.close()

    async def _look(self) -> tuple[Table, Statements] | TryAgain:
        connection = await self._link.connected()
        if isinstance(connection, TryAgain):
            return connection
        try:
            table = await self._find(connection)
        except psycopg.Error as error:
            await self._link.drop()
            if (trouble := failures.trouble(error, lost=connection.broken)) is not None:
                return trouble
            raise self._cannot(error) from None
        if table.read_only:
            await self._link.drop()
            return TryAgain("the server only reads: it is a standby", hint="Name the primary server as `host`.")
        where = f"{self.name}: table {table.schema}.{table.name}"
        timezone, at = self._config.timezone, datetime.now(UTC)
        marks = marks_of(table.columns, self._rows, timezone=timezone, where=where, at=at)
        user = self._link.user
        statements = requirements.statements(table, self._rows, self._columns, marks, where=self.name, user=user)
        if statements.merges:
            found = await self._asked(partial(suspects, statements=statements))
            if isinstance(found, TryAgain):
                return found
            self._suspects = found
        return table, statements

    async def _look_at_columns(self) -> Sequence[str] | TryAgain:
        return await self._asked(self._usable_columns)

    async def _usable_columns(self, connection: psycopg.AsyncConnection[Any]) -> Sequence[str]:
        table = await self._find(connection)
        requirements.require_kind(table, where=self.name)
        return [*table.columns]

    async def _find(self, connection: psycopg.AsyncConnection[Any]) -> Table:
        places = shared.places(self._config.schema_name, self._rows.table)
        for schema, name in places:
            table = await catalogue.table(connection, schema, name, key=self._rows.identify_by)
            if table is not None:
                return table
        schema, name = places[-1]
        known = await catalogue.table_names(connection, schema)
        raise shared.no_table(("schema", schema), name, known, where=self.name)

    async def _resolve(self, connection: psycopg.AsyncConnection[Any], doubt: _InDoubt) -> Answer | None:
        """What became of the transaction in doubt; None where it may not be there: the slice is written again."""
        fate = await self._status(connection, doubt.transaction)
        if isinstance(fate, TryAgain):
            return fate
        self._in_doubt = None
        return doubt.answer if fate is Fate.WRITTEN else None

    async def _status(self, connection: psycopg.AsyncConnection[Any], mark: str) -> Fate | TryAgain:
        if self._link.is_standby:
            # It may not have what the primary server has.
            await self._link.drop()
            return TryAgain("the server only reads: it is a standby now", hint="Name the primary server as `host`.")
        timeline, _, transaction = mark.rpartition("/")
        try:
            cursor = await connection.execute("SELECT pg_xact_status(%s::xid8)", [transaction])
        except psycopg.errors.InvalidParameterValue:
            # A standby took over before it had the transaction.
            return Fate.NOT_WRITTEN
        (status,) = await cursor.fetchone() or (None,)
        if status == "in progress":
            return TryAgain("the server has not ended the transaction whose COMMIT had no answer")
        if status == "committed" and timeline != self._link.timeline:
            # A standby took over: the number may be that of another transaction.
            return Fate.UNKNOWN
        # NULL: so long ago that the server forgot.
        return {"committed": Fate.WRITTEN, "aborted": Fate.NOT_WRITTEN}.get(str(status), Fate.UNKNOWN)

    async def _transact(
        self,
        connection: psycopg.AsyncConnection[Any],
        batch: pa.RecordBatch,
        statements: Statements,
        act: _Act,
        note: Note | None,
    ) -> Answer:
        transaction = Transaction(connection, self._prepared[0], statements, self._suspects)
        number = f"{self._link.timeline}/{await transaction.begin(batch.schema, self._settings)}"
        answer = await act(transaction, batch)
        if note is None:
            self._in_doubt = _InDoubt(number, answer)
        else:
            note(number, answer)
        await connection.execute("COMMIT")
        self._in_doubt = None
        return answer

    @property
    def _settings(self) -> dict[str, str]:
        lock_ms = round(self._config.lock_timeout.total_seconds() * 1000)
        return {"lock_timeout": f"{lock_ms}ms", "TimeZone": self._config.timezone}

    def _cannot(self, error: psycopg.Error) -> DestinationRefusedError:
        state = error.sqlstate or ""
        what = f"{condition(state)} ({state})" if state else "the driver failed"
        return self._cannot_write(what, "Look into the server's log, which has the whole message.")
