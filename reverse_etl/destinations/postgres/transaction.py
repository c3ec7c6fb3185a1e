"""One slice of rows, written in one transaction: the stage, the statement, and the rows that the database refuses.

The slice is copied into a temporary stage and written in one statement. Where that fails for a row's sake, one block
on the server writes row by row and names each row that fails; it costs the same whatever their number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import psycopg
import pyarrow as pa
from psycopg import sql

from reverse_etl.destinations._sql.looked_up import looked_up
from reverse_etl.destinations._sql.refusals import reasons_of, refusal
from reverse_etl.destinations.base import Accepted, Refusal
from reverse_etl.destinations.left_out import left_out_by
from reverse_etl.destinations.postgres import failures
from reverse_etl.destinations.postgres.binary import HEADER, TRAILER, encoded
from reverse_etl.destinations.postgres.blocks import write_each, write_one_by_one
from reverse_etl.destinations.postgres.statements import INDEX_STAGE, MAKE_BAD, NOT_APPLIED, READ_BAD, STAGE, Statements
from reverse_etl.destinations.postgres.suspects import TAKE_UP, set_apart
from reverse_etl.destinations.table_powers import Effects

if TYPE_CHECKING:
    from reverse_etl.destinations.postgres.catalogue import Table
    from reverse_etl.destinations.postgres.suspects import Suspects
    from reverse_etl.destinations.table_powers import LookedUp

_TWICE: Final = ("21000", "23505")
"""A key is twice in a slice: of a row that there is, and, for MERGE, of a new one."""

_SAVEPOINT: Final = "reverse_etl"
_CURSOR: Final = "reverse_etl_keys"
_FETCHED_ROWS: Final = 10_000


class Transaction:
    """A transaction in progress; its beginner commits it, or gives the connection up.

    Args:
        connection: In autocommit mode, outside of a transaction.
        table: What is in the catalogue.
        statements: Those for the table.
        suspects: How rows are found that it will refuse; None where they cannot be.
    """

    _batch: pa.RecordBatch
    """What was staged last."""

    def __init__(
        self,
        connection: psycopg.AsyncConnection[Any],
        table: Table,
        statements: Statements,
        suspects: Suspects | None = None,
    ) -> None:
        self._connection = connection
        self._table = table
        self._statements = statements
        self._suspects = suspects
        self._types: Sequence[pa.DataType] = ()

    async def begin(self, schema: pa.Schema, settings: Mapping[str, str]) -> str:
        """Begins it with an empty stage for rows of these types, and gives its number.

        Args:
            schema: As ``fit`` gives it.
            settings: Of the session, for as long as the transaction lasts: a pooler hands none of them on.
        """
        self._types = [schema.field(at).type for at in range(len(self._statements.columns))]
        # Compiling a statement takes longer than a slice.
        texts = {**settings, "DateStyle": "ISO, YMD", "client_min_messages": "error", "jit": "off"}
        steps = [
            "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
            *(f"SET LOCAL {name} = {self._literal(value)}" for name, value in texts.items()),
            # Otherwise a deferred constraint fails at COMMIT, for all rows.
            "SET CONSTRAINTS ALL IMMEDIATE",
            self._statements.make_stage(schema),
            *([MAKE_BAD] if self._statements.finds_swallowed else []),
            "SELECT pg_current_xact_id()::text",
        ]
        try:
            cursor = await self._run("; ".join(steps))
        except psycopg.errors.FeatureNotSupported:
            # READ WRITE is what a standby does not support; later statements fail there with this class.
            raise psycopg.errors.ReadOnlySqlTransaction from None
        while cursor.nextset():
            pass
        (number,) = await cursor.fetchone() or ("",)
        return str(number)

    async def write(self, batch: pa.RecordBatch) -> Accepted:
        """Writes the rows, and gives those that are refused or left out; all others are in the table.

        Raises:
            psycopg.Error: It failed, and not for the sake of rows that can be named: nothing is written.
        """
        statements = self._statements
        await self._stage(batch)
        refusals: list[Refusal] = []
        excluded: list[int] = []
        if not statements.finds_twice or statements.leaves_out:
            await self._run(INDEX_STAGE)
            refusals += await self._take_ambiguous()
        if statements.leaves_out:
            excluded = [place for (place,) in await self._fetch(statements.take_left_out())]
        refusals += await self._write_rows()
        return Accepted(tuple(sorted(refusals)), left_out_by(statements.write, excluded))

    async def look_up(self, batch: pa.RecordBatch) -> LookedUp:
        """What the table has of a slice. Raises psycopg.Error."""
        await self._stage(batch)
        return looked_up(await self._fetch(self._statements.look_up()), self._statements.compared, batch.num_rows)

    async def effects(self, batch: pa.RecordBatch) -> Effects:
        """What ``write`` would do, as far as constraints and triggers do not decide it. Raises psycopg.Error."""
        statements = self._statements
        if statements.write == "append":
            return Effects(inserts=batch.num_rows)
        await self._stage(batch)
        await self._run(INDEX_STAGE)
        ambiguous = await self._take_ambiguous()
        refused = len(ambiguous)
        left_out = len(await self._fetch(statements.take_left_out())) if statements.leaves_out else 0
        ((there, updates),) = await self._fetch(statements.count_rows())
        inserts = batch.num_rows - refused - left_out - there
        reasons = reasons_of(ambiguous)
        return Effects(inserts, updates, there - updates, left_out=left_out, refused=refused, refused_by=reasons)

    async def effects_of_delete(self, batch: pa.RecordBatch) -> Effects:
        """What ``delete`` would do, likewise."""
        await self._stage(batch)
        await self._run(INDEX_STAGE)
        return Effects(deletes=len(await self._fetch(self._statements.still_there())))

    async def not_among(self, keys: Iterable[pa.RecordBatch], names: Sequence[str]) -> list[pa.RecordBatch]:
        """The keys, as text, of the table's rows that none of these have, likewise.

        Args:
            keys: As ``fit`` gives them.
            names: What the columns of the key are called.
        """
        for batch in keys:
            await self._stage(batch)
        await self._run(f"ANALYZE {STAGE}")
        found = []
        async with self._connection.cursor(name=_CURSOR) as cursor:
            await cursor.execute(self._statements.not_among())
            while rows := await cursor.fetchmany(_FETCHED_ROWS):
                columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
                found.append(pa.RecordBatch.from_arrays(columns, names=[*names]))
        return found

    async def delete(self, batch: pa.RecordBatch) -> Accepted:
        """Deletes the rows with these keys, and gives those that a trigger kept; all others are not in the table.

        Raises:
            psycopg.Error: It failed: nothing is deleted.
        """
        await self._stage(batch)
        await self._run(self._statements.delete_rows())
        left = await self._fetch(self._statements.still_there()) if self._statements.finds_swallowed else []
        return Accepted(
            tuple(
                failures.refusal(place, NOT_APPLIED, constraint="", column="", table=self._table) for (place,) in left
            )
        )

    async def _stage(self, batch: pa.RecordBatch) -> None:
        self._batch = batch
        columns = [batch.column(at).cast(kind) for at, kind in enumerate(self._types)]
        places = pa.array(np.arange(batch.num_rows, dtype=np.int32))
        rows = pa.RecordBatch.from_arrays([*columns, places], names=[*map(str, range(len(columns))), "place"])
        async with self._connection.cursor() as cursor, cursor.copy(self._statements.fill_stage()) as copy:
            await copy.write(HEADER)
            for some in encoded(rows):
                await copy.write(some)
            await copy.write(TRAILER)

    async def _take_ambiguous(self) -> list[Refusal]:
        key = [column.fits.name for column in self._statements.columns if column.fits.key]
        found = await self._fetch(self._statements.take_ambiguous())
        return [refusal(place, reason, key) for place, reason in found]

    async def _write_rows(self) -> list[Refusal]:
        """Writes the stage, and gives the rows that the database refuses."""
        await self._run(f"SAVEPOINT {_SAVEPOINT}")
        suspects = self._suspects
        looked = suspects is not None and suspects.expected
        if suspects is not None and looked and (refused := await self._write_apart(suspects)) is not None:
            return refused
        try:
            written = await self._run(self._statements.write_rows())
        except psycopg.Error as error:
            if not failures.is_a_rows_fault(error.sqlstate or "", self._table):
                raise
            await self._run(f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}")
            if suspects is not None and not looked and (refused := await self._write_apart(suspects)) is not None:
                return refused
            return await self._write_each(error.sqlstate or "")
        if self._statements.write == "append" and written.rowcount < self._batch.num_rows:
            await self._run(f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}")
            return await self._write_each(NOT_APPLIED)
        return await self._bad() if self._statements.finds_swallowed else []

    async def _write_apart(self, suspects: Suspects) -> list[Refusal] | None:
        """Writes the rows that a constraint will refuse one by one, and first the others; None where that fails."""
        if not suspects.can_be_apart(self._batch):
            return None
        try:
            found = await self._run(suspects.query)
            while found.description is None:
                found.nextset()
            places = suspects.places(await found.fetchall(), self._batch)
            if places:
                await self._run(f"{set_apart(places)}; {self._statements.write_rows()}")
        except psycopg.Error as error:
            if failures.trouble(error, lost=self._connection.broken) is not None:
                raise
            places = []
        if not places:
            await self._run(f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}")
            return None
        await self._run(f"{TAKE_UP}; {INDEX_STAGE}; {MAKE_BAD}")
        body = write_one_by_one(self._statements, not_a_rows_fault=failures.not_a_rows_fault(self._table))
        await self._run(f"DO LANGUAGE plpgsql {self._literal(body)}")
        return await self._bad()

    async def _write_each(self, state: str) -> list[Refusal]:
        """Writes the stage again, row by row within the server, after a row of it failed."""
        statements = self._statements
        refusals = []
        if statements.finds_twice and statements.write == "add_and_update":
            await self._run(INDEX_STAGE)
            refusals = await self._take_ambiguous()
        if state in _TWICE and refusals:
            return refusals + await self._write_rows()
        if not statements.finds_swallowed:
            await self._run(MAKE_BAD)
        body = write_each(statements, not_a_rows_fault=failures.not_a_rows_fault(self._table))
        await self._run(f"DO LANGUAGE plpgsql {self._literal(body)}")
        return refusals + await self._bad()

    async def _bad(self) -> list[Refusal]:
        return [
            failures.refusal(place, state, constraint=constraint or "", column=column or "", table=self._table)
            for place, state, constraint, column in await self._fetch(READ_BAD)
        ]

    async def _fetch(self, query: str) -> list[tuple[Any, ...]]:
        return await (await self._run(query)).fetchall()

    async def _run(self, statement: str) -> psycopg.AsyncCursor[Any]:
        return await self._connection.execute(statement)

    def _literal(self, text: str) -> str:
        return sql.Literal(text).as_string(self._connection)
