"""The rows that take back what a run changed: each with the values that were acknowledged before it.

    <folder>/<stream>/undo.parquet      ``row`` and ``attributes``: a mark for each as ``changes.chosen`` has them

An attribute is taken back where the destination still has what the run sent, and what stood there before was ours.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from reverse_etl.changes.chosen import CHANGED_FILE, CHOSEN, LEFT_OUT, marks_of
from reverse_etl.changes.compare import copy, parquet
from reverse_etl.changes.values import UNKNOWN, all_columns, columns, latest_values
from reverse_etl.changeset.parts import ROW_NUMBER
from reverse_etl.files.private import make_private_folder, whole_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import duckdb

    from reverse_etl.changes.attributes import StreamValues
    from reverse_etl.changeset.parts import Parts

    RowsOf = Callable[[pa.StringArray, Mapping[str, pa.StringArray]], pa.RecordBatch]

UNDO_FILE: Final = "undo.parquet"

_ROWS: Final = 10_000
_YES, _NO = chr(CHOSEN), chr(LEFT_OUT)
_SENT: Final = f"(removed OR attributes LIKE '%{_YES}%')"
"""Whether anything of a row is to be sent."""


@dataclass(frozen=True, slots=True)
class Run:
    """The files around a run.

    Attributes:
        own: The values that it changed; None for none.
        before: The values before it, the oldest file first; none where nothing was acknowledged.
        now: The values that count, the oldest file first.
        keys: The fingerprints that count.
        brings_back: Whether rows that it removed can be sent again.
        overwrites: Whether a row overwrites what it has no value for: then all of its values have to be known.
    """

    own: Path | None
    before: Sequence[Path]
    now: Sequence[Path]
    keys: Path
    brings_back: bool = False
    overwrites: bool = False


@dataclass(frozen=True, slots=True)
class Undone:
    """What is taken back of a run, and what cannot be.

    Attributes:
        rows: Rows that are sent.
        attributes: In how many of them an attribute is taken back, by its name.
        added: Rows that the run added: they stay.
        changed_since: Values that a later run replaced: they stay.
        in_doubt: Values of which it is not known whether they arrived, or what was there before.
        never_ours: Values before which nothing of ours was there: they stay.
        removed: Of the rows, those that the run removed because they were gone: they are sent whole.
        deleted: Rows that the run added, and that are deleted because that was asked for.
        elsewhere: Rows that the run added, and that stay because another sync sends them.
    """

    rows: int = 0
    attributes: dict[str, int] = field(default_factory=dict)
    added: int = 0
    changed_since: int = 0
    in_doubt: int = 0
    never_ours: int = 0
    removed: int = 0
    deleted: int = 0
    elsewhere: int = 0


def write_undo(
    parts: Parts,
    run: Run,
    values: StreamValues,
    rows_of: RowsOf,
    database: duckdb.DuckDBPyConnection,
) -> Undone:
    """Writes the rows that take back what a run changed, and counts.

    Args:
        parts: Takes the rows.
        run: The files around the run.
        values: The names of the attributes, and what clears one.
        rows_of: Makes rows of keys and of the texts of their attributes.
        database: For a while.

    Raises:
        StateError: They cannot be written.
    """
    make_private_folder(parts.folder)
    changed = parts.folder / "changed.parquet"
    copy(database, _changed(run, values, database), changed)
    sent = _sent_names(changed, values, database)
    if run.overwrites and sent:
        copy(database, _known_whole(changed, values, sent), changed)
    parts.write(_rows(parts, changed, values, sent, rows_of, database))
    [counted] = database.execute(f"""
        SELECT count(*) FILTER ({_SENT}), count(*) FILTER (added), coalesce(sum(changed_since), 0),
            coalesce(sum(in_doubt), 0), coalesce(sum(never_ours), 0), count(*) FILTER (removed)
        FROM {parquet(changed)}
    """).fetchall()
    changed.unlink()
    rows, *others = (int(number) for number in counted)
    return Undone(rows, _by_attribute(parts, UNDO_FILE, values), *others)


def take_undo(parts: Parts, values: StreamValues, database: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Makes the marks of an undo those of what is sent; returns in how many rows each attribute is, by its name.

    Raises:
        StateError: They cannot be written.
    """
    copy(database, f"SELECT * FROM {parquet(parts.folder / UNDO_FILE)} ORDER BY row", parts.folder / CHANGED_FILE)
    return _by_attribute(parts, CHANGED_FILE, values)


