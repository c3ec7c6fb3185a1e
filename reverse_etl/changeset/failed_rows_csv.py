"""The failed-rows CSV: written whole or not at all, with cells that no spreadsheet runs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.errors import StateError
from reverse_etl.files.private import make_private_folder, replacing
from reverse_etl.report import FAILED_ROW_COLUMNS

_FORMULA: Final = "=+\\-@＝＋－＠"
RUN_BY_SPREADSHEETS: Final = rf"^()('*[{_FORMULA}\t\r\n])"
RUN_AS_ITS_OWN_CELL: Final = rf"([;\t\r\n])('*[{_FORMULA}])"
"""Where a spreadsheet would run a cell as a formula, or where it would look like one that was made harmless.

The second is within a cell: where a comma is the decimal sign, spreadsheets take ``;`` for what parts cells, and
a quote in a line's middle for no quote. Source: OWASP, CSV Injection, read 2026-11.
"""


_NOTHING, _COMMA, _QUOTE, _END_OF_LINE = "", ",", '"', "\r\n"
_TO_QUOTE: Final = '[",\r\n]'


def _text(text: str) -> pa.LargeStringScalar:
    """Made when it is used: pyarrow's first value imports pandas, which a code location need not wait for."""
    return pa.scalar(text, pa.large_string())


def harmless(cells: pa.StringArray) -> pa.StringArray:
    """Cells' texts with apostrophes where a spreadsheet would run them; ``as_it_was`` takes them off one."""
    for pattern in (RUN_AS_ITS_OWN_CELL, RUN_BY_SPREADSHEETS):
        cells = pc.replace_substring_regex(cells, pattern, r"\1'\2")
    return cells


def as_it_was(cell: str) -> str:
    """What ``harmless`` was given."""
    for pattern in (RUN_BY_SPREADSHEETS, RUN_AS_ITS_OWN_CELL):
        cell = re.sub(made_harmless(pattern), r"\1\2", cell)
    return cell


def made_harmless(pattern: str) -> str:
    """The same with the apostrophe that ``harmless`` put there, for ``re`` and DuckDB."""
    return pattern.replace(")(", ")'(")


def write_failed_rows(path: Path, batches: Iterable[pa.RecordBatch]) -> int:
    """Writes the failed-rows CSV, readable by its owner alone, and returns the number of rows.

    Cells that a spreadsheet would run are made ``harmless``. The file appears whole or not at all.
    ``batches`` are of ``failed_rows.FAILED_ROWS`` and may be many: one is held at a time.

    Raises:
        StateError: It cannot be written.
    """
    count = 0
    try:
        make_private_folder(path.parent)
        with replacing(path) as file:
            file.write(f"{','.join(FAILED_ROW_COLUMNS)}{_END_OF_LINE}".encode())
            for batch in batches:
                file.write(_lines(batch))
                count += batch.num_rows
    except OSError as error:
        raise StateError(
            f"{path} cannot be written: {error.strerror or 'the disk fails'}.",
            hint="Free some space, or name a file in a folder that is yours.",
        ) from None
    return count


def _lines(batch: pa.RecordBatch) -> memoryview:
    """Rows as lines, quoted as ``csv.writer`` does, without a Python object for each cell."""
    cells = (_cells(batch.column(name)) for name in FAILED_ROW_COLUMNS)
    cells_joined = pc.binary_join_element_wise(*cells, _text(_COMMA))
    lines = pc.binary_join_element_wise(cells_joined, _text(_NOTHING), _text(_END_OF_LINE))
    _, offsets, text = lines.buffers()
    begin, end = np.frombuffer(offsets, np.int64)[[lines.offset, lines.offset + len(lines)]].tolist()
    return memoryview(text if text is not None else b"")[begin:end]


def _cells(column: pa.Array[Any]) -> pa.LargeStringArray:
    """Each distinct text is looked at once; what is no text needs no look."""
    if not pa.types.is_string(column.type):
        return column.cast(pa.large_string())
    # Identifiers have no bound, so that their sum may be beyond what offsets of 32 bits reach.
    encoded = column.fill_null("").dictionary_encode()
    texts = harmless(encoded.dictionary.cast(pa.large_string()))
    quote = _text(_QUOTE)
    quoted = pc.binary_join_element_wise(quote, pc.replace_substring(texts, '"', '""'), quote, _text(_NOTHING))
    return pc.if_else(pc.match_substring_regex(texts, _TO_QUOTE), quoted, texts).take(encoded.indices)
