"""Rows that share a key, in bounded memory: keys go to a Parquet file beside the parts, DuckDB groups them there.

Few changesets have such rows. So a number for each key is looked at first, and keys themselves only where two numbers
are equal, which they also are, once in a long while, for two keys.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reverse_etl.changeset.ahead import of_batches, of_paths
from reverse_etl.changeset.parts import ROW_NUMBER, Parts
from reverse_etl.changeset.row_keys import text_keys
from reverse_etl.files.repeated_numbers import Numbers, repeated_numbers

if TYPE_CHECKING:
    import duckdb

_SCHEMA = pa.schema([("row_number", pa.int64()), ("key", pa.string()), ("value", pa.string())])

_SHARED = "SELECT row_number FROM {keys} WHERE key IN (SELECT key FROM {keys} GROUP BY key HAVING {which})"

_BATCH_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class Keyed:
    """The rows of one batch that take part.

    Attributes:
        row_numbers: int64.
        keys: As long; never null.
        values: As long; what may differ within a key. Nulls where only keys matter.
    """

    row_numbers: pa.Int64Array
    keys: pa.StringArray
    values: pa.StringArray


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of a whole changeset on disk, and what can be asked of them. Row numbers come in ascending order."""

    path: Path
    database: duckdb.DuckDBPyConnection

    def shared(self) -> Iterator[pa.Int64Array]:
        """Rows whose key another row has too."""
        return self._rows(_SHARED.format(keys=self._source, which="count(*) > 1"))

    def shared_but_last(self) -> Iterator[pa.Int64Array]:
        """Rows whose key a later row has too."""
        last = f"SELECT key, max(row_number) AS last FROM {self._source} GROUP BY key HAVING count(*) > 1"
        return self._rows(f"SELECT row_number FROM {self._source} JOIN ({last}) USING (key) WHERE row_number < last")

    def differing(self) -> Iterator[pa.Int64Array]:
        """Rows whose key another row has too, with another value."""
        return self._rows(_SHARED.format(keys=self._source, which="min(value) <> max(value)"))

    def equal_but_first(self) -> Iterator[pa.Int64Array]:
        """Rows whose key an earlier row has too, where all rows of the key have one value."""
        first = f"SELECT key, min(row_number) AS first FROM {self._source} GROUP BY key HAVING min(value) = max(value)"
        return self._rows(f"SELECT row_number FROM {self._source} JOIN ({first}) USING (key) WHERE row_number > first")

    def also_in(self, path: Path, column: str) -> Iterator[pa.Int64Array]:
        """Rows whose key is also in a column of another Parquet file."""
        listed = f'SELECT "{column}" FROM {parquet(path)} WHERE "{column}" IS NOT NULL'
        return self._rows(f"SELECT row_number FROM {self._source} WHERE key IN ({listed})")

    @property
    def _source(self) -> str:
        return parquet(self.path)

    def _rows(self, sql: str) -> Iterator[pa.Int64Array]:
        reader: pa.RecordBatchReader = self.database.sql(f"{sql} ORDER BY row_number").to_arrow_reader(_BATCH_ROWS)
        for batch in reader:
            if batch.num_rows:
                yield batch.column(0)


@contextmanager
def keys_of(
    batches: Iterator[pa.RecordBatch],
    key: Callable[[pa.RecordBatch], Keyed],
    *,
    folder: Path,
    database: duckdb.DuckDBPyConnection,
) -> Iterator[Keys]:
    """Writes the keys of all batches to a file under ``folder``, which is gone when the block ends."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="keys-") as scratch:
        path = Path(scratch) / "keys.parquet"
        # Dictionaries cost twice the time.
        with pq.ParquetWriter(path, _SCHEMA, compression="zstd", compression_level=1, use_dictionary=False) as writer:
            for batch in batches:
                keyed = key(batch)
                columns = [keyed.row_numbers, keyed.keys, keyed.values]
                writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=_SCHEMA))
        yield Keys(path, database)


@contextmanager
def shared_keys_of(
    parts: Parts,
    names: Sequence[str],
    key: Callable[[pa.RecordBatch], Keyed],
    *,
    database: duckdb.DuckDBPyConnection,
    contents: Callable[[pa.RecordBatch], Keyed] | None = None,
) -> Iterator[Keys | None]:
    """The keys that more than one row has, and perhaps others; None where each is alone.

    Args:
        parts: The rows.
        names: The columns that keys are made of.
        key: The keys of a batch that has these columns.
        database: Groups them.
        contents: The same keys of a batch with all columns, where values are needed that cost more to make.
    """
    numbers = of_batches(parts, lambda batch: text_keys(key(batch).keys), names)
    repeated = repeated_numbers(numbers, parts.folder)
    if not len(repeated):
        yield None
        return

    def candidates(path: Path) -> pa.RecordBatch:
        batch = parts.batch(path, names)
        keyed = key(batch)
        rows = keyed.row_numbers.filter(pa.array(_is_in(repeated, text_keys(keyed.keys))))
        if contents is not None and len(rows):
            batch = parts.batch(path)
        return batch.filter(pc.is_in(batch.column(ROW_NUMBER), rows))

    with_rows = (batch for batch in of_paths(parts, candidates) if batch.num_rows)
    with keys_of(with_rows, contents or key, folder=parts.folder, database=database) as keys:
        yield keys


def _is_in(ascending: Numbers, numbers: Numbers) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    # In order, what is searched for next lies near what was found last, in the processor's cache.
    order = np.argsort(numbers)
    ordered = numbers[order]
    places = np.minimum(np.searchsorted(ascending, ordered), len(ascending) - 1)
    among = np.empty(len(numbers), np.bool_)
    among[order] = ascending[places] == ordered
    return among


def parquet(path: Path) -> str:
    """A Parquet file as a table of DuckDB."""
    escaped = str(path).replace("'", "''")
    return f"read_parquet('{escaped}')"


def filled(row_numbers: pa.Int64Array, keys: pa.StringArray, values: pa.StringArray | None = None) -> Keyed:
    """The rows that have a key, and where values are given a value: neither null nor ''."""
    present = pc.not_equal(pc.fill_null(keys, ""), "")
    if values is None:
        values = pa.nulls(len(keys), pa.string())
    else:
        present = pc.and_(present, pc.not_equal(pc.fill_null(values, ""), ""))
    return Keyed(pc.filter(row_numbers, present), pc.filter(keys, present), pc.filter(values, present))
