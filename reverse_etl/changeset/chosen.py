"""The identifiers of the rows that one run is asked for by name: a private file beside the changesets.

They are row values, and Dagster keeps what a run was configured with: so that says the list's id alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.parquet as pq

from reverse_etl.changeset.again import wanted_database
from reverse_etl.errors import StateError
from reverse_etl.files.private import make_private_folder, whole_file

if TYPE_CHECKING:
    import duckdb

CHOSEN_FILE: Final = "only.parquet"


def write_chosen(path: Path, identifiers: Sequence[str]) -> None:
    """Writes the list, each identifier once, readable by its owner alone. Raises StateError."""
    make_private_folder(path.parent)
    table = pa.table({"identifier": pa.array(dict.fromkeys(identifiers), pa.string())})
    with whole_file(path) as file:
        pq.write_table(table, file)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A list of identifiers, of whose rows each of these streams is asked for.

    Attributes:
        path: Where it lies.
        streams: Their names.
    """

    path: Path
    streams: Sequence[str]

    @contextmanager
    def opened(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """As ``again.Wanted`` has it. Raises StateError where the list is gone."""
        if not self.path.is_file():
            raise StateError(
                f"the list of identifiers that this run was asked for is gone: {self.path}.",
                hint="Give them again: reverse-etl run SYNC --only KEY",
            )
        with wanted_database() as database:
            listed = pq.read_table(self.path)
            database.register("listed", listed)
            sql = "INSERT INTO wanted BY NAME SELECT row_number() OVER () AS row_number, ? AS query, * FROM listed"
            for stream in self.streams:
                database.execute(sql, [stream])
            database.unregister("listed")
            yield database
