"""The rows that failed in earlier runs and are read again by their identifiers, as ``failed_rows: carry`` asks.

    <home>/carried/<sync>/<run id>.parquet      columns query, identifier, attempt; each pair of the first two once

They are a private file, for identifiers are row values. Which run's file holds is remembered with last sync time, in
one transaction; a file never changes. Decision: docs/decisions/0017-carried-rows.md.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reverse_etl.changeset.again import RowsAgain, wanted_database
from reverse_etl.changeset.columns import is_one_of
from reverse_etl.errors import StateError
from reverse_etl.files.private import make_private_folder, whole_file

if TYPE_CHECKING:
    import duckdb

MOST_CARRIED: Final = 100_000
"""Beyond this many, what fails is not some rows but the sync: then last sync time stays."""

_COLUMNS: Final = ("query", "identifier", "attempt")


@dataclass(frozen=True, slots=True)
class CarriedRows:
    """The rows that a run left to the next.

    Attributes:
        run_id: The run.
        path: The file, which is there unless it was lost.
    """

    run_id: str
    path: Path

    def attempts(self) -> dict[tuple[str, str], int]:
        """How many attempts at each there were, by stream and identifier; nothing where the file was lost."""
        if not self.path.is_file():
            return {}
        query, identifier, attempt = (self._table()[name].to_pylist() for name in _COLUMNS)
        return dict(zip(zip(query, identifier, strict=True), attempt, strict=True))

    def identifiers(self, stream: str) -> pa.StringArray:
        """Those of a stream."""
        table = self._table()
        return table.filter(pc.equal(table["query"], stream))["identifier"].combine_chunks()

    @contextmanager
    def opened(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """As ``again.Wanted`` has it."""
        with wanted_database() as database:
            listed = self._table()
            database.register("listed", listed)
            database.execute("INSERT INTO wanted BY NAME SELECT row_number() OVER () AS row_number, * FROM listed")
            database.unregister("listed")
            yield database

    def _table(self) -> pa.Table:
        return pq.read_table(self.path)


@dataclass(slots=True)
class WithCarried:
    """The rows of a stream that changed and those that are carried, each once.

    A row that is both is one of the latter: they are all the rows of their identifiers, as they are now.

    Attributes:
        changed: What changed.
        again: What is carried.
        carried: The same, for its identifiers.
        rows: How many rows at the end are carried, once all batches were read.
    """

    changed: Generator[pa.RecordBatch, None, None]
    again: RowsAgain
    carried: CarriedRows
    rows: int = field(default=0, init=False)

    def batches(self) -> Generator[pa.RecordBatch, None, None]:
        """At least one batch. Raises QueryError."""
        stream = self.again.stream
        known = self.carried.identifiers(stream.name)
        with closing(self.changed) as changed:
            for number, batch in enumerate(changed):
                if not set(stream.identifier) <= set(batch.schema.names):
                    yield batch
                    return
                others = batch.filter(pc.invert(is_one_of(batch, stream, known)))
                if others.num_rows or not number:
                    yield others
        with closing(self.again.batches()) as again:
            for batch in again:
                self.rows += batch.num_rows
                if batch.num_rows:
                    yield batch

    def counts(self) -> dict[str, int]:
        """What ``StreamFacts`` has of them, once all batches were read."""
        return {"carried": self.rows, "gone": self.again.missing}


def write_carried(path: Path, attempts: Mapping[tuple[str, str], int]) -> None:
    """Writes the file of such attempts, readable by its owner alone, whole or not at all. Raises StateError."""
    ordered = sorted(attempts)
    table = pa.table(
        [
            pa.array([query for query, _ in ordered], pa.string()),
            pa.array([identifier for _, identifier in ordered], pa.string()),
            pa.array([attempts[pair] for pair in ordered], pa.int64()),
        ],
        names=_COLUMNS,
    )
    try:
        make_private_folder(path.parent)
    except OSError as error:
        raise StateError(
            f"{path.parent} cannot be made: {error.strerror}.", hint="Free some space, then run again."
        ) from None
    with whole_file(path) as file:
        pq.write_table(table, file)
