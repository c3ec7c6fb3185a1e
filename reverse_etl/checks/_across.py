"""Rows that share a key, in bounded memory: keys go to a Parquet file beside the parts, DuckDB groups them there.

Few changesets have such rows. So a number for each key is grouped first, in memory where there are not too many, and
keys themselves are looked at only where two numbers are equal.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reverse_etl.changeset.ahead import of_batches
from reverse_etl.changeset.parts import ROW_NUMBER, Parts
from reverse_etl.changeset.row_keys import text_keys

if TYPE_CHECKING:
    import duckdb

_SCHEMA = pa.schema([("row_number", pa.int64()), ("key", pa.string()), ("value", pa.string())])

_NUMBERS = pa.schema([("row_number", pa.int64()), ("key", pa.uint64())])

_SHARED = "SELECT row_number FROM {keys} WHERE key IN (SELECT key FROM {keys} GROUP BY key HAVING {which})"

_BATCH_ROWS = 100_000

_IN_MEMORY_ROWS: Final = 2_000_000
"""Their numbers take 64 MB while they are compared; loading DuckDB takes 50."""

_Marks: TypeAlias = "np.ndarray[tuple[int], np.dtype[np.bool_]]"
_Numbers: TypeAlias = "np.ndarray[tuple[int], np.dtype[np.int64]]"


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
    rows = (pa.RecordBatch.from_arrays(_columns(key(batch)), schema=_SCHEMA) for batch in batches)
    with _written(rows, _SCHEMA, folder) as path:
        yield Keys(path, database)


@contextmanager
def shared_keys_of(
    parts: Parts,
    names: Sequence[str],
    key: Callable[[pa.RecordBatch], Keyed],
    *,
    database: duckdb.DuckDBPyConnection,
    contents: Callable[[pa.RecordBatch], Keyed] | None = None,
    in_memory_rows: int = _IN_MEMORY_ROWS,
) -> Iterator[Keys | None]:
    """The keys that more than one row has, and perhaps others; None where each is alone.

    Args:
        parts: The rows.
        names: The columns that keys are made of.
        key: The keys of a batch that has these columns.
        database: Groups them.
        contents: The same keys of a batch with all columns, where values are needed that cost more to make.
        in_memory_rows: The numbers of more rows are grouped on disk.
    """
    shared = _may_be_shared(parts, names, key, database, in_memory_rows)
    if shared is None:
        yield None
        return
    batches = parts.batches(names if contents is None else None)
    candidates = (batch.filter(pa.array(shared[batch.column(ROW_NUMBER).to_numpy() - 1])) for batch in batches)
    with_rows = (batch for batch in candidates if batch.num_rows)
    with keys_of(with_rows, contents or key, folder=parts.folder, database=database) as keys:
        yield keys


def _may_be_shared(
    parts: Parts,
    names: Sequence[str],
    key: Callable[[pa.RecordBatch], Keyed],
    database: duckdb.DuckDBPyConnection,
    in_memory_rows: int,
) -> _Marks | None:
    """One mark a row, by row number - 1: whether another row may have its key; None where no row is marked."""

    def numbered(batch: pa.RecordBatch) -> pa.RecordBatch:
        keyed = key(batch)
        return pa.RecordBatch.from_arrays([keyed.row_numbers, pa.array(text_keys(keyed.keys))], schema=_NUMBERS)

    batches = of_batches(parts, numbered, names)
    first: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        first.append(batch)
        rows += batch.num_rows
        if rows > in_memory_rows:
            break
    else:
        return _marked(parts, _shared_in_memory(first))
    with _written(chain(first, batches), _NUMBERS, parts.folder) as path:
        return _marked(parts, (found.to_numpy() for found in Keys(path, database).shared()))


def _shared_in_memory(numbered: Sequence[pa.RecordBatch]) -> Iterator[_Numbers]:
    """The row numbers of equal numbers, which needs no database."""
    ordered = np.sort(np.concatenate([np.empty(0, np.uint64), *(rows.column(1).to_numpy() for rows in numbered)]))
    shared = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    for rows in numbered if len(shared) else ():
        keys = rows.column(1).to_numpy()
        places = np.minimum(np.searchsorted(shared, keys), len(shared) - 1)
        yield rows.column(0).to_numpy()[shared[places] == keys]


def _marked(parts: Parts, found: Iterator[_Numbers]) -> _Marks | None:
    """One mark a row, by row number - 1; None where no row is found."""
    marks: _Marks | None = None
    for numbers in found:
        if marks is None:
            # Rows that shaping left out have numbers, too.
            marks = np.zeros(_last_number(parts), np.bool_)
        marks[numbers - 1] = True
    return marks


def _columns(keyed: Keyed) -> list[pa.Array]:
    return [keyed.row_numbers, keyed.keys, keyed.values]


def _last_number(parts: Parts) -> int:
    """The highest row number; 0 without rows."""
    last = 0
    for batch in parts.batches(()):
        last = max(last, pc.max(batch.column(ROW_NUMBER)).as_py() or 0)
    return last


@contextmanager
def _written(batches: Iterator[pa.RecordBatch], schema: pa.Schema, folder: Path) -> Iterator[Path]:
    """A file of these batches under ``folder`` for a while."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="keys-") as scratch:
        path = Path(scratch) / "keys.parquet"
        # Dictionaries cost twice the time.
        with pq.ParquetWriter(path, schema, compression="zstd", compression_level=1, use_dictionary=False) as writer:
            for batch in batches:
                writer.write_batch(batch)
        yield path


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
