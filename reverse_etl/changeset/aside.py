"""The rows that shaping leaves out: each keeps its number and has an outcome, and none of them is in a part.

What becomes of them is stored beside the parts (``parts``): an outcome a row, how many each reason leaves out, and the
lines of those that could not be shaped.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reverse_etl.changeset.columns import identifiers, read_identifiers
from reverse_etl.changeset.excluded import FIRST_EXCLUDED, LEFT_OUT_FILE, Excluded, write_excluded
from reverse_etl.changeset.parts import (
    FAILED_ROW_SCHEMA,
    ROW_NUMBER,
    SHAPED_FILE,
    Parts,
)
from reverse_etl.files.private import make_private_folder, whole_file
from reverse_etl.report import Outcome, Reason
from reverse_etl.shaping.shape import LEFT, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reverse_etl.config.streams import Stream
    from reverse_etl.shaping.shape import Shaper
    from reverse_etl.shaping.whys import Why


FAILED_FILE: Final = "failed-shape.parquet"


@dataclass(slots=True)
class Aside:
    """The rows of one stream that shaping leaves out, and how many rows there were in all.

    Attributes:
        parts: Where they are noted.
        stream: The stream.
        whys: Why, as the column ``LEFT`` counts them; grows while rows are read.
        transformed: Whether the columns are those that a transform returns.
        rows: Rows so far.
        rejected: Those of them that could not be shaped.
        left_out: Those of them that are left out.
    """

    parts: Parts
    stream: Stream
    whys: list[Why]
    transformed: bool = False
    rows: int = 0
    rejected: int = 0
    left_out: int = 0
    _outcomes: list[np.ndarray[tuple[int], np.dtype[np.uint8]]] = field(default_factory=list)
    _excluded: dict[str, Excluded] = field(default_factory=dict)
    _failed: pq.ParquetWriter | None = None

    def counts(self) -> dict[str, int]:
        """What ``StreamFacts`` has of them, once all batches were read."""
        return {"unshaped": self.rejected, "left_out": self.left_out}

    def passing(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The rows that are not left out, without the columns of shaping; when all were read, the others are noted.

        Args:
            batches: With ``ROW_NUMBER`` and, but for rows that were not read from the query, ``LEFT``.

        Raises:
            StateError: The folder cannot be written.
        """
        make_private_folder(self.parts.folder)
        with ExitStack() as stack:
            for batch in batches:
                self.rows += batch.num_rows
                left = np.asarray(batch.column(LEFT).cast(pa.int32()).fill_null(0).to_numpy(), dtype=np.int32)
                if left.any():
                    self._note(batch, left, stack)
                    batch = batch.filter(pa.array(left == 0))
                else:
                    self._outcomes.append(np.zeros(batch.num_rows, dtype=np.uint8))
                # Without a row, what a transform would have returned is not known.
                if batch.num_rows or not self.transformed:
                    yield batch.select(visible(batch.schema.names))
        self._write()

    def _note(self, batch: pa.RecordBatch, left: np.ndarray[tuple[int], np.dtype[np.int32]], stack: ExitStack) -> None:
        numbers = np.asarray(batch.column(ROW_NUMBER).to_numpy())
        outcomes = np.array([Outcome.UNDELIVERED, *(why.outcome for why in self.whys)], dtype=np.uint8)[left]
        self._outcomes.append(outcomes)
        for code in np.unique(left[left > 0]):
            why = self.whys[code - 1]
            if why.outcome is Outcome.EXCLUDED:
                reason = why.cause.why
                known = self._excluded.setdefault(reason.reason, Excluded(reason.reason, reason.message))
                here = numbers[left == code]
                known.rows += len(here)
                self.left_out += len(here)
                known.first += here[: FIRST_EXCLUDED - len(known.first)].tolist()
        failed = outcomes == Outcome.REJECTED
        if failed.any():
            self.rejected += int(np.count_nonzero(failed))
            if self._failed is None:
                file = stack.enter_context(whole_file(self.parts.folder / FAILED_FILE))
                self._failed = stack.enter_context(pq.ParquetWriter(file, FAILED_ROW_SCHEMA))
            self._failed.write_batch(self._lines(batch.filter(pa.array(failed)), left[failed] - 1))

    def _lines(self, batch: pa.RecordBatch, codes: np.ndarray[tuple[int], np.dtype[np.int32]]) -> pa.RecordBatch:
        causes = [(why.cause.stage, *why.cause.why) for why in self.whys]
        texts = {
            name: pa.array(each, pa.string()).take(pa.array(codes))
            for name, each in zip(("stage", *Reason._fields), zip(*causes, strict=True), strict=True)
        }
        known = read_identifiers(batch, self.stream)
        names = known if known is not None else identifiers(batch, self.stream)
        columns = {"row_number": batch.column(ROW_NUMBER), "query": [self.stream.name] * batch.num_rows}
        return pa.RecordBatch.from_pydict({**columns, "identifier": names, **texts}, schema=FAILED_ROW_SCHEMA)

    def _write(self) -> None:
        outcomes = np.concatenate(self._outcomes) if self._outcomes else np.zeros(0, dtype=np.uint8)
        if not outcomes.any():
            return
        with whole_file(self.parts.folder / SHAPED_FILE) as file:
            np.save(file, outcomes)
        write_excluded(self.parts.folder / LEFT_OUT_FILE, self._excluded.values())


def write_shaped(
    parts: Parts,
    shaper: Shaper,
    numbered: Iterator[pa.RecordBatch],
    *,
    through: Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]] = iter,
) -> Aside:
    """Stores the rows that shaping does not leave out, and notes the others. Raises StateError.

    Args:
        parts: Where they go.
        shaper: What shaped them, or does while they come.
        numbered: All rows, as ``Aside.passing`` takes them.
        through: What those that are stored pass.
    """
    aside = Aside(parts, shaper.stream, shaper.whys, shaper.shape.transform is not None)
    parts.write(through(aside.passing(numbered)))
    if shaper.shape.columns is None:
        complete(parts, shaper.names)
    return aside


def not_shaped(parts: Parts) -> dict[str, int]:
    """How many rows could not be shaped, by reason."""
    path = parts.folder / FAILED_FILE
    counted = pc.value_counts(pq.read_table(path, columns=["reason"])["reason"]) if path.exists() else ()
    return {each["values"].as_py(): each["counts"].as_py() for each in counted}


def complete(parts: Parts, names: Sequence[str]) -> None:
    """Gives each part the columns that a transform gave in later ones, without values. Raises StateError.

    Args:
        parts: The parts.
        names: All columns, in order.
    """
    for number, path in enumerate(parts.paths()):
        schema = pq.read_schema(path)
        missing = [name for name in names if name not in schema.names]
        if missing:
            table = pq.read_table(path)
            for name in missing:
                table = table.append_column(pa.field(name, pa.null()), pa.nulls(table.num_rows))
            others = [name for name in schema.names if name not in names and name != ROW_NUMBER]
            table = table.select([*names, *others, ROW_NUMBER]).combine_chunks()
            arrays = [column.combine_chunks() for column in table.columns]
            parts.write_part(number, pa.RecordBatch.from_arrays(arrays, schema=table.schema))
