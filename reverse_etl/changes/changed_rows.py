"""What a plan shows of changed rows: the first of them, each with its old and its new values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from reverse_etl.changes.attributes import SENT_FILE
from reverse_etl.changes.chosen import CHANGED_FILE, CHOSEN
from reverse_etl.changes.compare import parquet
from reverse_etl.changes.values import UNKNOWN, columns, latest_values

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import duckdb

    from reverse_etl.changes.attributes import StreamValues
    from reverse_etl.changeset.parts import Parts

FIRST: Final = 20
"""Rows that a plan shows."""


@dataclass(frozen=True, slots=True)
class ChangedRow:
    """A row that differs from what was acknowledged.

    Attributes:
        row_number: From 1.
        attributes: The names of those that differ.
        key: What the destination knows the row by; None where no value is to be shown.
        values: The old and the new text of each attribute that differs; the old one is None where it is not known.
            Empty where no value is to be shown.
    """

    row_number: int
    attributes: tuple[str, ...]
    key: str | None = None
    values: dict[str, tuple[str | None, str | None]] = field(default_factory=dict)


def changed_rows(
    parts: Parts,
    before: Sequence[Path],
    values: StreamValues,
    database: duckdb.DuckDBPyConnection,
    *,
    with_values: bool,
) -> tuple[ChangedRow, ...]:
    """The first rows of which it is known which attributes differ, by row number.

    Args:
        parts: The rows, compared.
        before: The files of values that were acknowledged before; none where they are not known.
        values: What is known.
        database: For a while.
        with_values: Whether keys and values are shown.
    """
    if not before or not (parts.folder / CHANGED_FILE).exists():
        return ()
    names = columns(values.names)
    old, new = (", ".join(f"{table}.{name}" for name in names) for table in "os")
    found = database.execute(f"""
        SELECT c.row, c.attributes, s.key, [{old}], [{new}]
        FROM (
            SELECT * FROM {parquet(parts.folder / CHANGED_FILE)} WHERE contains(attributes, '{chr(CHOSEN)}')
            ORDER BY row LIMIT {FIRST}
        ) c
        JOIN {parquet(parts.folder / SENT_FILE)} s ON c.row = s.row
        JOIN {latest_values(before, values.names, database)} o ON s.kh = o.kh AND s.kl = o.kl
        ORDER BY c.row
    """).fetchall()
    shown = []
    for number, bits, key, was, now in found:
        places = [place for place, bit in enumerate(bits) if bit == chr(CHOSEN)]
        differs = {
            values.names[place]: (None if was[place] == UNKNOWN else was[place], now[place] or values.cleared)
            for place in places
        }
        shown.append(ChangedRow(number, tuple(differs), *((key, differs) if with_values else ())))
    return tuple(shown)
