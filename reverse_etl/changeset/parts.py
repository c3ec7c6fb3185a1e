"""The run's folder: Parquet parts of each stream, one outcome byte a row, and the facts of the run.

    <home>/changesets/<sync>/<root run id>/
        facts.json                  what the extraction knew; written last, so its presence seals the parts
        rows/part-000000.parquet    the rows of a stream: the columns as queried, plus ROW_NUMBER, last
        rows/outcomes.npy           uint8 per row (``report.Outcome``), at index row number - 1
        rows/excluded.json          the rows that each rule leaves out: how many, and the first of them
        rows/excluded-delivery.json as ``excluded.json``, of those that delivery leaves out
        rows/shaped.npy             the same of the rows that shaping leaves out, which are in no part; and with it
        rows/left_out.json          as ``excluded.json``, and
        rows/failed-shape.parquet   as the following, of those that could not be shaped
        rows/failed-check.parquet   FailedRow columns of rows that a check rejected, by row number
        rows/failed-delivery.parquet  the same for rows that the destination refused or that were not delivered
        …/…                         the same for each further stream, and for keys to remove (``Stream.gone``)

Parts are read one record batch at a time; nothing here holds a whole changeset in memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reverse_etl.changeset.excluded import EXCLUDED_FILE, LEFT_OUT_LATER_FILE, Excluded, read_excluded, write_excluded
from reverse_etl.changeset.facts import Facts as Facts
from reverse_etl.changeset.failed_rows import FAILED_ROW_SCHEMA as FAILED_ROW_SCHEMA
from reverse_etl.changeset.failed_rows import rows_of, with_attempts
from reverse_etl.files.private import make_private_folder, whole_file
from reverse_etl.report import Counts, FailedRow, Outcome

if TYPE_CHECKING:
    from reverse_etl.changeset.shared import SharedFolder

ROW_NUMBER = "__row_number__"
"""Name of the int64 column that holds a row's number, from 1, in the order of the query's result."""

Outcomes = np.ndarray[tuple[int], np.dtype[np.uint8]]
"""``Outcome`` of each row of a stream, the row number less 1 being its place."""

SHAPED_FILE = "shaped.npy"
REMOVALS_FILE = "removals.json"
IN_DOUBT_FILE = "in_doubt.json"
JOBS_FILE = "jobs.json"
STAGES = ("shape", "check", "delivery")
"""After which of them failed rows are stored."""

_KEPT_BACK = (Outcome.REJECTED, Outcome.EXCLUDED)
_FAILED_AT_ONCE = 16_384
_FEW = 1_000  # rows, for which threads take longer to start than to work
_OFTEN_THE_SAME = ["query", "stage", "reason", "field", "message"]


@dataclass(frozen=True, slots=True)
class Parts:
    """The stored rows of one stream, and what became of each.

    Attributes:
        folder: Where they lie; made by the writer.
        stream: The stream's name.
        shared: Where other machines find the run's folder; None where this one keeps it for itself.
    """

    folder: Path
    stream: str
    shared: SharedFolder | None = None

    def write(self, batches: Iterable[pa.RecordBatch]) -> int:
        """Stores batches that already carry ``ROW_NUMBER``; returns the number of rows. Raises StateError.

        Each batch becomes one file, because batches of one result may differ in a column's type. One is written
        while the next is read.
        """
        make_private_folder(self.folder)
        rows = 0
        written: Future[None] | None = None
        with ThreadPoolExecutor(1) as writer:
            for number, batch in enumerate(batches):
                if written is not None:
                    written.result()
                written = writer.submit(self.write_part, number, batch)
                rows += batch.num_rows
            if written is not None:
                written.result()
        return rows

    def write_part(self, number: int, batch: pa.RecordBatch) -> None:
        """Stores one part, in the place of the one of that number, from 0. Raises StateError."""
        # Dictionaries cost twice the time, and twice the space that zstd alone takes.
        with whole_file(self.path(number)) as file:
            pq.write_table(
                pa.Table.from_batches([batch]), file, compression="zstd", compression_level=1, use_dictionary=False
            )

    def path(self, number: int) -> Path:
        """The part of a number, from 0, in the order in which ``write`` takes them."""
        return self.folder / f"part-{number:06d}.parquet"

    def paths(self) -> list[Path]:
        """The part files, in row order."""
        return sorted(self.folder.glob("part-*.parquet"))

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """All rows in order, a part at a time, each batch with ``ROW_NUMBER``; may be read many times.

        Args:
            columns: Those to read beside ``ROW_NUMBER``; all when left out.
        """
        return (self.batch(path, columns) for path in self.paths())

    def batch(self, path: Path, columns: Sequence[str] | None = None) -> pa.RecordBatch:
        """The rows of one of the ``paths``, as ``batches`` has them."""
        names = None if columns is None else [*columns, ROW_NUMBER]
        with pq.ParquetFile(path) as file:
            table = file.read(columns=names, use_threads=file.metadata.num_rows > _FEW)
        table = table if names is None else table.select(names)
        return (
            table.combine_chunks().to_batches()[0] if table.num_rows else pa.RecordBatch.from_pylist([], table.schema)
        )

    def schema(self) -> pa.Schema | None:
        """The columns without ``ROW_NUMBER``, each as the first part that has values of it; None without parts."""
        schema: pa.Schema | None = None
        for path in self.paths():
            here = pq.read_schema(path)
            schema = here if schema is None else _with_types(schema, here)
            if not any(pa.types.is_null(field.type) for field in schema):
                break
        if schema is None:
            return None
        return schema.remove(schema.get_field_index(ROW_NUMBER))

    @property
    def checked(self) -> bool:
        """Whether the checks have come to their end: then every row has an outcome."""
        return (self.folder / "outcomes.npy").exists()

    def forget_outcomes(self) -> None:
        """Removes what is known of the rows beside the journal: outcomes, and the lines of failed rows."""
        known = ("outcomes.npy", EXCLUDED_FILE, LEFT_OUT_LATER_FILE)
        for name in (*known, "failed-check.parquet", "failed-delivery.parquet"):
            (self.folder / name).unlink(missing_ok=True)

    def outcomes(self, rows: int) -> Outcomes:
        """The stored outcome of each row; when none are stored yet, as shaping left them."""
        return self._stored_outcomes("outcomes.npy") if self.checked else self.shaped(rows)

    def shaped(self, rows: int) -> Outcomes:
        """The outcome of the rows that shaping left out, and ``UNDELIVERED`` for all others."""
        return self._stored_outcomes(SHAPED_FILE) if (self.folder / SHAPED_FILE).exists() else np.zeros(rows, np.uint8)

    def _stored_outcomes(self, name: str) -> Outcomes:
        return np.asarray(np.load(self.folder / name), dtype=np.uint8)

    def write_outcomes(self, outcomes: Outcomes) -> None:
        """Stores the outcome of each row, whole or not at all."""
        make_private_folder(self.folder)
        with whole_file(self.folder / "outcomes.npy") as file:
            np.save(file, outcomes)

    def write_excluded(self, excluded: Iterable[Excluded]) -> None:
        """Stores which rows are left out before delivery. Raises StateError."""
        write_excluded(self.folder / EXCLUDED_FILE, excluded)

    def excluded(self) -> list[Excluded]:
        """The rows that are left out, by rule; nothing before the checks have come to their end."""
        return read_excluded(self.folder / EXCLUDED_FILE)

    def sendable(self, outcomes: Outcomes) -> Iterator[pa.RecordBatch]:
        """The rows whose outcome is still ``UNDELIVERED``, in order; of a part without any, nothing more is read."""
        for path in self.paths():
            keep = outcomes[self.batch(path, ()).column(ROW_NUMBER).to_numpy() - 1] == Outcome.UNDELIVERED
            if keep.any():
                yield self.batch(path) if keep.all() else self.batch(path).filter(pa.array(keep))

    def valid(self) -> Iterator[pa.RecordBatch]:
        """The rows that passed the checks, sent or not, in order; batches may be empty."""
        outcomes = self.outcomes(0) if self.checked else None
        for batch in self.batches():
            numbers = batch.column(batch.num_columns - 1).to_numpy()
            yield batch if outcomes is None else batch.filter(pa.array(~np.isin(outcomes[numbers - 1], _KEPT_BACK)))

    def write_failed(self, stage: str, batches: Iterable[pa.RecordBatch]) -> int:
        """Stores failed rows (``FAILED_ROW_SCHEMA``, ascending row numbers) found at a stage; returns how many.

        They take the place of those that were stored for it before. Raises StateError.
        """
        make_private_folder(self.folder)
        rows = 0
        path = self.folder / f"failed-{stage}.parquet"
        with (
            whole_file(path) as file,
            pq.ParquetWriter(file, FAILED_ROW_SCHEMA, use_dictionary=_OFTEN_THE_SAME) as writer,
        ):
            for batch in batches:
                writer.write_batch(batch)
                rows += batch.num_rows
        return rows

    def failed_count(self) -> int:
        """How many failed rows are stored so far."""
        paths = (self.folder / f"failed-{stage}.parquet" for stage in STAGES)
        return sum(pq.read_metadata(path).num_rows for path in paths if path.exists())

    def failed(self) -> Iterator[FailedRow]:
        """Every failed row stored so far: stage after stage."""
        return (row for batch in self.failed_batches() for row in rows_of(batch))

    def failed_batches(self) -> Iterator[pa.RecordBatch]:
        """The same by ``FAILED_ROW_SCHEMA``, some thousand rows at a time."""
        for stage in STAGES:
            path = self.folder / f"failed-{stage}.parquet"
            if path.exists():
                with pq.ParquetFile(path) as file:
                    yield from file.iter_batches(_FAILED_AT_ONCE, use_threads=file.metadata.num_rows > _FEW)


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The folder of one run and of its re-executions, which reuse the stored changeset.

    Attributes:
        path: Where it lies on this machine; made by what writes to it.
        shared: Where other machines find it; None where this one keeps it for itself.
    """

    path: Path
    shared: SharedFolder | None = None

    def parts(self, stream: str) -> Parts:
        """The parts of the stream of a name."""
        return Parts(self.path / stream, stream, self.shared)

    def failed(self, *, attempt: int = 1) -> Iterator[FailedRow]:
        """Every failed row of every stream, as one of an attempt; none before the extraction is complete."""
        return (row for batch in self.failed_batches(attempt=attempt) for row in rows_of(batch))

    def failed_batches(self, *, attempt: int = 1) -> Iterator[pa.RecordBatch]:
        """The same by ``failed_rows.FAILED_ROWS``, some thousand rows at a time."""
        for stream in self.sent():
            for batch in self.parts(stream).failed_batches():
                yield with_attempts(batch, np.full(batch.num_rows, attempt))

    def outcomes(self, stream: str) -> Outcomes:
        """What became of each row of a stream; of none before the extraction is complete."""
        return self.parts(stream).outcomes(self.sent().get(stream, 0))

    def sent(self) -> dict[str, int]:
        """How many rows each stream has, and then how many keys are removed; empty before they were read."""
        facts = self.facts()
        return {name: read.rows for name, read in facts.streams.items()} | self.removals() if facts else {}

    def removals(self) -> dict[str, int]:
        """How many keys are removed, by the name of their stream (``Stream.gone``)."""
        path = self.path / REMOVALS_FILE
        return dict(json.loads(path.read_text())) if path.exists() else {}

    def seal(self, facts: Facts) -> None:
        """Says that extraction is complete."""
        with whole_file(self.path / "facts.json") as file:
            file.write(json.dumps(facts.as_stored()).encode())

    def facts(self) -> Facts | None:
        """What the extraction knew; None while it is not complete."""
        path = self.path / "facts.json"
        return Facts.from_stored(json.loads(path.read_text())) if path.exists() else None


def count(outcomes: Outcomes) -> Counts:
    """Rows by outcome; it takes a byte of memory a row, where ``bincount`` would take eight."""
    by_outcome = {each.name.lower(): int(np.count_nonzero(outcomes == each)) for each in Outcome}
    return Counts(extracted=len(outcomes), **by_outcome)


def with_row_numbers(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Adds ``ROW_NUMBER`` as the last column, counting from 1 across all batches."""
    next_number = 1
    for batch in batches:
        numbers = pa.array(np.arange(next_number, next_number + batch.num_rows, dtype=np.int64))
        next_number += batch.num_rows
        yield batch.append_column(pa.field(ROW_NUMBER, pa.int64()), numbers)


def numbers_where(batch: pa.RecordBatch, mask: pa.BooleanArray) -> pa.Int64Array:
    """Row numbers of the rows where the mask is true; null counts as false."""
    return pc.filter(batch.column(ROW_NUMBER), pc.fill_null(mask, False))


def _with_types(schema: pa.Schema, other: pa.Schema) -> pa.Schema:
    fields = (there if pa.types.is_null(field.type) else field for field, there in zip(schema, other, strict=True))
    return pa.schema(fields)
