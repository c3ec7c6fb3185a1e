"""The failed-rows CSV: written whole or not at all, with cells that no spreadsheet runs."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from reverse_etl.errors import StateError
from reverse_etl.files.private import make_private_folder, replacing
from reverse_etl.report import FAILED_ROW_COLUMNS, FailedRow

_FORMULA: Final = "=+\\-@＝＋－＠"
RUN_BY_SPREADSHEETS: Final = rf"^()('*[{_FORMULA}\t\r\n])"
RUN_AS_ITS_OWN_CELL: Final = rf"([;\t\r\n])('*[{_FORMULA}])"
"""Where a spreadsheet would run a cell as a formula, or where it would look like one that was made harmless.

The second is within a cell: where a comma is the decimal sign, spreadsheets take ``;`` for what parts cells, and
a quote in a line's middle for no quote. Source: OWASP, CSV Injection, read 2026-11.
"""


def harmless(cell: str) -> str:
    """A cell's text with apostrophes where a spreadsheet would run it; ``as_it_was`` takes them off."""
    for pattern in (RUN_AS_ITS_OWN_CELL, RUN_BY_SPREADSHEETS):
        cell = re.sub(pattern, r"\1'\2", cell)
    return cell


def as_it_was(cell: str) -> str:
    """What ``harmless`` was given."""
    for pattern in (RUN_BY_SPREADSHEETS, RUN_AS_ITS_OWN_CELL):
        cell = re.sub(made_harmless(pattern), r"\1\2", cell)
    return cell


def made_harmless(pattern: str) -> str:
    """The same with the apostrophe that ``harmless`` put there, for ``re`` and DuckDB."""
    return pattern.replace(")(", ")'(")


def write_failed_rows(path: Path, rows: Iterable[FailedRow]) -> int:
    """Writes the failed-rows CSV, readable by its owner alone, and returns the number of rows.

    Cells that a spreadsheet would run are made ``harmless``. The file appears whole or not at all.
    ``rows`` may be any length: one row is held at a time.

    Raises:
        StateError: It cannot be written.
    """
    count = 0
    try:
        make_private_folder(path.parent)
        with replacing(path) as file, io.TextIOWrapper(file, newline="", encoding="utf-8") as text:
            writer = csv.writer(text)
            writer.writerow(FAILED_ROW_COLUMNS)
            for row in rows:
                writer.writerow([harmless(cell) if isinstance(cell, str) else cell for cell in row.columns().values()])
                count += 1
    except OSError as error:
        raise StateError(
            f"{path} cannot be written: {error.strerror or 'the disk fails'}.",
            hint="Free some space, or name a file in a folder that is yours.",
        ) from None
    return count
