"""Keys that are gone: acknowledged before, and in no row of a whole reading; and which of them are removed.

    <run folder>/<stream>/gone.parquet              ``kh``, ``kl``, ``key``, ``why``, ``row``; one row a key
    <run folder>/gone_<stream>/part-000000.parquet  those that are removed: the columns of the key as text, and
                                                    ``deleted``, true; ``row`` is the number of the row

So what is removed has outcomes, a journal and failed rows, like every other row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reverse_etl.changes.compare import copy, gone_of, parquet
from reverse_etl.changes.keyed import FINGERPRINTS_FILE, NAMED, write_fingerprints
from reverse_etl.changes.row_groups import row_groups
from reverse_etl.changeset.columns import attribute_columns
from reverse_etl.changeset.parts import ROW_NUMBER, Parts
from reverse_etl.config.gone import DELETED

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

    from reverse_etl.changes.keyed import Keyed
    from reverse_etl.config.gone import Gone
    from reverse_etl.config.streams import Stream
    from reverse_etl.destinations.powers import AsSent

GONE_FILE: Final = "gone.parquet"

_IN_LOG: Final = "gone_in_log"
"""A folder beside the rows, with the keys that a database's log names and that have no row."""

FIRST: Final = 20
"""Keys that a plan shows."""

_BATCH_ROWS: Final = 10_000


@dataclass(frozen=True, slots=True)
class GoneKeys:
    """How many keys of a stream are gone, by what becomes of them.

    Attributes:
        removed: Acted upon now.
        waits: Not gone for long enough.
        renamed: A row has their other identifier.
        elsewhere: Another sync still sends them.
        unknown: They may have been sent, and never were acknowledged.
        unnamed: Their identifiers were not remembered when they were acknowledged.
        known: Keys that were acknowledged, gone or not.
    """

    removed: int = 0
    waits: int = 0
    renamed: int = 0
    elsewhere: int = 0
    unknown: int = 0
    unnamed: int = 0
    known: int = 0


def find_gone(
    parts: Parts,
    before: Path,
    database: duckdb.DuckDBPyConnection,
    gone: Gone,
    *,
    read_at: int,
    among: Path | None = None,
    elsewhere: Sequence[Path] = (),
) -> GoneKeys:
    """Writes which keys are gone, and what becomes of each. Raises StateError.

    Args:
        parts: The rows, with their fingerprints.
        before: What was acknowledged.
        database: For a while.
        gone: What is done with what is gone.
        read_at: When the rows were read, Unix seconds.
        among: As ``compare.gone_of`` takes it.
        elsewhere: What other syncs acknowledged that name the same things.
    """
    now, old = parquet(parts.folder / FINGERPRINTS_FILE), named(before)
    also = "".join(
        f" WHEN EXISTS (SELECT 1 FROM {parquet(path)} e WHERE e.kh = o.kh AND e.kl = o.kl AND e.gone_at IS NULL) "
        "THEN 'elsewhere'"
        for path in elsewhere
    )
    why = f"""
        CASE WHEN {"NOT o.known" if gone.keeps_unknown else "false"} THEN 'unknown'
            WHEN o.key IS NULL THEN 'unnamed'
            WHEN o.other <> 0 AND o.other IN (SELECT other FROM {now} WHERE other <> 0) THEN 'renamed'{also}
            WHEN {read_at} - coalesce(o.gone_at, {read_at}) < {gone.wait_s} THEN 'waits' ELSE 'removed' END
    """
    missing = f"{gone_of(old, among)} o ANTI JOIN {now} n ON n.kh = o.kh AND n.kl = o.kl"
    found = f"SELECT o.kh, o.kl, o.key, {why} AS why FROM {missing}"
    path = parts.folder / GONE_FILE
    row = "CASE WHEN why = 'removed' THEN row_number() OVER (PARTITION BY why ORDER BY kh, kl) END"
    # In the order of their numbers: so they are written, sent and looked up.
    database.execute("SET preserve_insertion_order = true")
    copy(database, f"SELECT kh, kl, key, why, {row} AS row FROM ({found}) ORDER BY row", path)
    database.execute("SET preserve_insertion_order = false")
    return gone_before(parts, before, database)


def gone_before(parts: Parts, before: Path, database: duckdb.DuckDBPyConnection) -> GoneKeys:
    """What ``find_gone`` found.

    Args:
        parts: The rows.
        before: What was acknowledged.
        database: For a while.
    """
    found = f"SELECT why, count(*) FROM {parquet(parts.folder / GONE_FILE)} GROUP BY why"
    return GoneKeys(**dict(database.execute(found).fetchall()), known=count_known(before, database))