def _changed(run: Run, values: StreamValues, database: duckdb.DuckDBPyConnection) -> str:
    """A row for each that the run changed: its key, its marks, the texts that it has then, and why others stay."""
    names = columns(values.names)
    now = latest_values(run.now, values.names, database, keep_in="keys_now")
    own = f"(SELECT * FROM {now} WHERE false)"
    if run.own is not None:
        own = f"(SELECT * FROM ({all_columns(run.own, values.names, 'own', 'gone')}) WHERE own AND NOT gone)"
    nothing = "".join(f", NULL::VARCHAR AS {name}" for name in names)
    before = f"(SELECT kh, kl, key{nothing} FROM {own} WHERE false)"
    if run.before:
        latest = latest_values(run.before, values.names, database, keep_in="keys_before")
        before = f"(SELECT * EXCLUDE (gone) FROM {latest} WHERE NOT gone)"
    differs = {name: f"(g.{name} IS NOT NULL AND g.{name} IS DISTINCT FROM b.{name})" for name in names}
    unknown = {name: f"(g.{name} = '{UNKNOWN}' OR b.{name} IS NOT DISTINCT FROM '{UNKNOWN}')" for name in names}
    stays = {name: f"(g.{name} IS DISTINCT FROM n.{name})" for name in names}
    lasting = set(values.columns_of([name for name in values.lasting if name in values.names]))
    back = {
        name: f"({differs[name]} AND NOT {unknown[name]} AND NOT {stays[name]} AND b.{name} IS NOT NULL"
        + (f" AND b.{name} <> '{values.cleared}')" if name in lasting else ")")
        for name in names
    }
    marks = ", ".join(f"CASE WHEN {back[name]} THEN '{_YES}' ELSE '{_NO}' END" for name in names)
    texts = "".join(
        f", CASE WHEN {back[name]} THEN b.{name} WHEN n.{name} <> '{UNKNOWN}' THEN n.{name} END AS {name}"
        for name in names
    )
    there = "b.kh IS NOT NULL"
    why = {
        "changed_since": [f"{differs[name]} AND NOT {unknown[name]} AND {stays[name]}" for name in names],
        "in_doubt": [f"{differs[name]} AND {unknown[name]}" for name in names],
        "never_ours": [
            f"{differs[name]} AND NOT {unknown[name]} AND NOT {stays[name]} AND b.{name} IS NULL" for name in names
        ],
    }
    counts = "".join(
        f", CASE WHEN {there} THEN {' + '.join(f'({each})::INTEGER' for each in found) or '0'} ELSE 0 END AS {name}"
        for name, found in why.items()
    )
    joined = marks or "''"
    found = f"""
        SELECT g.kh, g.kl, g.key, b.kh IS NULL AS added, false AS removed,
            concat('', {joined}) AS attributes{texts}{counts}
        FROM {own} g
        JOIN {now} n ON g.kh = n.kh AND g.kl = n.kl
        SEMI JOIN {parquet(run.keys)} k ON g.kh = k.kh AND g.kl = k.kl
        LEFT JOIN {before} b ON g.kh = b.kh AND g.kl = b.kl
    """
    if run.brings_back and run.own is not None and run.before:
        found = f"{found} UNION ALL {_removed(run, run.own, before, now, names)}"
    return f"SELECT * EXCLUDE (kh, kl) FROM ({found}) ORDER BY kh, kl"


