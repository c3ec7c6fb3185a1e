"""Rows that a destination lost with what they belong to: who was removed, and is back, is back without them.

<run folder>/<stream>/returned.parquet    ``row``: of rows that are sent, whatever was acknowledged of them
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.parquet as pq

from reverse_etl.changes.compare import PLAN_FILE, copy, parquet
from reverse_etl.changes.fingerprints import fingerprints, subkey
from reverse_etl.changes.keyed import FINGERPRINTS_FILE
from reverse_etl.changeset.parts import ROW_NUMBER
from reverse_etl.files.private import whole_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import duckdb

    from reverse_etl.changes.keyed import Keyed
    from reverse_etl.changeset.parts import Parts
    from reverse_etl.destinations.powers import AsSent

_RETURNED_FILE: Final = "returned.parquet"
_OWNERS_FILE: Final = "owners.parquet"
_SCHEMA: Final = pa.schema([("kh", pa.uint64()), ("kl", pa.uint64()), ("row", pa.int64())])


def write_returned(
    parts: Parts,
    owners: Parts,
    before: Path,
    as_sent: Callable[[pa.RecordBatch], AsSent],
    keyed: Keyed,
    database: duckdb.DuckDBPyConnection,
) -> Path | None:
    """Writes which rows belong to one that is new, or that may have been removed; None where there is no such one.

    Args:
        parts: The rows.
        owners: The rows that they belong to, compared.
        before: What was acknowledged of those.
        as_sent: What the destination is sent of a batch of the rows.
        keyed: What the fingerprints of those that they belong to are made with.
        database: For a while.

    Raises:
        StateError: They cannot be written.
    """
    new = f"""
        SELECT kh, kl FROM {parquet(owners.folder / PLAN_FILE)} WHERE what = 'added'
        UNION SELECT n.kh, n.kl FROM {parquet(owners.folder / FINGERPRINTS_FILE)} n
        JOIN {parquet(before)} o ON n.kh = o.kh AND n.kl = o.kl WHERE o.gone_at IS NOT NULL AND o.rh IS NULL
    """
    [(how_many,)] = database.execute(f"SELECT count(*) FROM ({new})").fetchall()
    if not how_many or not _write_owners(parts, as_sent, keyed):
        return None
    path = parts.folder / _RETURNED_FILE
    which = f"SELECT b.row FROM {parquet(parts.folder / _OWNERS_FILE)} b SEMI JOIN ({new}) a USING (kh, kl)"
    copy(database, which, path)
    (parts.folder / _OWNERS_FILE).unlink()
    return path


def _write_owners(parts: Parts, as_sent: Callable[[pa.RecordBatch], AsSent], keyed: Keyed) -> bool:
    """Writes the fingerprints of what each row belongs to; false where the destination names no such thing."""
    high, low = (subkey(keyed.secret, "key", half, *keyed.identity) for half in ("high", "low"))
    with (
        whole_file(parts.folder / _OWNERS_FILE) as file,
        pq.ParquetWriter(file, _SCHEMA, compression="none", use_dictionary=False) as writer,
    ):
        for batch in parts.batches():
            owners = as_sent(batch).owners
            if owners is None:
                return False
            numbers = batch.column(ROW_NUMBER)
            columns = [pa.array(fingerprints(owners, high)), pa.array(fingerprints(owners, low)), numbers]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=_SCHEMA))
    return True
