"""Which attributes of a row differ from what was acknowledged: looked at only where its fingerprint does.

<run folder>/<stream>/sent.parquet                  the texts of the rows to send: ``kh``, ``kl``, ``key``, ``row``,
``what``, ``a0`` …
<run folder>/<stream>/changed_attributes.parquet    of rows whose acknowledged values are known, by row number:
``attributes``, a mark for each as ``changes.chosen`` has them
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reverse_etl.changes.chosen import AS_IT_IS, CHANGED_FILE, CHOSEN, LEFT_OUT, marks_of
from reverse_etl.changes.compare import PLAN_FILE, copy, parquet
from reverse_etl.changes.fingerprints import fingerprints, subkey
from reverse_etl.changes.keyed import FINGERPRINTS_FILE
from reverse_etl.changes.repeated import repeats
from reverse_etl.changes.row_groups import row_groups
from reverse_etl.changes.values import column, columns, latest_values
from reverse_etl.changeset.parts import ROW_NUMBER
from reverse_etl.destinations.powers import GONE
from reverse_etl.files.private import whole_file
from reverse_etl.report import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import duckdb

    from reverse_etl.changes.keyed import Keyed
    from reverse_etl.changeset.parts import Outcomes, Parts
    from reverse_etl.destinations.powers import AsSent

SENT_FILE: Final = "sent.parquet"

OTHERWISE: Final = "otherwise"
"""What is done with the row is something else than to send its attributes: it is deleted, for example."""

_WHATS: Final = ("unchanged", "added", "changed", "in_doubt")


@dataclass(frozen=True, slots=True)
class StreamValues:
    """What is known of the values of a stream's rows, and what becomes of them.

    Attributes:
        names: Of the attributes, in the order of their columns; those that the query has no more among them.
        cleared: The text that clears an attribute.
        known: Whether values were acknowledged before; without, those of all rows are written down.
        removed: The names of those that the query has no more and that stand in the destination.
        narrow: Whether of a changed row only those are sent that differ.
        clear: Whether removed ones are cleared.
        lasting: Those that the destination lets no one clear.
        left: The names of those that the query has no more.
    """

    names: tuple[str, ...]
    cleared: str
    known: bool = False
    removed: tuple[str, ...] = ()
    narrow: bool = False
    clear: bool = False
    lasting: tuple[str, ...] = ()
    left: tuple[str, ...] = ()

    @property
    def to_clear(self) -> tuple[str, ...]:
        """The names of removed attributes that are cleared."""
        return tuple(name for name in self.removed if name not in self.lasting) if self.clear else ()

    def columns_of(self, names: Sequence[str]) -> list[str]:
        """The columns of some attributes."""
        return [column(self.names.index(name)) for name in names]

    @property
    def chosen(self) -> tuple[str, ...]:
        """The names of those that are not sent of every row."""
        if self.narrow:
            return self.names
        return self.to_clear

    def named(self, names: Sequence[str]) -> Self:
        """The same with these attributes."""
        return replace(self, names=tuple(names))

    @classmethod
    def from_stored(cls, stored: Mapping[str, Any]) -> Self:
        """What was stored as JSON."""
        lists = {name: tuple(stored.get(name, ())) for name in ("names", "removed", "lasting", "left")}
        return cls(**{**stored, **lists})


def with_attributes_of(
    parts: Parts,
    as_sent: Callable[[pa.RecordBatch], AsSent],
    before: Sequence[Path],
    values: StreamValues,
    database: duckdb.DuckDBPyConnection,
) -> StreamValues:
    """What is known of values, with the names of new attributes, and of those that left and that some row still has.

    Args:
        parts: The rows.
        as_sent: What the destination is sent of a batch.
        before: The files of values that were acknowledged before; none where they are not known.
        values: What is known.
        database: For a while.
    """
    here: dict[str, None] = {}
    for batch in parts.batches():
        texts = as_sent(batch.slice(0, 0)).attributes
        here = {name: None for name in texts if name != GONE}
        break
    new = [name for name in here if name not in set(values.names)]
    gone = tuple(name for name in values.names if name not in here) if here else ()
    left = gone if here else values.left
    values = replace(values, names=(*values.names, *new), removed=gone, left=left)
    if not before or not gone:
        return replace(values, removed=())
    held = ", ".join(f"bool_or({each} <> '{values.cleared}')" for each in values.columns_of(gone))
    [found] = database.execute(f"SELECT {held} FROM {latest_values(before, values.names, database)}").fetchall()
    return replace(values, removed=tuple(name for name, there in zip(gone, found, strict=True) if there))


def plan_clearing(
    parts: Parts, before: Sequence[Path], database: duckdb.DuckDBPyConnection, values: StreamValues
) -> None:
    """Adds the rows to the plan that have a removed attribute to be cleared, and nothing else to be sent.

    Args:
        parts: The rows, with their plan.
        before: The files of values that were acknowledged before.
        database: For a while.
        values: What is known.

    Raises:
        StateError: It cannot be written.
    """
    if not values.to_clear:
        return
    plan, now = parquet(parts.folder / PLAN_FILE), parquet(parts.folder / FINGERPRINTS_FILE)
    held = " OR ".join(f"{each} <> '{values.cleared}'" for each in values.columns_of(values.to_clear))
    query = f"""
        SELECT row, kh, kl, what FROM {plan}
        UNION ALL
        SELECT n.row, n.kh, n.kl, 'changed' AS what
        FROM (SELECT * FROM {now} WHERE sendable) n
        SEMI JOIN (SELECT kh, kl FROM {latest_values(before, values.names, database)} WHERE {held}) o
            ON n.kh = o.kh AND n.kl = o.kl
        ANTI JOIN {plan} p ON n.kh = p.kh AND n.kl = p.kl
    """
    copy(database, query, parts.folder / PLAN_FILE)


def write_sent(
    parts: Parts,
    outcomes: Outcomes,
    as_sent: Callable[[pa.RecordBatch], AsSent],
    keyed: Keyed,
    values: StreamValues,
) -> None:
    """Writes the texts of the rows to send and, where no values are known, of those that are unchanged too.

    Args:
        parts: The rows, with their plan.
        outcomes: Of the checks.
        as_sent: What the destination is sent of a batch.
        keyed: What fingerprints are made with.
        values: What is known.

    Raises:
        StateError: It cannot be written.
    """
    high, low = (subkey(keyed.secret, "key", half, *keyed.identity) for half in ("high", "low"))
    identity = [("kh", pa.uint64()), ("kl", pa.uint64()), ("key", pa.string()), ("row", pa.int64())]
    schema = pa.schema([*identity, ("what", pa.string()), *((name, pa.string()) for name in columns(values.names))])
    planned = _planned(parts, outcomes)
    wanted = planned > 0 if values.known else (planned > 0) | (outcomes == Outcome.UNDELIVERED)
    with (
        whole_file(parts.folder / SENT_FILE) as file,
        pq.ParquetWriter(file, schema, compression="zstd", compression_level=1, use_dictionary=["what"]) as writer,
    ):
        for batch in parts.batches():
            some = batch.filter(pa.array(wanted[batch.column(ROW_NUMBER).to_numpy() - 1]))
            sent, numbers = as_sent(some), some.column(ROW_NUMBER)
            nothing = pa.nulls(some.num_rows, pa.string())
            what = pa.array(_WHATS).take(pa.array(planned[numbers.to_numpy() - 1]))
            if GONE in sent.attributes:
                what = pc.if_else(pc.is_valid(sent.attributes[GONE]), OTHERWISE, what)
            found = [
                pa.array(fingerprints(sent.keys, high)),
                pa.array(fingerprints(sent.keys, low)),
                sent.keys,
                numbers,
                what,
                *(sent.attributes.get(name, nothing) for name in values.names),
            ]
            writer.write_batch(pa.RecordBatch.from_arrays(found, schema=schema))


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
    copy(database, _marks(parts, before, database, values), parts.folder / CHANGED_FILE)
    counts = np.zeros(len(values.names), np.int64)
    nothing = 0
    in_doubt = _rows_in_doubt(parts, database) if values.to_clear else np.empty(0, np.int64)
    for rows, marks in marks_of(parts, len(values.names)):
        counts += (marks[~np.isin(rows, in_doubt)] == CHOSEN).sum(axis=0)
        nothing += int(np.count_nonzero((marks == LEFT_OUT).all(axis=1)))
    if nothing:
        marked = parquet(parts.folder / CHANGED_FILE)
        none = f"SELECT row FROM {marked} WHERE NOT regexp_matches(attributes, '[^{chr(LEFT_OUT)}]')"
        query = f"""
            SELECT p.* REPLACE (CASE WHEN n.row IS NULL THEN p.what ELSE 'settled' END AS what)
            FROM {parquet(parts.folder / PLAN_FILE)} p LEFT JOIN ({none}) n ON p.row = n.row
        """
        copy(database, query, parts.folder / PLAN_FILE)
    found = ((name, rows) for name, rows in zip(values.names, counts.tolist(), strict=True) if rows)
    return dict(sorted(found, key=lambda each: -each[1]))


def _rows_in_doubt(parts: Parts, database: duckdb.DuckDBPyConnection) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The numbers of rows that are sent whole: what is cleared of them is no difference that was found."""
    query = f"SELECT row FROM {parquet(parts.folder / SENT_FILE)} WHERE what = 'in_doubt'"
    return np.asarray(database.execute(query).fetchnumpy()["row"], np.int64)


