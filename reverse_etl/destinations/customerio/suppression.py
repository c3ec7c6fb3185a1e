"""The suppression list that a run goes by: read whole, from a query or a file, and kept beside the changeset.

    <run folder>/suppressed.parquet     id, email: text as ``comparable`` makes it; null where there is none

A list of which only a part may have been read stops the run: people on it must not be sent. The checks decide what
becomes of them.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from reverse_etl.changeset.parts import Parts, RunFolder
from reverse_etl.changeset.text import as_text
from reverse_etl.destinations.customerio.listed_people import (
    IDENTIFIERS,
    OTHER_ID,
    comparable,
    filled,
    meaning,
    no_value,
    pattern,
    uncertain,
)
from reverse_etl.errors import ConfigError
from reverse_etl.files.private import whole_file

if TYPE_CHECKING:
    from reverse_etl.destinations.customerio.sync import Outgoing
    from reverse_etl.sources.base import Session

_SCHEMA: Final = pa.schema([(name, pa.string()) for name in IDENTIFIERS])
_FILE: Final = "suppressed.parquet"
_BATCH_ROWS: Final = 50_000
_OTHER_SEPARATORS: Final = re.compile(r"[;\t|]")
_HEADER: Final = 0
"""The row number of the columns' names."""

_WAYS_OUT: Final = {
    "id": "Write the whole id as it is in Customer.io, one in a cell, as text: a spreadsheet cuts off the last digits "
    "of long numbers (1.23E+18).",
    "email": "Write one address in a cell, as in ann@example.com, or leave the cell empty.",
}
_EACH_PERSON: Final = (
    "A cell matches whole values only: list each person, for example with a query that selects them with LIKE."
)
_NO_WORDS: Final = (
    "Write the person's `id` or `email`, or take the row out; leave the cell empty where there is no value."
)
_NAMED_ELSEWHERE: Final = (
    "Rename {} to `id` or `email` where it holds that, in the file's first line or in the query with AS; otherwise "
    "write the person's `id` or `email` into the row, or take the row out."
)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a list is; None for a query."""

    path: Path | None = None

    def error(self, row: int | None, problem: str, hint: str) -> ConfigError:
        """An error about a row of the list, from 1, about ``_HEADER``, or with None about none."""
        return ConfigError(f"{self._at(row)}{problem}", hint=hint)

    def _at(self, row: int | None) -> str:
        if self.path is None:
            return f"row {row:,} of suppression_list.query: " if row else ""
        if self.path.suffix.lower() == ".csv" and row is not None:
            return f"{self.path}:{_line(self.path, row)}: "
        return f"{self.path}, row {row:,}: " if row else f"{self.path}: "


def _line(path: Path, row: int) -> int:
    """The line of a CSV on which a row begins; empty lines are no rows."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        before, rows = 0, -1
        for cells in reader:
            rows += bool(cells)
            if rows == row:
                break
            before = reader.line_num
    return before + 1


def list_of(parts: Parts) -> Path:
    """Where the list of a run lies; the file is only there for a sync that has one."""
    return parts.folder.parent / _FILE


def store_suppressed(sync: Outgoing, folder: RunFolder, session: Session | None) -> None:
    """Reads the sync's list, if it has one, into the run's folder; a batch is in memory at a time.

    Args:
        sync: The sync.
        folder: The run's folder, which exists.
        session: Of the sync's database; None where there is none, then a list can only be a file.

    Raises:
        ConfigError: The list cannot be read, or not be understood as a whole.
        QueryError: The database refused the list's query.
    """
    wanted = sync.suppression.suppression_list if sync.suppression is not None else None
    if wanted is None:
        return
    if wanted.query is None:
        path = wanted.file or Path()
        _write(folder, _read_file(path), _Place(path))
        return
    if session is None:
        raise ConfigError(
            "a suppression list can only be queried in a run that reads a database.", hint="Give it as a file."
        )
    with closing(session.stream(wanted.query)) as batches:
        _write(folder, batches, _Place())


def _write(folder: RunFolder, batches: Iterator[pa.RecordBatch], place: _Place) -> None:
    with (
        whole_file(folder.path / _FILE) as file,
        pq.ParquetWriter(file, _SCHEMA, compression="zstd", compression_level=1) as writer,
    ):
        rows = 0
        for batch in batches:
            writer.write_batch(_comparable(batch, place, rows))
            rows += batch.num_rows


def _comparable(batch: pa.RecordBatch, place: _Place, rows_before: int) -> pa.RecordBatch:
    _require_understood(batch.schema.names, place)
    columns = {}
    for name in IDENTIFIERS:
        index = batch.schema.get_field_index(name)
        if index < 0:
            columns[name] = pa.nulls(batch.num_rows, pa.string())
            continue
        column, field = batch.column(index), batch.schema.field(index)
        _require_text(field, place)
        columns[name] = comparable(as_text(column, field), name)
    columns = _with_values(columns, place, rows_before)
    for name, cells in columns.items():
        problem = f"the suppression list has an `{name}` that is a pattern or a domain, not one person."
        _refuse_first(pattern(cells, name), rows_before, place, problem, _EACH_PERSON)
        if name in batch.schema.names:
            problem = f"the suppression list has an `{name}` that may not name exactly one person."
            _refuse_first(uncertain(batch.column(name), cells, name), rows_before, place, problem, _WAYS_OUT[name])
    _require_named(batch, columns, place, rows_before)
    return pa.RecordBatch.from_pydict(columns, schema=_SCHEMA)


