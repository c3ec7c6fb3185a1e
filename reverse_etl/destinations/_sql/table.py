"""What every database does alike on the way into a table: what is asked of the server is the engine's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import pyarrow as pa

from reverse_etl.destinations._sql import requirements
from reverse_etl.destinations._sql.fit import fit, identifiers
from reverse_etl.destinations._sql.kind import at_address
from reverse_etl.errors import DestinationRefusedError
from reverse_etl.sources import free_at_once

if TYPE_CHECKING:
    from reverse_etl.destinations._sql.columns import TableColumn
    from reverse_etl.destinations._sql.config import Rows, TableTarget
    from reverse_etl.destinations.base import TryAgain
    from reverse_etl.destinations.tables import Fitted
    from reverse_etl.pacing.retry import Patience


class Statements(Protocol):
    """The SQL of one table, as far as rows are made to fit it."""

    @property
    def columns(self) -> Sequence[TableColumn]:
        """Those that are written."""
        ...

    @property
    def keeps_when_empty(self) -> bool:
        """Whether NULL and '' keep what is there."""
        ...


_Config = TypeVar("_Config", bound="TableTarget")
_Table = TypeVar("_Table")
_Statements = TypeVar("_Statements", bound=Statements)


class SqlTable(ABC, Generic[_Config, _Table, _Statements]):
    """A ``destinations.tables.TableDestination`` but for ``write``, and a ``powers.Deletes`` but for ``delete``.

    An engine that has ``append`` and ``fate`` besides is a ``powers.Appends``.

    Args:
        config: The server.
        rows: What becomes of the rows.
        columns: Those of the rows, as they were read.
        patience: The run's retry budget.
    """

    def __init__(self, config: _Config, rows: Rows, columns: Sequence[str], *, patience: Patience) -> None:
        self.name, self.kind = config.label, config.type
        self.recipient = at_address(config)
        self.rows_per_transaction = config.rows_per_transaction
        self.deletes = rows.when_gone is not None
        self.appends = rows.write == "append"
        self._config = config
        self._rows = rows
        self._columns = requirements.written_columns(columns, rows)
        self._patience = patience
        self._found: tuple[_Table, _Statements] | None = None

    async def prepare(self) -> None:
        """Makes sure, before the first row, that the table can take what the sync writes.

        Raises:
            UnauthorizedError: The credentials are refused.
            DestinationUnavailableError: The server does not answer.
            DestinationRefusedError: It cannot be verified, or the user lacks a right.
            ConfigError: There is no such table, or it cannot take what the query returns.
        """
        self._found = await self._patience.until_settled(self._look)

    async def look_ahead(self, names: Sequence[str] | None, *, any_case: Collection[str] = ()) -> None:
        """The same of rows that are not read yet, as ``table_powers.LooksAhead`` defines it."""
        there = await self._patience.until_settled(self._look_at_columns)
        if names is None:
            requirements.require_key(there, self._rows, where=f"{self.name}: table {self._rows.table}")
            return
        spelled = {name.lower(): name for name in (*reversed(there), *self._rows.identify_by)}
        meant = [spelled.get(name.lower(), name) if name in any_case else name for name in names]
        self._columns = requirements.written_columns(meant, self._rows)
        await self.prepare()

    def identifiers(self, batch: pa.RecordBatch) -> pa.StringArray:
        """Each row's key, of several columns with a comma between them."""
        return identifiers(batch, self._rows.identify_by)

    def fit(self, batch: pa.RecordBatch) -> Fitted:
        """Converts a batch to the table's types, and names the rows that do not fit."""
        statements = self._prepared[1]
        return fit(
            batch,
            [column.fits for column in statements.columns],
            timezone=self._config.timezone,
            keeps_when_empty=statements.keeps_when_empty,
        )

    @abstractmethod
    async def close(self) -> None:
        """Closes the connection."""

    @abstractmethod
    async def _look(self) -> tuple[_Table, _Statements] | TryAgain:
        """The table, as the server has it now, and what is run for each slice."""

    @abstractmethod
    async def _look_at_columns(self) -> Sequence[str] | TryAgain:
        """The names of the table's columns; raises as ``prepare`` where no sync could write to such a table."""

    @property
    def _prepared(self) -> tuple[_Table, _Statements]:
        if self._found is None:
            raise RuntimeError("prepare comes first")
        return self._found

    def _cannot_write(self, what: str, hint: str) -> DestinationRefusedError:
        return DestinationRefusedError(
            f"{self.name}: rows cannot be written to table {self._rows.table}: {what}.", hint=hint
        )


_Opened = TypeVar("_Opened", bound="SqlTable[Any, Any, Any]")


@asynccontextmanager
async def opened(table: _Opened) -> AsyncIterator[_Opened]:
    """A table, closed at the end."""
    free_at_once()
    try:
        yield table
    finally:
        await table.close()
