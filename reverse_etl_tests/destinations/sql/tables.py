"""A real database with tables to write to, and rows delivered to them as a run does."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

import pyarrow as pa

from reverse_etl.changeset.parts import Outcomes, Parts, with_row_numbers
from reverse_etl.delivery.deliver import Delivered, deliver
from reverse_etl.delivery.settling import Progress
from reverse_etl.destinations.tables import TableDestination
from reverse_etl.pacing.retry import Patience, RetryPolicy
from reverse_etl.report import FailedRow, Outcome
from reverse_etl_tests.destinations.scripted import FastClock


class Prepared(TableDestination, Protocol):
    """A destination that looks at its table before the first row."""

    async def prepare(self) -> None:
        """Raises what is wrong."""
        ...


class SqlServer(ABC):
    """A database of one engine, empty at the start of each test.

    Attributes:
        port: Where the destination connects to; a relay's, in tests of the network.
        kind: The destination's ``type``.
        database: Its name.
        user: Who writes, with ``password``, which the environment variable ``password_variable`` holds.
        ca_file: The authority of its certificate, which is for ``localhost``.
    """

    port: int
    kind: ClassVar[str]
    database: ClassVar[str]
    user: ClassVar[str]
    password: ClassVar[str]
    password_variable: ClassVar[str]

    @property
    @abstractmethod
    def ca_file(self) -> Path:
        """As above."""

    @abstractmethod
    def run(self, sql: str) -> None:
        """Runs statements as whoever owns the tables."""

    @abstractmethod
    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query, likewise."""

    @abstractmethod
    def config(self, **settings: Any) -> Any:
        """The entry ``crm`` of ``destinations``, with these settings besides."""

    @abstractmethod
    def open(
        self, rows: dict[str, Any], columns: Sequence[str], patience: Patience, **settings: Any
    ) -> AbstractAsyncContextManager[Prepared]:
        """The destination, with the ``rows`` section of a sync and settings of its entry in ``connections.yaml``."""


@dataclass(slots=True)
class Delivery:
    """Rows in a folder, delivered to a table as often as a test likes.

    Attributes:
        outcomes: One a row.
        time: The clock of retries; nothing sleeps.
        rows: The ``rows`` section of the sync.
    """

    server: SqlServer
    folder: Path
    batches: Iterable[pa.RecordBatch]
    rows: dict[str, Any]
    settings: dict[str, Any] = field(default_factory=dict)
    parts: Parts = field(init=False)
    outcomes: Outcomes = field(init=False)
    count: int = field(init=False)
    time: FastClock = field(default_factory=FastClock)

    def __post_init__(self) -> None:
        """Stores the rows, a part for each batch."""
        self.parts = Parts(self.folder / "rows", "rows")
        self.count = self.parts.write(with_row_numbers(self.batches))
        self.outcomes = self.parts.outcomes(self.count)

    def deliver(
        self,
        *,
        policy: RetryPolicy | None = None,
        progress: Progress | None = None,
        around: Callable[[Prepared], Awaitable[None]] | None = None,
    ) -> Delivered:
        """Delivers the rows without an outcome; ``around`` is called once the table is prepared."""
        schema = self.parts.schema()
        assert schema is not None
        clock = self.time.clock()
        patience = Patience(policy or RetryPolicy(), name="destination crm", clock=clock)

        async def run() -> Delivered:
            async with self.server.open(self.rows, schema.names, patience, **self.settings) as destination:
                await destination.prepare()
                if around is not None:
                    await around(destination)
                return await deliver(
                    self.parts, self.outcomes, destination, progress=progress, patience=patience, clock=clock
                )

        return asyncio.run(run())

    def numbers(self, outcome: Outcome) -> list[int]:
        """The row numbers with an outcome, as the ledger on disk has it."""
        stored = self.parts.outcomes(self.count).tolist()
        assert stored == self.outcomes.tolist()
        return [number for number, each in enumerate(stored, 1) if each == outcome]

    def failed(self) -> list[FailedRow]:
        """The failed rows on disk."""
        return list(self.parts.failed())

    def reasons(self) -> dict[int, tuple[str, str]]:
        """Reason and field of each failed row."""
        return {row.row_number: (row.why.reason, row.why.field) for row in self.failed()}


def delivered(server: SqlServer, folder: Path, columns: dict[str, Any] | pa.RecordBatch, **rows: Any) -> Delivery:
    """One delivery of columns to a table, which is ``customers`` and identified by ``id`` if not said otherwise."""
    settings = rows.pop("settings", {})
    batch = columns if isinstance(columns, pa.RecordBatch) else pa.RecordBatch.from_pydict(columns)
    section = {"table": "customers", "identify_by": "id"} | rows
    delivery = Delivery(server, folder, [batch], section, settings)
    delivery.deliver()
    return delivery
