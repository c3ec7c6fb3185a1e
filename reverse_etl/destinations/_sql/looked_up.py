"""What a table has of rows, made of what a query found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from reverse_etl.destinations.table_powers import LookedUp


def looked_up(rows: Sequence[Sequence[Any]], columns: Sequence[str], count: int) -> LookedUp:
    """What was found of some rows.

    Args:
        rows: Of each that the table has, its place, and for each column whether it is the same, the text that it
            should have and the one that it has. Where several rows have one key, the first counts.
        columns: What they are called.
        count: How many rows were asked about.
    """
    by_place: dict[int, Sequence[Any]] = {}
    for row in rows:
        by_place.setdefault(int(row[0]), row)
    there = [by_place.get(place) for place in range(count)]

    def texts(at: int) -> pa.StringArray:
        return pa.array([row and row[at] for row in there], pa.string())

    return LookedUp(
        pa.array([row is not None for row in there], pa.bool_()),
        {
            name: pa.array([row and row[3 * at + 1] in (True, "1") for row in there], pa.bool_())
            for at, name in enumerate(columns)
        },
        {name: texts(3 * at + 2) for at, name in enumerate(columns)},
        {name: texts(3 * at + 3) for at, name in enumerate(columns)},
    )
