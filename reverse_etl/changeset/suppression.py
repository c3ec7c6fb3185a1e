"""The suppression list that a run goes by: read whole, from a query or a file, and kept beside the changeset.

    <run folder>/suppressed.parquet     id, email: text as ``comparable`` makes it; null where there is none

A list that may have been read by half stops the run: people on it must not be sent. What becomes of them is for the
checks.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
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
_MEANT: Final = {"id": "id", "email": "email", "emailaddress": "email"}
"""Columns by the letters of their names."""
_OTHER_SEPARATORS: Final = re.compile(r"[;\t|]")
_SHORTENED: Final = r"^\s*-?[0-9](\.[0-9]+)?E\+[0-9]+\s*$"
"""How a spreadsheet writes a long number, whose last digits are lost."""


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


def comparable(texts: pa.StringArray, name: str) -> pa.StringArray:
    """Identifiers of the list or of rows, so that equal ones are the same person: rather too many than too few.

    Blanks around them do not count, nor does a fraction of zeros, nor the case of e-mail addresses.

    Args:
        texts: As ``changeset.text.as_text`` makes them.
        name: ``id`` or ``email``.
    """
    trimmed = pc.utf8_trim_whitespace(texts)
    if name == "email":
        return pc.utf8_lower(trimmed)
    return pc.replace_substring_regex(trimmed, pattern=r"^(-?[0-9]+)\.0+$", replacement=r"\1")


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
    _require_understood(batch.schema.names)
    columns = {}
    for name in IDENTIFIERS:
        index = batch.schema.get_field_index(name)
        missing = pa.nulls(batch.num_rows, pa.string())
        texts = missing if index < 0 else as_text(batch.column(index), batch.schema.field(index))
        columns[name] = comparable(texts, name)
    return pa.RecordBatch.from_pydict(columns, schema=_SCHEMA)


def _require_understood(names: Sequence[str]) -> None:
    """Makes sure that every column that names people is read. Raises ConfigError, with the spelling that is."""
    for name in names:
        meant = _meant(name)
        if name not in IDENTIFIERS and meant:
            raise ConfigError(
                f"the suppression list has a column `{name.strip()}`, which is not read: the name is not `{meant}`.",
                hint=f"Write `{meant}`, in the file's first line or in the query with AS: the case counts, "
                "and there is nothing around it.",
            )
        if any(map(_meant, parts := _OTHER_SEPARATORS.split(name))) and len(parts) > 1:
            raise ConfigError(
                "the columns of the suppression list are not separated by commas.",
                hint="Save the file with commas between the columns: its first line is `id,email`, `id` or `email`.",
            )
    if not set(IDENTIFIERS) & set(names):
        raise ConfigError(
            "the suppression list has neither a column `id` nor `email`.",
            hint="Write `id` or `email`, in the file's first line or in the query with AS: the case counts.",
        )
    for name in IDENTIFIERS:
        if names.count(name) > 1:
            raise ConfigError(
                f"the suppression list has more than one column `{name}`.",
                hint="Leave one of them: who is on the list?",
            )


def _meant(name: str) -> str:
    """``id`` or ``email`` where a column's name is that in another spelling; empty for any other column."""
    letters = (letter for letter in unicodedata.normalize("NFKC", name) if letter.isalnum())
    return _MEANT.get("".join(letters).casefold(), "")


def _read_file(path: Path) -> Iterator[pa.RecordBatch]:
    from reverse_etl.sources._arrow import canonical

    try:
        batches = _parquet(path) if path.suffix.lower() == ".parquet" else _csv(path)
        for batch in batches:
            readable = canonical(batch, timezone="UTC")
            _require_whole_numbers(path, readable)
            yield readable
    except OSError as error:
        raise ConfigError(
            f"the suppression list {path} cannot be read: {error.strerror or 'it is no such file'}.",
            hint="Correct suppression_list.file in the sync's file.",
        ) from None
    except (pa.ArrowInvalid, UnicodeDecodeError):
        raise ConfigError(
            f"the suppression list {path} is not what its ending says.",
            hint="A CSV is UTF-8, has a header and as many fields in each line; a Parquet file must be whole.",
        ) from None


def _require_whole_numbers(path: Path, batch: pa.RecordBatch) -> None:
    index = batch.schema.get_field_index("id")
    if index < 0 or not pa.types.is_string(batch.column(index).type):
        return
    shortened = pc.sum(pc.match_substring_regex(batch.column(index), _SHORTENED)).as_py()
    if shortened:
        raise ConfigError(
            f"the suppression list {path} has ids such as 1.23E+18: a spreadsheet has cut off their last digits.",
            hint="Write the list again from its source, with the ids as text.",
        )


def _parquet(path: Path) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(path) as file:
        names = file.schema_arrow.names
        _require_understood(names)
        wanted = [name for name in IDENTIFIERS if name in names]
        yield from file.iter_batches(_BATCH_ROWS, columns=wanted)


def _csv(path: Path) -> Iterator[pa.RecordBatch]:
    # Everything as text: 007 and 7 are two ids.
    with pa_csv.open_csv(path) as reader:
        _require_understood(reader.schema.names)
        texts = dict.fromkeys(reader.schema.names, pa.string())
    options = pa_csv.ConvertOptions(column_types=texts, strings_can_be_null=True, null_values=[""])
    with pa_csv.open_csv(path, convert_options=options) as reader:
        yield from reader