def _with_values(columns: dict[str, pa.StringArray], place: _Place, rows_before: int) -> dict[str, pa.StringArray]:
    """The same with null for words such as ``NULL``. Raises ConfigError where nothing else names the row's person."""
    words = {name: no_value(cells) for name, cells in columns.items()}
    named = reduce(pc.or_, (pc.and_not(filled(cells), words[name]) for name, cells in columns.items()))
    for name, word in words.items():
        problem = f"the suppression list has an `{name}` that is a word for no value, in a row that names no person."
        _refuse_first(pc.and_not(word, named), rows_before, place, problem, _NO_WORDS)
    nothing = pa.scalar(None, pa.string())
    return {name: pc.if_else(words[name], nothing, cells) for name, cells in columns.items()}


def _refuse_first(rows: pa.BooleanArray, rows_before: int, place: _Place, problem: str, hint: str) -> None:
    """Raises ConfigError about the first of the rows that are true."""
    row = pc.index(rows, True).as_py()
    if row >= 0:
        raise place.error(rows_before + row + 1, problem, hint)


def _require_text(field: pa.Field, place: _Place) -> None:
    kind = field.type
    if not (pa.types.is_string(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind) or kind == pa.null()):
        raise place.error(
            None,
            f"column `{field.name}` of the suppression list holds neither text nor numbers.",
            "Select it as the text that the rows have.",
        )


def _require_named(batch: pa.RecordBatch, named: dict[str, pa.StringArray], place: _Place, rows_before: int) -> None:
    """Makes sure that a row without an id or an address is empty. Raises ConfigError."""
    unnamed = reduce(pc.and_, (pc.invert(filled(texts)) for texts in named.values()))
    if not pc.any(unnamed).as_py():
        return
    for number, (field, column) in enumerate(zip(batch.schema, batch.columns, strict=True), 1):
        if field.name in IDENTIFIERS:
            continue
        there = filled(column) if pa.types.is_string(field.type) else column.is_valid()
        column_name = f"`{field.name}`" if field.name.strip() else f"column {number}"
        without = "" if field.name.strip() else ", which has no name"
        problem = f"a row of the suppression list has neither `id` nor `email`, only {column_name}{without}."
        _refuse_first(pc.and_(unnamed, there), rows_before, place, problem, _NAMED_ELSEWHERE.format(column_name))


def _require_understood(names: Sequence[str], place: _Place) -> None:
    """Makes sure that every column that names people is read. Raises ConfigError, with the spelling that is."""
    for name in names:
        meant = meaning(name)
        if meant == OTHER_ID:
            meant = "" if "id" in names else "id"
        if name not in IDENTIFIERS and meant:
            raise place.error(
                _HEADER,
                f"the suppression list has a column `{name}`, which is not read: the name is not `{meant}`.",
                f"Write `{meant}`, in the file's first line or in the query with AS, or leave the column out where "
                f"it is not the {meant} in Customer.io: the case counts, and no blanks belong around it.",
            )
        if any(map(meaning, parts := _OTHER_SEPARATORS.split(name))) and len(parts) > 1:
            raise place.error(
                _HEADER,
                "the columns of the suppression list are not separated by commas.",
                "Save the file with commas between the columns: its first line is `id,email`, `id` or `email`.",
            )
    if not set(IDENTIFIERS) & set(names):
        raise place.error(
            _HEADER,
            "the suppression list has neither a column `id` nor `email`.",
            "Write `id` or `email`, in the file's first line or in the query with AS: the case counts.",
        )
    for name in IDENTIFIERS:
        if names.count(name) > 1:
            raise place.error(
                _HEADER,
                f"the suppression list has more than one column `{name}`.",
                "Leave one of them: who is on the list?",
            )


def _read_file(path: Path) -> Iterator[pa.RecordBatch]:
    from reverse_etl.sources._arrow import canonical

    try:
        for batch in _parquet(path) if path.suffix.lower() == ".parquet" else _csv(path):
            yield canonical(batch, timezone="UTC")
    except OSError as error:
        raise ConfigError(
            f"the suppression list {path} cannot be read: {error.strerror or 'there is no such file'}.",
            hint="Correct suppression_list.file in the sync's file.",
        ) from None
    except (pa.ArrowInvalid, UnicodeDecodeError):
        raise ConfigError(
            f"the suppression list {path} does not have the format that its ending names.",
            hint="A CSV is UTF-8, has a header and as many fields in each line; a Parquet file must be whole.",
        ) from None


def _parquet(path: Path) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(path) as file:
        _require_understood(file.schema_arrow.names, _Place(path))
        yield from file.iter_batches(_BATCH_ROWS)


def _csv(path: Path) -> Iterator[pa.RecordBatch]:
    # Everything as text: 007 and 7 are two ids.
    with pa_csv.open_csv(path) as reader:
        _require_understood(reader.schema.names, _Place(path))
        texts = dict.fromkeys(reader.schema.names, pa.string())
    options = pa_csv.ConvertOptions(column_types=texts, strings_can_be_null=True, null_values=[""])
    with pa_csv.open_csv(path, convert_options=options) as reader:
        yield from reader
