"""What is found out about a table before anything is written: what writing would do, and which rows no row is of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from reverse_etl.destinations._sql.looked_up import looked_up
from reverse_etl.destinations._sql.refusals import reasons_of
from reverse_etl.destinations.snowflake.slices import Slice
from reverse_etl.destinations.table_powers import Effects, LookedUp

if TYPE_CHECKING:
    from reverse_etl.destinations.snowflake.connection import Session
    from reverse_etl.destinations.snowflake.statements import Statements


def effects(session: Session, statements: Statements, batch: pa.RecordBatch) -> Effects:
    """What writing a slice would do."""
    if statements.write == "append":
        return Effects(inserts=batch.num_rows)
    piece = Slice(session, statements, batch)
    piece.stage()
    refusals = piece.plan().refusals
    refused = Effects(refused=len(refusals), refused_by=reasons_of(refusals))
    ((new, changed, same),) = session.rows(statements.count())
    new, changed, same = int(new), int(changed), int(same)
    if not statements.adds:
        return Effects(0, changed, same, left_out=new) + refused
    if statements.write == "add_only":
        return Effects(new, left_out=changed + same) + refused
    return Effects(new, changed, same) + refused


def look_up(session: Session, statements: Statements, batch: pa.RecordBatch) -> LookedUp:
    """What the table has of a slice."""
    Slice(session, statements, batch).stage()
    names = [column.fits.name for column in statements.columns if not column.fits.key]
    return looked_up(session.rows(statements.look_up()), names, batch.num_rows)


def effects_of_delete(session: Session, statements: Statements, batch: pa.RecordBatch) -> Effects:
    """What deleting, or marking, the rows of a slice would do."""
    Slice(session, statements, batch).stage()
    ((found,),) = session.rows(statements.count_deleted())
    return Effects(deletes=int(found))


def row_count(session: Session, statements: Statements) -> int:
    """How many rows the table has."""
    ((count,),) = session.rows(f"SELECT COUNT(*) FROM {statements.table}")
    return int(count)


def not_among(session: Session, statements: Statements, keys: Iterable[pa.RecordBatch]) -> list[pa.RecordBatch]:
    """The keys, as text, of the table's rows that none of these have and that are not marked.

    Args:
        session: Of the table's database.
        statements: Those for slices of keys.
        keys: As ``fit`` gives them.
    """
    Slice.stage_all(session, statements, keys)
    return [
        pa.RecordBatch.from_arrays([_texts(column) for column in zip(*rows, strict=True)], names=statements.key)
        for rows in session.portions(statements.not_among())
    ]


def _texts(values: Sequence[Any]) -> pa.StringArray:
    return pa.array([_text(value) for value in values], pa.string())


def _text(value: Any) -> str:
    """As a table reads it again: ``fit`` takes texts for every type."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, date | datetime) else str(value)
