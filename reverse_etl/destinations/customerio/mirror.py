"""A segment as the mirror of a query: people whom the query no longer returns leave it.

Members are read page by page and compared on disk, so memory does not grow with the segment.
Source: App API ``GET /v1/segments/{id}/membership`` and Track API v1 ``remove_customers``, OpenAPI, 2026.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reverse_etl.counted import counted
from reverse_etl.destinations.customerio.lookup import entries, next_page, text, unreadable
from reverse_etl.destinations.customerio.segments import MOST_PEOPLE_A_CALL, change_people
from reverse_etl.errors import CheckFailedError
from reverse_etl.files.scratch import scratch_database

if TYPE_CHECKING:
    import duckdb

    from reverse_etl.destinations.customerio.client import Client
    from reverse_etl.pacing.retry import Patience

PAGE: Final = 10_000
"""Members read at once; the most is 30,000."""

_MEMBERS: Final = pa.schema([("key", pa.string()), ("identifier", pa.string()), ("cio_id", pa.string())])
_RETURNED: Final = pa.schema([("key", pa.string())])


async def remove_others(
    client: Client,
    patience: Patience,
    returned: Iterable[pa.StringArray],
    *,
    segment: int,
    id_type: str,
    most_percent: float,
    at_once: int,
) -> int:
    """Removes the members who are not among the people returned, and returns how many they were.

    Args:
        client: The workspace.
        patience: The retry budget.
        returned: Identifiers of everybody whom the query returned; one pass.
        segment: The segment's id.
        id_type: What the identifiers are: ``id`` or ``email``.
        most_percent: Share of the members that may be removed.
        at_once: Requests open at once.

    Raises:
        CheckFailedError: More would be removed; none was.
        DestinationError: The members cannot be read or removed.
    """
    with tempfile.TemporaryDirectory(prefix="reverse-etl-") as scratch:
        members, kept = Path(scratch) / "members.parquet", Path(scratch) / "returned.parquet"
        await _write_members(client, patience, members, segment=segment, id_type=id_type)
        _write_returned(kept, returned, id_type)
        with _compared(Path(scratch)) as database:
            gone, total = _counted(database)
            if gone * 100 > most_percent * total:
                raise CheckFailedError(
                    f"the query no longer returns {gone:,} of {counted(total, 'person', 'people')} in segment "
                    f"{segment} ({gone / total:.0%}), more than mirror_max_removed: {most_percent:g}% allows to "
                    "remove; no one was removed.",
                    hint="Is the query whole? If so, raise segment.mirror_max_removed in the sync's file for this run.",
                )
            for named_by, column in ((id_type, "identifier"), ("cio_id", "cio_id")):
                await change_people(
                    client,
                    patience,
                    _identifiers(database, column),
                    change="remove_customers",
                    segment=segment,
                    id_type=named_by,
                    at_once=at_once,
                )
    return gone


async def _write_members(client: Client, patience: Patience, path: Path, *, segment: int, id_type: str) -> None:
    start, starts, empty_before = "", {""}, False
    with pq.ParquetWriter(path, _MEMBERS) as writer:
        while True:
            params = {"limit": str(PAGE)} | ({"start": start} if start else {})
            ask = partial(client.ask, "App", "GET", f"/v1/segments/{segment}/membership", params=params)
            reply = await patience.until_settled(ask)
            people = entries(reply, "identifiers", workspace=client.workspace)
            identifiers, cio_ids = (
                pa.array([text(reply, who, key, workspace=client.workspace) or None for who in people], pa.string())
                for key in (id_type, "cio_id")
            )
            writer.write_batch(
                pa.RecordBatch.from_arrays([_comparable(identifiers, id_type), identifiers, cio_ids], schema=_MEMBERS)
            )
            start = next_page(reply, start, workspace=client.workspace)
            if not start:
                return
            if start in starts or (empty_before and not people):
                # In a circle, or without end and without members.
                raise unreadable(reply, "next", workspace=client.workspace)
            starts.add(start)
            empty_before = not people


def _write_returned(path: Path, returned: Iterable[pa.StringArray], id_type: str) -> None:
    with pq.ParquetWriter(path, _RETURNED) as writer:
        for identifiers in returned:
            writer.write_batch(pa.RecordBatch.from_arrays([_comparable(identifiers, id_type)], schema=_RETURNED))


def _comparable(identifiers: pa.StringArray, id_type: str) -> pa.StringArray:
    return pc.utf8_lower(identifiers) if id_type == "email" else identifiers


@contextmanager
def _compared(scratch: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database with the table ``gone``: members without the identifier are no people whom the query returned."""
    escaped = str(scratch).replace("'", "''")
    with scratch_database(scratch, file="compared.duckdb") as database:
        database.execute(f"CREATE TABLE members AS SELECT DISTINCT * FROM read_parquet('{escaped}/members.parquet')")
        database.execute(
            f"CREATE TABLE gone AS SELECT identifier, cio_id FROM members WHERE NOT EXISTS "
            f"(SELECT 1 FROM read_parquet('{escaped}/returned.parquet') AS r WHERE r.key = members.key)"
        )
        yield database


def _counted(database: duckdb.DuckDBPyConnection) -> tuple[int, int]:
    found = database.execute("SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM members)").fetchone()
    return (int(found[0]), int(found[1])) if found else (0, 0)


def _identifiers(database: duckdb.DuckDBPyConnection, column: str) -> Iterator[pa.StringArray]:
    """Those to remove by one kind of identifier: by ``cio_id`` only who has no other."""
    only = "identifier IS NOT NULL" if column == "identifier" else "identifier IS NULL AND cio_id IS NOT NULL"
    cursor = database.cursor()
    cursor.execute(f"SELECT {column} FROM gone WHERE {only}")
    while rows := cursor.fetchmany(MOST_PEOPLE_A_CALL):
        yield pa.array([identifier for (identifier,) in rows], pa.string())
