"""What is remembered of a run's failed rows: the first of them, and every cause with its count. The CSV has all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from reverse_etl.report import FailedRow, Reason
from reverse_etl.state.schema import FAILED_CAUSE, FAILED_ROW

if TYPE_CHECKING:
    import pyarrow as pa

    from reverse_etl.state.store import Store

MAX_FAILED_ROWS: Final = 10_000
"""How many failed rows of one run are remembered one by one."""

MAX_CAUSES: Final = 1_000
"""How many causes of one run are kept apart; rows of further ones are counted together for each stage."""

FURTHER_CAUSES: Final = "further_causes"
"""The reason under which they are counted."""

_PAGE_ROWS: Final = 1_000


@dataclass(frozen=True, slots=True)
class FailedCause:
    """Failed rows of one run that have query, stage and reason in common.

    Attributes:
        rows: How many, all counted.
    """

    query: str
    stage: str
    why: Reason
    rows: int

    @classmethod
    def from_columns(cls, cells: Sequence[Any]) -> FailedCause:
        """The one with these columns of ``FAILED_CAUSE``, from ``query`` on."""
        query, stage, *why, rows = cells
        return cls(query, stage, Reason(*why), rows)

    def columns(self) -> dict[str, int | str]:
        """The same columns, by name."""
        return {"query": self.query, "stage": self.stage, **self.why._asdict(), "rows": self.rows}


@dataclass(frozen=True, slots=True)
class Digest:
    """A run's failed rows in bounded memory.

    Attributes:
        rows: The first ``MAX_FAILED_ROWS``, e-mail addresses masked.
        causes: All causes, the one with most rows first.
        total: How many failed rows there are.
    """

    rows: tuple[FailedRow, ...]
    causes: tuple[FailedCause, ...]
    total: int


def digest(failed_rows: Iterable[pa.RecordBatch], *, addresses: Container[str] = ()) -> Digest:
    """Reads failed rows (``changeset.failed_rows.FAILED_ROWS``) once, however many they are.

    Args:
        failed_rows: In batches, one of which is held at a time.
        addresses: The queries whose identifiers are e-mail addresses.
    """
    from reverse_etl.changeset.failed_rows import rows_of

    first: list[FailedRow] = []
    causes: Counter[tuple[str, str, Reason]] = Counter()
    for batch in failed_rows:
        kept = rows_of(batch.slice(0, MAX_FAILED_ROWS - len(first)))
        first += [replace(row, identifier=masked(row.identifier, row.query in addresses)) for row in kept]
        for cause, rows in _causes(batch):
            query, stage, _ = cause
            if cause not in causes and len(causes) >= MAX_CAUSES:
                cause = (query, stage, Reason(FURTHER_CAUSES, "", "see the failed-rows CSV"))
            causes[cause] += rows
    ordered = sorted(causes.items(), key=lambda item: (-item[1], item[0]))
    return Digest(
        rows=tuple(first),
        causes=tuple(FailedCause(*cause, rows=rows) for cause, rows in ordered),
        total=causes.total(),
    )


def _causes(batch: pa.RecordBatch) -> Iterator[tuple[tuple[str, str, Reason], int]]:
    """The causes of a batch in the order in which they come first, each with the number of its rows."""
    import pyarrow as pa

    names = ["query", "stage", *Reason._fields]
    grouped = pa.Table.from_batches([batch]).group_by(names, use_threads=False).aggregate([([], "count_all")])
    columns = (grouped.column(name).to_pylist() for name in (*names, "count_all"))
    for query, stage, *why, rows in zip(*columns, strict=True):
        yield (query, stage, Reason(*why)), rows


def masked(identifier: str, is_address: bool = False) -> str:
    """An identifier as it may be shown outside the CSV: of an e-mail address the first letter and the domain.

    A NUL, which PostgreSQL's text cannot hold, is U+FFFD.

    Args:
        identifier: Any identifier.
        is_address: Whether it was meant to be an address, though there may be no ``@`` in it.
    """
    identifier = identifier.replace("\0", "\ufffd")
    name, at, domain = identifier.rpartition("@")
    if at:
        return f"{name[:1]}***@{domain}"
    return f"{identifier[:1]}***" if is_address and identifier else identifier


def forget_failures(connection: sa.Connection, run_id: str) -> None:
    """Removes what is remembered of a run's failed rows."""
    for table in (FAILED_ROW, FAILED_CAUSE):
        connection.execute(sa.delete(table).where(table.c.run_id == run_id))


def remember_failures(connection: sa.Connection, run_id: str, failures: Digest) -> None:
    """Writes a run's failed rows and causes down."""
    entries: dict[sa.Table, Sequence[FailedRow | FailedCause]] = {
        FAILED_ROW: failures.rows,
        FAILED_CAUSE: failures.causes,
    }
    for table, found in entries.items():
        rows = [{"run_id": run_id, "position": position, **entry.columns()} for position, entry in enumerate(found)]
        if rows:
            connection.execute(sa.insert(table), rows)


def causes_of_run(store: Store, run_id: str) -> list[FailedCause]:
    """Why rows of a run failed, with all rows counted, most rows first; empty when none failed."""
    with store.reading() as connection:
        wanted = sa.select(FAILED_CAUSE).where(FAILED_CAUSE.c.run_id == run_id).order_by(FAILED_CAUSE.c.position)
        return [FailedCause.from_columns(row[2:]) for row in connection.execute(wanted)]


def failed_rows_of_run(store: Store, run_id: str) -> Iterator[FailedRow]:
    """The first ``MAX_FAILED_ROWS`` failed rows of a run, in the CSV's order, e-mail addresses masked; one pass."""
    position = -1
    while True:
        wanted = (
            sa.select(FAILED_ROW)
            .where(FAILED_ROW.c.run_id == run_id, FAILED_ROW.c.position > position)
            .order_by(FAILED_ROW.c.position)
            .limit(_PAGE_ROWS)
        )
        with store.reading() as connection:
            page = connection.execute(wanted).all()
        yield from (FailedRow.from_columns(row[2:]) for row in page)
        if len(page) < _PAGE_ROWS:
            return
        position = page[-1].position
