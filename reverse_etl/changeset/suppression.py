"""The suppression list that a run goes by: read whole, from a query or a file, and kept beside the changeset.

    <run folder>/suppressed.parquet     id, email: text, e-mail addresses in lower case; null where it is not said

What becomes of the people on it is for the checks.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from reverse_etl.changeset.parts import Parts, RunFolder, private_file
from reverse_etl.changeset.text import as_text
from reverse_etl.errors import ConfigError

if TYPE_CHECKING:
    from reverse_etl.config.syncs import SyncConfig
    from reverse_etl.sources.base import Session

IDENTIFIERS: Final = ("id", "email")

_SCHEMA: Final = pa.schema([(name, pa.string()) for name in IDENTIFIERS])
_FILE: Final = "suppressed.parquet"
_BATCH_ROWS: Final = 50_000


def list_of(parts: Parts) -> Path:
    """Where the list of a run lies; the file is only there for a sync that has one."""
    return parts.folder.parent / _FILE


def store_suppressed(sync: SyncConfig, folder: RunFolder, session: Session | None) -> None:
    """Reads the sync's list, if it has one, into the run's folder; a batch is in memory at a time.

    Args:
        sync: The sync.
        folder: The run's folder, which exists.
        session: Of the sync's database; None where there is none, then a list can only be a file.

    Raises:
        ConfigError: The list has neither a column ``id`` nor ``email``, or its file cannot be read.
        QueryError: The database refused the list's query.
    """
    wanted = sync.suppression.suppression_list if sync.suppression is not None else None
    if wanted is None:
        return
    if wanted.query is None:
        _write(folder, _read_file(wanted.file or Path()))
        return
    if session is None:
        raise ConfigError(
            "a suppression list can only be queried in a run that reads a database.", hint="Give it as a file."
        )
    with closing(session.stream(wanted.query)) as batches:
        _write(folder, batches)


def _write(folder: RunFolder, batches: Iterator[pa.RecordBatch]) -> None:
    partial = folder.path / f"{_FILE}.tmp"
    with (
        private_file(partial) as file,
        pq.ParquetWriter(file, _SCHEMA, compression="zstd", compression_level=1) as writer,
    ):
        for batch in batches:
            writer.write_batch(_comparable(batch))
    partial.replace(folder.path / _FILE)


def _comparable(batch: pa.RecordBatch) -> pa.RecordBatch:
    if not set(IDENTIFIERS) & set(batch.schema.names):
        raise ConfigError(
            "the suppression list has neither a column `id` nor `email`.",
            hint="Column names are case-sensitive: rename one with AS, or in the file's first line.",
        )
    columns = {}
    for name in IDENTIFIERS:
        index = batch.schema.get_field_index(name)
        missing = pa.nulls(batch.num_rows, pa.string())
        columns[name] = missing if index < 0 else as_text(batch.column(index), batch.schema.field(index))
    columns["email"] = pc.utf8_lower(pc.utf8_trim_whitespace(columns["email"]))
    return pa.RecordBatch.from_pydict(columns, schema=_SCHEMA)


def _read_file(path: Path) -> Iterator[pa.RecordBatch]:
    from reverse_etl.sources._arrow import canonical

    try:
        batches = _parquet(path) if path.suffix.lower() == ".parquet" else _csv(path)
        for batch in batches:
            yield canonical(batch, timezone="UTC")
    except OSError as error:
        raise ConfigError(
            f"the suppression list {path} cannot be read: {error.strerror or 'it is no such file'}.",
            hint="Correct suppression_list.file in the sync's file.",
        ) from None
    except pa.ArrowInvalid:
        raise ConfigError(
            f"the suppression list {path} is not what its ending says.",
            hint="A CSV needs a header and as many fields in each line; a Parquet file must be whole.",
        ) from None


def _parquet(path: Path) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(path) as file:
        wanted = [name for name in IDENTIFIERS if name in file.schema_arrow.names]
        yield from file.iter_batches(_BATCH_ROWS, columns=wanted)


def _csv(path: Path) -> Iterator[pa.RecordBatch]:
    # Everything as text: 007 and 7 are two ids.
    with pa_csv.open_csv(path) as reader:
        texts = dict.fromkeys(reader.schema.names, pa.string())
    options = pa_csv.ConvertOptions(column_types=texts, strings_can_be_null=True, null_values=[""])
    with pa_csv.open_csv(path, convert_options=options) as reader:
        yield from reader