def _removed(run: Run, own: Path, before: str, now: str, names: Sequence[str]) -> str:
    """A row for each that the run removed and that is not there now, with all that was acknowledged of it before."""
    known = {name: f"b.{name} IS NOT NULL AND b.{name} <> '{UNKNOWN}'" for name in names}
    marks = ", ".join(f"CASE WHEN {known[name]} THEN '{_YES}' ELSE '{_NO}' END" for name in names) or "''"
    texts = "".join(f", CASE WHEN {known[name]} THEN b.{name} END AS {name}" for name in names)
    return f"""
        SELECT b.kh, b.kl, b.key, false AS added, true AS removed, concat('', {marks}) AS attributes{texts},
            0 AS changed_since, 0 AS in_doubt, 0 AS never_ours
        FROM {before} b
        SEMI JOIN (SELECT kh, kl FROM ({all_columns(own, (), "own", "gone")}) WHERE own AND gone) r
            ON b.kh = r.kh AND b.kl = r.kl
        ANTI JOIN (SELECT kh, kl FROM {parquet(run.keys)} ANTI JOIN (SELECT * FROM {now} WHERE gone) USING (kh, kl)) k
            ON b.kh = k.kh AND b.kl = k.kl
    """


def _sent_names(changed: Path, values: StreamValues, database: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    """The attributes that rows are sent with: those of the query, and of others those that are taken back."""
    if not values.names:
        return ()
    each = ", ".join(f"bool_or(attributes[{place}] = '{_YES}')" for place in range(1, len(values.names) + 1))
    [chosen] = database.execute(f"SELECT {each} FROM {parquet(changed)}").fetchall()
    left = set(values.left)
    return tuple(name for name, back in zip(values.names, chosen, strict=True) if back or name not in left)


def _known_whole(changed: Path, values: StreamValues, sent: Sequence[str]) -> str:
    """The same rows, of which those with a value that is not known are not taken back."""
    unknown = " OR ".join(f"{each} IS NULL" for each in values.columns_of(sent))
    nothing = _NO * len(values.names)
    return f"""
        SELECT * REPLACE (
            CASE WHEN ({unknown}) AND NOT removed THEN '{nothing}' ELSE attributes END AS attributes,
            in_doubt + CASE WHEN ({unknown}) AND NOT removed
                THEN length(replace(attributes, '{_NO}', '')) ELSE 0 END AS in_doubt
        ) FROM {parquet(changed)}
    """


def _rows(
    parts: Parts,
    changed: Path,
    values: StreamValues,
    sent: Sequence[str],
    rows_of: RowsOf,
    database: duckdb.DuckDBPyConnection,
) -> Iterator[pa.RecordBatch]:
    names = values.columns_of(sent)
    chosen = ", ".join(("key", "attributes", *names))
    wanted = f"SELECT {chosen} FROM {parquet(changed)} WHERE {_SENT}"
    schema = pa.schema([("row", pa.int64()), ("attributes", pa.string())])
    first = 1
    with (
        whole_file(parts.folder / UNDO_FILE) as file,
        pq.ParquetWriter(file, schema, compression="zstd") as writer,
        database.sql(wanted).to_arrow_reader(_ROWS) as reader,
    ):
        for batch in reader:
            texts = {name: batch.column(at).cast(pa.string()) for at, name in zip(names, sent, strict=True)}
            numbers = pa.array(np.arange(first, first + batch.num_rows, dtype=np.int64))
            first += batch.num_rows
            marks = batch.column("attributes").cast(pa.string())
            writer.write_batch(pa.RecordBatch.from_arrays([numbers, marks], schema=schema))
            rows = rows_of(batch.column("key").cast(pa.string()), texts)
            yield rows.append_column(pa.field(ROW_NUMBER, pa.int64()), numbers)
        if first == 1:
            # A table is looked at by the columns of its rows, also where some are only deleted.
            nothing = pa.array([], pa.string())
            rows = rows_of(nothing, dict.fromkeys(sent, nothing))
            yield rows.append_column(pa.field(ROW_NUMBER, pa.int64()), pa.array([], pa.int64()))


def _by_attribute(parts: Parts, file: str, values: StreamValues) -> dict[str, int]:
    counts = np.zeros(len(values.names), np.int64)
    for _, marks in marks_of(parts, len(values.names), file=file):
        counts += (marks == CHOSEN).sum(axis=0)
    return {name: rows for name, rows in zip(values.names, counts.tolist(), strict=True) if rows}