def gone_in_plan(parts: Parts, before: Path, database: duckdb.DuckDBPyConnection) -> GoneKeys | None:
    """The keys that a plan removes without a reading; None where it names none."""
    return gone_before(parts, before, database) if (parts.folder / GONE_FILE).exists() else None


def count_known(before: Path, database: duckdb.DuckDBPyConnection) -> int:
    """How many keys of a generation's file were acknowledged."""
    [(known,)] = database.execute(f"SELECT count(*) FROM {parquet(before)} WHERE known").fetchall()
    return int(known)


def gone_in_log(parts: Parts) -> Path | None:
    """The fingerprints of the keys that a database's log names as gone; None where no log was read."""
    path = parts.folder / _IN_LOG / FINGERPRINTS_FILE
    return path if path.exists() else None


def write_gone_in_log(
    keys: pa.StringArray, parts: Parts, column: str, as_sent: Callable[[pa.RecordBatch], AsSent], keyed: Keyed
) -> None:
    """Writes them. Raises StateError.

    Args:
        keys: Identifiers that have no row any more.
        parts: The rows.
        column: The column of the identifier.
        as_sent: What the destination is sent of a batch.
        keyed: What fingerprints are made with.
    """
    numbers = pa.array(np.arange(1, len(keys) + 1, dtype=np.int64))
    here = Parts(parts.folder / _IN_LOG, parts.stream)
    here.write([pa.RecordBatch.from_pydict({column: keys, ROW_NUMBER: numbers})])
    write_fingerprints(here, np.zeros(len(keys), np.uint8), as_sent, keyed)


def write_removals(parts: Parts, removals: Parts, stream: Stream) -> int:
    """Writes the rows that stand for the keys to remove; returns how many. Raises StateError.

    Args:
        parts: The rows, with the keys that are gone.
        removals: Where those that are removed are written.
        stream: What the rows are.
    """
    schema = parts.schema()
    names = attribute_columns([name for name in schema.names if name != ROW_NUMBER], stream) if schema else ()
    return removals.write(_removals(parts.folder / GONE_FILE, stream, names))


def removed(parts: Parts) -> Iterator[pa.RecordBatch]:
    """``kh``, ``kl`` and ``row`` of the keys that are removed, in the order of ``row``."""
    path = parts.folder / GONE_FILE
    for batch in row_groups(path, ["kh", "kl", "row"]) if path.exists() else ():
        yield batch.filter(pc.is_valid(batch.column("row")))


def first_removed(parts: Parts) -> tuple[str, ...]:
    """The first keys that are removed, as people write them: of several columns with a comma between."""
    path = parts.folder / GONE_FILE
    for batch in row_groups(path, ["key", "row"]) if path.exists() else ():
        shown = batch.filter(pc.is_valid(batch.column("row"))).slice(0, FIRST)
        return tuple(", ".join(part or "" for part in key) for key in shown.column("key").to_pylist())
    return ()


def remembers_names(path: Path) -> bool:
    """Whether a generation's file has the columns ``NAMED``."""
    return {name for name, _ in NAMED} <= set(pq.read_schema(path).names)


def named(path: Path) -> str:
    """A generation's file as a table, with the columns ``NAMED`` even if it was written without them."""
    missing = [name for name, _ in NAMED if name not in pq.read_schema(path).names]
    nothing = {"key": "NULL::VARCHAR[] AS key", "other": "0::UBIGINT AS other"}
    return (
        f"(SELECT *, {', '.join(nothing[name] for name in missing)} FROM {parquet(path)})" if missing else parquet(path)
    )


def _removals(path: Path, stream: Stream, attributes: Sequence[str]) -> Iterator[pa.RecordBatch]:
    for group in row_groups(path, ["key", "row"]):
        kept = group.filter(pc.is_valid(group.column("row")))
        for start in range(0, kept.num_rows, _BATCH_ROWS):
            batch = kept.slice(start, _BATCH_ROWS)
            keys = {name: pc.list_element(batch.column("key"), at) for at, name in enumerate(stream.key)}
            # What `clear` clears, it needs the names of.
            empty = {name: pa.nulls(batch.num_rows, pa.string()) for name in attributes if name not in keys}
            marked = {DELETED: pa.array([True] * batch.num_rows), ROW_NUMBER: batch.column("row")}
            yield pa.RecordBatch.from_pydict({**keys, **empty, **marked})
