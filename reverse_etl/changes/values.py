"""The values that a destination acknowledged, attribute by attribute, beside the fingerprints of whole rows.

    <generation>/<stream>.values.parquet    ``kh``, ``kl``, ``key``, and ``a0``, ``a1`` …: the text of each attribute;
                                            ``own``, whether its run changed them; ``gone``, whether it removed the row;
                                            ``added``, whether the row's key was not known before

A generation has the values of its own run's rows alone; which generations' files are still needed is in ``made.json``,
and so are the names of ``a0``, ``a1`` …: DuckDB does not distinguish `Plan` from `plan`. A text is null where nothing
was ever acknowledged, and ``UNKNOWN`` where something else may have arrived since.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow.parquet as pq

from reverse_etl.changes.compare import parquet

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import duckdb

UNKNOWN: Final = "?"
"""Stands for the text of an attribute that was sent without an answer; it is no JSON, so no value is like it."""

IDENTITY: Final = ("kh", "kl", "key")


def column(place: int) -> str:
    """The column of the attribute at a place of the list of names."""
    return f"a{place}"


def columns(names: Sequence[str]) -> list[str]:
    """The columns of these attributes."""
    return [column(place) for place in range(len(names))]


def latest_values(
    files: Sequence[Path], names: Sequence[str], database: duckdb.DuckDBPyConnection, *, keep_in: str = "latest_keys"
) -> str:
    """The newest values of each key, as a table of DuckDB's SQL: ``kh``, ``kl``, ``key``, ``gone``, ``a0`` ….

    Args:
        files: Of generations, the oldest first, which has all keys that the store had then. At least one.
        names: Of the attributes, as many as there are by now.
        database: Keeps which file has the newest values of a key, for a while.
        keep_in: The table for that: one for each of several in a query.
    """
    oldest, *later = files
    if not later:
        return f"({all_columns(oldest, names, 'gone')})"
    each = (f"SELECT kh, kl, {place} AS place FROM {parquet(path)}" for place, path in enumerate(later))
    keys = " UNION ALL ".join(each)
    database.execute(f"""
        CREATE OR REPLACE TEMP TABLE {keep_in} AS
        SELECT kh, kl, max(place) AS place FROM ({keys}) GROUP BY kh, kl
    """)
    newer = " UNION ALL ".join(
        f"SELECT * FROM ({all_columns(path, names, 'gone')}) "
        f"SEMI JOIN (SELECT kh, kl FROM {keep_in} WHERE place = {place}) USING (kh, kl)"
        for place, path in enumerate(later)
    )
    return (
        f"(SELECT * FROM ({all_columns(oldest, names, 'gone')}) ANTI JOIN {keep_in} USING (kh, kl) UNION ALL {newer})"
    )


def all_columns(path: Path, names: Sequence[str], *more: str) -> str:
    """A file's rows with a column for each attribute, those among them that it was written without.

    Args:
        path: The file.
        names: Of the attributes.
        more: Other columns of it, each true or false; false where it was written without them.
    """
    there = set(pq.read_schema(path).names)
    texts = [name if name in there else f"NULL::VARCHAR AS {name}" for name in columns(names)]
    others = [name if name in there else f"false AS {name}" for name in more]
    return f"SELECT {', '.join((*IDENTITY, *others, *texts))} FROM {parquet(path)}"
