"""Times that are earlier than what was acknowledged before: of ``last_login_at`` and the like, a mistake of the source.

Such a row is sent all the same, and the run warns about it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from reverse_etl.changes.attributes import SENT_FILE
from reverse_etl.changes.compare import parquet
from reverse_etl.changes.values import columns, latest_values
from reverse_etl.counted import counted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import duckdb

    from reverse_etl.changes.attributes import StreamValues
    from reverse_etl.changeset.parts import Parts

_LAST: Final = re.compile(r"last_.*_(at|time|date|timestamp|on)|(updated|modified)_at", re.IGNORECASE)

_SHOWN: Final = 5


def went_back(
    parts: Parts, before: Sequence[Path], values: StreamValues, database: duckdb.DuckDBPyConnection
) -> dict[str, tuple[int, list[int]]]:
    """By attribute, how many rows have an earlier time than was acknowledged, and the first of their numbers.

    Args:
        parts: The rows, with the texts that are to be sent.
        before: The files of values that were acknowledged before; none where they are not known.
        values: What is known.
        database: For a while.
    """
    last = {name: column for name, column in _named(values) if _LAST.fullmatch(name)}
    if not before or not last:
        return {}
    earlier = [f"({_instant(f's.{column}')} < {_instant(f'o.{column}')})" for column in last.values()]
    counts = ", ".join(f"count(*) FILTER ({each}), min(s.row, {_SHOWN}) FILTER ({each})" for each in earlier)
    [found] = database.execute(f"""
        SELECT {counts}
        FROM (SELECT * FROM {parquet(parts.folder / SENT_FILE)} WHERE what IN ('changed', 'in_doubt')) s
        JOIN {latest_values(before, values.names, database)} o ON s.kh = o.kh AND s.kl = o.kl
    """).fetchall()
    pairs = zip(last, found[::2], found[1::2], strict=True)
    return {name: (rows, list(first)) for name, rows, first in pairs if rows}


def in_words(found: dict[str, tuple[int, list[int]]], stream: str) -> str:
    """Sentences about them; empty for none."""
    label = "" if stream == "rows" else f" of the {stream}"
    return " ".join(
        f"`{name}` is earlier than what was acknowledged before in {counted(rows, 'row')}{label} "
        f"({', '.join(map(str, first))}{', …' if rows > len(first) else ''})."
        for name, (rows, first) in found.items()
    )


def _named(values: StreamValues) -> list[tuple[str, str]]:
    return list(zip(values.names, columns(values.names), strict=True))


def _instant(text: str) -> str:
    """A text as it is sent, a number or quoted, as seconds; null where it is no time."""
    plain = f"trim({text}, '\"')"
    return f"coalesce(TRY_CAST({plain} AS DOUBLE), epoch(TRY_CAST({plain} AS TIMESTAMPTZ)))"
