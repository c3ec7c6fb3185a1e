"""One sync's way into one table of PostgreSQL: a slice of rows is one transaction.

What is written is counted after COMMIT alone; where the answer to COMMIT is lost, the server is asked what became of
the transaction. What happens in between is in ``transaction``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import psycopg
import pyarrow as pa

from reverse_etl.changeset.parts import ROW_NUMBER
from reverse_etl.destinations._sql import requirements as shared
from reverse_etl.destinations._sql.fit import fit, key_values
from reverse_etl.destinations._sql.table import SqlTable
from reverse_etl.destinations.base import Accepted, Answer, Refusal, RequestRefused, TryAgain
from reverse_etl.destinations.postgres import catalogue, failures, requirements
from reverse_etl.destinations.postgres.catalogue import Table
from reverse_etl.destinations.postgres.config import Config
from reverse_etl.destinations.postgres.connection import Link
from reverse_etl.destinations.postgres.statements import Statements
from reverse_etl.destinations.postgres.transaction import Transaction
from reverse_etl.destinations.powers import Fate, Note
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


class PostgresTable(SqlTable[Config, Table, Statements]):
    """A table of PostgreSQL."""

    def __init__(self, config: Config, rows: Rows, columns: Sequence[str], *, patience: Patience) -> None:
        super().__init__(config, rows, columns, patience=patience)
        self._link = Link(config)
        self._in_doubt: _InDoubt | None = None

    async def write(self, batch: pa.RecordBatch) -> Answer:
        """Writes a slice in one transaction, as ``TableDestination`` defines it."""
        return await self._settled(batch, self._prepared[1], Transaction.write)

    async def append(self, batch: pa.RecordBatch, *, token: str, note: Note) -> Answer:  # noqa: ARG002 - it has a number
        """Adds a slice in one transaction, as ``powers.Appends`` defines it."""
        return await self._settled(batch, self._prepared[1], Transaction.write, note)

    async def fate(self, mark: str) -> Fate | TryAgain:
        """What the server says of a transaction."""
        connection = await self._link.connected()
        if isinstance(connection, TryAgain):
            return connection
        try:
            return await self._status(connection, mark)
        except psycopg.Error as error:
            await self._link.drop()
            if (trouble := failures.trouble(error, lost=connection.broken)) is not None:
                return trouble
            raise self._cannot(error) from None

    async def delete(self, batch: pa.RecordBatch) -> Answer:
        """Deletes a slice in one transaction, as ``powers.Deletes`` defines it."""
        keys = self._prepared[1].of_keys()
        columns = [column.fits for column in keys.columns]
        fitted = fit(key_values(batch, columns), columns, timezone=self._config.timezone)
        answer = await self._settled(fitted.batch, keys, Transaction.delete)
        if not fitted.kept_back or not isinstance(answer, Accepted):
            return answer
        # A key that the table's type cannot hold is of no row; it is null there, and no row is deleted for it.
        places = {number: place for place, number in enumerate(batch.column(ROW_NUMBER).to_pylist())}
        kept = [Refusal(places[row], each.why) for each in fitted.kept_back for row in each.rows.to_pylist()]
        return Accepted(tuple(sorted({*answer.refusals, *kept})), answer.excluded)

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
        user = self._link.user
        return table, requirements.statements(table, self._rows, self._columns, where=self.name, user=user)

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
        """What became of the transaction in doubt; None where it was rolled back: the slice is written again."""
        fate = await self._status(connection, doubt.transaction)
        if isinstance(fate, TryAgain):
            return fate
        self._in_doubt = None
        return doubt.answer if fate is Fate.WRITTEN else None

    async def _status(self, connection: psycopg.AsyncConnection[Any], transaction: str) -> Fate | TryAgain:
        try:
            cursor = await connection.execute("SELECT pg_xact_status(%s::xid8)", [transaction])
        except psycopg.errors.InvalidParameterValue:
            # A standby took over before it had the transaction.
            return Fate.NOT_WRITTEN
        (status,) = await cursor.fetchone() or (None,)
        if status == "in progress":
            return TryAgain("the server has not ended the transaction whose COMMIT had no answer")
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
        transaction = Transaction(connection, self._prepared[0], statements)
        number = await transaction.begin(batch.schema, self._settings)
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
