"""What is found out about a table before anything is written: what writing would do, and which rows no row is of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from reverse_etl.changeset.parts import ROW_NUMBER
from reverse_etl.destinations._sql.looked_up import looked_up
from reverse_etl.destinations._sql.refusals import reasons_of
from reverse_etl.destinations.clickhouse.slices import Slice
from reverse_etl.destinations.clickhouse.staging import stage_of
from reverse_etl.destinations.table_powers import Effects

if TYPE_CHECKING:
    from reverse_etl.destinations.clickhouse.session import Session
    from reverse_etl.destinations.clickhouse.statements import Statements
    from reverse_etl.destinations.table_powers import LookedUp


def effects(piece: Slice, statements: Statements) -> Effects:
    """What writing a slice would do, as far as checks do not decide it."""
    if statements.write == "append":
        return Effects(inserts=piece.rows)
    plan = piece.plan(np.empty(0, np.int64))
    new, changed, left_out = (int(mask.sum()) for mask in (plan.new, plan.changed, plan.excluded))
    refused = len(piece.refusals)
    unchanged = piece.rows - refused - new - changed - left_out
    reasons = reasons_of(piece.refusals)
    return Effects(new, changed, unchanged, left_out=left_out, refused=refused, refused_by=reasons)


def effects_of_delete(piece: Slice, statements: Statements) -> Effects:
    """What deleting the rows of a slice of keys would do, or marking them."""
    if statements.marks:
        return Effects(deletes=int(piece.plan(np.empty(0, np.int64)).changed.sum()))
    return Effects(deletes=piece.existing_rows())


def look_up(session: Session, statements: Statements, batch: pa.RecordBatch) -> LookedUp:
    """What the table has of a few rows, as ``fit`` gives them."""
    rows = batch.drop_columns([ROW_NUMBER])
    stage = stage_of(statements, rows, np.ones(rows.num_rows, bool), None)
    return looked_up(session.rows(statements.look_up(), stage=stage), statements.compared, rows.num_rows)


def row_count(session: Session, statements: Statements) -> int:
    """How many rows the table has."""
    ((count,),) = session.rows(statements.count())
    return int(count)


def not_among(session: Session, statements: Statements, keys: Sequence[pa.RecordBatch]) -> list[pa.RecordBatch]:
    """The keys, as text, of the table's rows that none of these have and that are not marked.

    Args:
        session: The way to the server.
        statements: Those of the table.
        keys: As ``fit`` gives them; all of them go to the server in one file.
    """
    names = [column.fits.name for column in statements.key]
    batches = [batch.drop_columns([ROW_NUMBER]).drop_null() for batch in keys]
    whole = pa.Table.from_batches(batches).select(names).combine_chunks().to_batches() if batches else []
    stage = stage_of(statements, whole[0], np.ones(whole[0].num_rows, bool), statements.keys) if whole else None
    found = session.arrow(statements.not_among(staged=stage is not None), stage=stage)
    return [pa.RecordBatch.from_arrays(batch.columns, names=names) for batch in found.to_batches()]
