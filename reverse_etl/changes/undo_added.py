"""Which rows that a run added an undo deletes: written as keys that are gone, which are removed last.

Only what is certain: the row's key was not known before the run, the destination acknowledged it, no later run changed
it, no other row has its other identifier, and no other sync sends it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from reverse_etl.changes.compare import parquet
from reverse_etl.changes.gone import GONE_FILE, named
from reverse_etl.changes.keyed import NAMED, lists
from reverse_etl.changes.values import all_columns, columns, latest_values
from reverse_etl.files.private import make_private_folder, whole_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import duckdb

    from reverse_etl.changes.attributes import StreamValues
    from reverse_etl.changes.undo import RowsOf, Run
    from reverse_etl.changeset.parts import Parts
    from reverse_etl.config.streams import Stream

_BATCH_ROWS = 10_000
_KEY, _ = NAMED
_SCHEMA = pa.schema([("kh", pa.uint64()), ("kl", pa.uint64()), _KEY, ("why", pa.string()), ("row", pa.int64())])


@dataclass(frozen=True, slots=True)
class Added:
    """How many rows that a run added are deleted, and how many another sync sends, which stay.

    Attributes:
        deleted: They are deleted.
        elsewhere: Another sync still sends them.
    """

    deleted: int = 0
    elsewhere: int = 0


def write_added(
    parts: Parts,
    run: Run,
    values: StreamValues,
    rows_of: RowsOf,
    stream: Stream,
    *,
    elsewhere: Sequence[Path],
    database: duckdb.DuckDBPyConnection,
) -> Added:
    """Writes the keys to delete. Raises StateError.

    Args:
        parts: The rows of the undo.
        run: The files around the run.
        values: The names of the attributes.
        rows_of: Makes rows of keys.
        stream: What the rows are.
        elsewhere: What other syncs acknowledged that name the same things.
        database: For a while.
    """
    # Of the first rows whose values were remembered it is not known what was there before.
    if run.own is None or not run.before:
        return Added()
    make_private_folder(parts.folder)
    sent = " OR ".join(
        f"EXISTS (SELECT 1 FROM {parquet(path)} e WHERE e.kh = f.kh AND e.kl = f.kl AND e.gone_at IS NULL)"
        for path in elsewhere
    )
    found = f"SELECT f.*, {sent or 'false'} AS elsewhere FROM ({_found(run, run.own, values, database)}) f"
    [(kept,)] = database.execute(f"SELECT count(*) FROM ({found}) WHERE elsewhere").fetchall()
    deleted = 0
    with (
        whole_file(parts.folder / GONE_FILE) as file,
        pq.ParquetWriter(file, _SCHEMA, compression="zstd") as writer,
        database.sql(f"SELECT kh, kl, key FROM ({found}) WHERE NOT elsewhere ORDER BY kh, kl").to_arrow_reader(
            _BATCH_ROWS
        ) as reader,
    ):
        for batch in reader:
            rows = rows_of(batch.column("key").cast(pa.string()), {})
            numbers = np.arange(deleted + 1, deleted + batch.num_rows + 1, dtype=np.int64)
            why = pa.array(["removed"] * batch.num_rows)
            keys = lists([rows.column(name) for name in stream.key])
            taken = [batch.column("kh"), batch.column("kl"), keys, why, pa.array(numbers)]
            writer.write_batch(pa.RecordBatch.from_arrays(taken, schema=_SCHEMA))
            deleted += batch.num_rows
    return Added(deleted, int(kept))


def _found(run: Run, own: Path, values: StreamValues, database: duckdb.DuckDBPyConnection) -> str:
    now = latest_values(run.now, values.names, database, keep_in="keys_now")
    before = latest_values(run.before, values.names, database, keep_in="keys_before")
    same = "".join(f" AND g.{name} IS NOT DISTINCT FROM n.{name}" for name in columns(values.names))
    keys = named(run.keys)
    return f"""
        SELECT g.kh, g.kl, g.key
        FROM (SELECT * FROM ({all_columns(own, values.names, "own", "gone", "added")}) WHERE added AND NOT gone) g
        JOIN {now} n ON g.kh = n.kh AND g.kl = n.kl AND NOT n.gone{same}
        JOIN {keys} k ON g.kh = k.kh AND g.kl = k.kl AND k.known AND k.rh IS NOT NULL
        ANTI JOIN (SELECT * FROM {before} WHERE NOT gone) b ON g.kh = b.kh AND g.kl = b.kl
        WHERE k.other = 0 OR k.other NOT IN (
            SELECT e.other FROM {keys} e WHERE e.other <> 0 GROUP BY e.other HAVING count(*) > 1
        )
    """
