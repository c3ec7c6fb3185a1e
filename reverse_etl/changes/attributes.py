"""Which attributes of a row differ from what was acknowledged: looked at only where its fingerprint does.

<run folder>/<stream>/sent.parquet                  the texts of the rows to send: ``kh``, ``kl``, ``key``, ``row``,
                                                    ``what``, ``a0`` …
<run folder>/<stream>/changed_attributes.parquet    of rows whose acknowledged values are known, by row number:
                                                    ``attributes``, a 1 for each that is to be sent, a 0 for others
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reverse_etl.changes.compare import PLAN_FILE, copy, parquet, repeats, row_groups
from reverse_etl.changes.fingerprints import fingerprints, subkey
from reverse_etl.changes.values import column, columns, latest_values
from reverse_etl.changeset.parts import ROW_NUMBER
from reverse_etl.files.private import whole_file
from reverse_etl.report import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import duckdb

    from reverse_etl.changes.compare import Keyed
    from reverse_etl.changeset.parts import Outcomes, Parts
    from reverse_etl.destinations.powers import AsSent

SENT_FILE: Final = "sent.parquet"
CHANGED_FILE: Final = "changed_attributes.parquet"

_WHATS: Final = ("unchanged", "added", "changed", "in_doubt")

Bits = np.ndarray[tuple[int, int], np.dtype[np.bool_]]


@dataclass(frozen=True, slots=True)
class StreamValues:
    """What is known of the values of a stream's rows.

    Attributes:
        names: Of the attributes, in the order of their columns; those that the query has no more among them.
        cleared: The text that clears an attribute.
        known: Whether values were acknowledged before; without, those of all rows are written down.
        removed: The names of those that the query has no more and that stand in the destination.
    """

    names: tuple[str, ...]
    cleared: str
    known: bool = False
    removed: tuple[str, ...] = ()

    @classmethod
    def from_stored(cls, stored: Mapping[str, Any]) -> Self:
        """What was stored as JSON."""
        return cls(tuple(stored["names"]), stored["cleared"], stored["known"], tuple(stored["removed"]))


def write_sent(
    parts: Parts,
    outcomes: Outcomes,
    as_sent: Callable[[pa.RecordBatch], AsSent],
    keyed: Keyed,
    values: StreamValues,
) -> StreamValues:
    """Writes the texts of the rows to send and, where no values are known, of those that are unchanged too.

    Args:
        parts: The rows, with their plan.
        outcomes: Of the checks.
        as_sent: What the destination is sent of a batch.
        keyed: What fingerprints are made with.
        values: What is known.

    Returns:
        The same, with the names of attributes that are new, and as removed those that are not among the rows' any more.

    Raises:
        StateError: It cannot be written.
    """
    high, low = (subkey(keyed.secret, "key", half, *keyed.identity) for half in ("high", "low"))
    for batch in parts.batches():
        here = as_sent(batch.slice(0, 0)).attributes
        new = [name for name in here if name not in set(values.names)]
        removed = tuple(name for name in values.names if name not in here)
        values = replace(values, names=(*values.names, *new), removed=removed)
        break
    texts = columns(values.names)
    identity = [("kh", pa.uint64()), ("kl", pa.uint64()), ("key", pa.string()), ("row", pa.int64())]
    schema = pa.schema([*identity, ("what", pa.string()), *((name, pa.string()) for name in texts)])
    planned = _planned(parts, outcomes)
    wanted = planned > 0 if values.known else (planned > 0) | (outcomes == Outcome.UNDELIVERED)
    with (
        whole_file(parts.folder / SENT_FILE) as file,
        pq.ParquetWriter(file, schema, compression="zstd", compression_level=1, use_dictionary=["what"]) as writer,
    ):
        for batch in parts.batches():
            numbers = batch.column(ROW_NUMBER).to_numpy()
            batch = batch.filter(pa.array(wanted[numbers - 1]))
            sent = as_sent(batch)
            numbers = batch.column(ROW_NUMBER).to_numpy()
            nothing = pa.nulls(batch.num_rows, pa.string())
            found = [
                pa.array(fingerprints(sent.keys, high)),
                pa.array(fingerprints(sent.keys, low)),
                sent.keys,
                batch.column(ROW_NUMBER),
                pa.array(_WHATS).take(pa.array(planned[numbers - 1])),
                *(sent.attributes.get(name, nothing) for name in values.names),
            ]
            writer.write_batch(pa.RecordBatch.from_arrays(found, schema=schema))
    return values


def write_changed(
    parts: Parts, before: Sequence[Path], database: duckdb.DuckDBPyConnection, values: StreamValues
) -> dict[str, int]:
    """Writes which attributes of changed rows are to be sent, and takes rows of which none is out of the plan.

    A row whose values are not known, or that is not the only one of its key, is sent whole: it is not among them.

    Args:
        parts: The rows, with their plan and their texts.
        before: The files of values that were acknowledged before; none where they are not known.
        database: For a while.
        values: What is known.

    Returns:
        How many rows differ in an attribute, by its name.

    Raises:
        StateError: It cannot be written.
    """
    if not before:
        (parts.folder / CHANGED_FILE).unlink(missing_ok=True)
        return {}
    sent = parquet(parts.folder / SENT_FILE)
    alone = ""
    if repeats(sent, database):
        alone = f"ANTI JOIN (SELECT kh, kl FROM {sent} GROUP BY kh, kl HAVING count(*) > 1) USING (kh, kl)"
    bits = ", ".join(
        f"CASE WHEN s.{name} IS NOT NULL AND s.{name} IS DISTINCT FROM o.{name} THEN '1' ELSE '0' END"
        for name in columns(values.names)
    )
    query = f"""
        SELECT s.row, concat('', {bits or "''"}) AS attributes
        FROM (SELECT * FROM {sent} WHERE what = 'changed') s {alone}
        JOIN {latest_values(before, values.names, database)} o ON s.kh = o.kh AND s.kl = o.kl
        ORDER BY s.row
    """
    copy(database, query, parts.folder / CHANGED_FILE)
    counts = np.zeros(len(values.names), np.int64)
    nothing = 0
    for _, changed in changed_attributes(parts, len(values.names)):
        counts += changed.sum(axis=0)
        nothing += int(np.count_nonzero(~changed.any(axis=1)))
    if nothing:
        none = f"SELECT row FROM {parquet(parts.folder / CHANGED_FILE)} WHERE NOT contains(attributes, '1')"
        query = f"""
            SELECT p.* REPLACE (CASE WHEN n.row IS NULL THEN p.what ELSE 'settled' END AS what)
            FROM {parquet(parts.folder / PLAN_FILE)} p LEFT JOIN ({none}) n ON p.row = n.row
        """
        copy(database, query, parts.folder / PLAN_FILE)
    found = zip(values.names, counts.tolist(), strict=True)
    return dict(sorted(((name, rows) for name, rows in found if rows), key=lambda each: -each[1]))


def still_there(before: Sequence[Path], values: StreamValues, database: duckdb.DuckDBPyConnection) -> StreamValues:
    """The same, with those removed attributes alone that some row has in the destination.

    Args:
        before: The files of values that were acknowledged before; none where they are not known.
        values: What is known.
        database: For a while.
    """
    if not before or not values.removed:
        return replace(values, removed=())
    places = [column(values.names.index(name)) for name in values.removed]
    held = ", ".join(f"bool_or({each} <> '{values.cleared}')" for each in places)
    [found] = database.execute(f"SELECT {held} FROM {latest_values(before, values.names, database)}").fetchall()
    return replace(values, removed=tuple(name for name, there in zip(values.removed, found, strict=True) if there))


def changed_attributes(
    parts: Parts, attributes: int
) -> Iterator[tuple[np.ndarray[tuple[int], np.dtype[np.int64]], Bits]]:
    """Row numbers, ascending, and whether each attribute of these rows is to be sent; a row group at a time.

    Args:
        parts: The rows.
        attributes: How many there are.
    """
    path = parts.folder / CHANGED_FILE
    for batch in row_groups(path) if path.exists() else ():
        texts = batch.column("attributes")
        _, offsets, data = texts.buffers()
        first = int(np.frombuffer(offsets, np.int32)[texts.offset])
        flat = np.frombuffer(data or b"", np.uint8)[first : first + batch.num_rows * attributes]
        yield batch.column("row").to_numpy(), (flat == ord("1")).reshape(batch.num_rows, attributes)


def _planned(parts: Parts, outcomes: Outcomes) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    """What the plan says of each row, as a place in ``_WHATS``, by row number - 1."""
    planned = np.zeros(len(outcomes), np.uint8)
    for batch in row_groups(parts.folder / PLAN_FILE, ["what", "row"]):
        batch = batch.filter(pc.is_valid(batch.column("row")))
        places = pc.fill_null(pc.index_in(batch.column("what"), pa.array(_WHATS)), 0)
        planned[batch.column("row").to_numpy() - 1] = places.to_numpy()
    return planned