def _marks(parts: Parts, before: Sequence[Path], database: duckdb.DuckDBPyConnection, values: StreamValues) -> str:
    """The marks of each row, as a query. Rows in doubt are sent whole; removed attributes are cleared of them too."""
    sent = parquet(parts.folder / SENT_FILE)
    alone = ""
    if repeats(parts.folder / SENT_FILE):
        alone = f"ANTI JOIN (SELECT kh, kl FROM {sent} GROUP BY kh, kl HAVING count(*) > 1) USING (kh, kl)"
    cleared = values.columns_of(values.to_clear)
    yes, no, as_it_is = (f"'{chr(mark)}'" for mark in (CHOSEN, LEFT_OUT, AS_IT_IS))
    marks = [
        f"CASE WHEN o.{name} <> '{values.cleared}' THEN {yes} ELSE {no} END"
        if name in cleared
        else f"CASE WHEN s.what <> 'changed' THEN {as_it_is} "
        f"WHEN s.{name} IS NOT NULL AND s.{name} IS DISTINCT FROM o.{name} THEN {yes} ELSE {no} END"
        for name in columns(values.names)
    ]
    which = "what IN ('changed', 'in_doubt')" if cleared else "what = 'changed'"
    joined = ", ".join(marks) or "''"
    return f"""
        SELECT s.row, concat('', {joined}) AS attributes
        FROM (SELECT * FROM {sent} WHERE {which}) s {alone}
        JOIN {latest_values(before, values.names, database)} o ON s.kh = o.kh AND s.kl = o.kl
        ORDER BY s.row
    """


def _planned(parts: Parts, outcomes: Outcomes) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    """What the plan says of each row, as a place in ``_WHATS``, by row number - 1."""
    planned = np.zeros(len(outcomes), np.uint8)
    for batch in row_groups(parts.folder / PLAN_FILE, ["what", "row"]):
        rows = batch.filter(pc.is_valid(batch.column("row")))
        places = pc.fill_null(pc.index_in(rows.column("what"), pa.array(_WHATS)), 0)
        planned[rows.column("row").to_numpy() - 1] = places.to_numpy()
    return planned
