"""What is found out about a table before anything is written: what writing would do, and which rows no row is of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from reverse_etl.changeset.parts import ROW_NUMBER
from reverse_etl.destinations._sql.looked_up import looked_up
from reverse_etl.destinations._sql.refusals import reasons_of
from reverse_etl.destinations.mysql.catalogue import quoted
from reverse_etl.destinations.mysql.literals import literals, pieces
from reverse_etl.destinations.mysql.statements import DROP_STAGE, FILL_STAGE, Statements
from reverse_etl.destinations.mysql.transaction import MOST_BYTES, Transaction
from reverse_etl.destinations.table_powers import Effects

if TYPE_CHECKING:
    from reverse_etl.destinations.mysql.connection import Session
    from reverse_etl.destinations.table_powers import LookedUp

_GONE: Final = "reverse_etl_gone"
_FETCHED_ROWS: Final = 10_000


def effects(transaction: Transaction) -> Effects:
    """What writing would do, as far as constraints and triggers do not decide it; the slice is staged."""
    statements, rows = transaction.statements, transaction.rows
    if statements.write == "append":
        return Effects(inserts=rows - len(transaction.refusals)) + _refused(transaction)
    existing, changed, added = (int(mask.sum()) for mask in transaction.plan())
    refused = _refused(transaction)
    if not statements.adds:
        return Effects(0, changed, existing - changed, left_out=added) + refused
    if statements.write == "add_only":
        return Effects(added, left_out=existing) + refused
    return Effects(added, changed, existing - changed) + refused


def _refused(transaction: Transaction) -> Effects:
    refusals = transaction.refusals
    return Effects(refused=len(refusals), refused_by=reasons_of(refusals))


def look_up(session: Session, transaction: Transaction) -> LookedUp:
    """What the table has of a slice; it is staged."""
    statements = transaction.statements
    return looked_up(session.cells(statements.look_up()), statements.compared, transaction.rows)


def not_among(session: Session, statements: Statements, keys: Sequence[pa.RecordBatch]) -> list[pa.RecordBatch]:
    """The keys, as text, of the table's rows that none of these have and that are not marked.

    Args:
        session: Outside of a transaction.
        statements: Those for slices of keys.
        keys: As ``fit`` gives them.
    """
    for drop in (DROP_STAGE, f"DROP TEMPORARY TABLE IF EXISTS {_GONE}"):
        session.run(drop)
    session.run(statements.make_stage(indexed=True))
    place = 0
    for batch in keys:
        for piece in pieces(batch.drop_columns([ROW_NUMBER]), min(MOST_BYTES, session.packet_bytes // 2), place):
            session.run(FILL_STAGE + piece.text(0, len(piece)))
        place += batch.num_rows
    names = [f"c{at}" for at in range(len(statements.key))]
    texts = ", ".join(f"{name} LONGTEXT CHARACTER SET utf8mb4" for name in names)
    session.run(
        f"CREATE TEMPORARY TABLE {_GONE} (place INT NOT NULL AUTO_INCREMENT PRIMARY KEY, {texts}) ENGINE = InnoDB"
    )
    session.run(f"INSERT INTO {_GONE} ({', '.join(names)}) {statements.not_among(_unmarked(statements))}")
    found, first = [], 0
    while rows := session.rows(
        f"SELECT place, {', '.join(names)} FROM {_GONE} WHERE place > {first} ORDER BY place LIMIT {_FETCHED_ROWS}"
    ):
        first = int(rows[-1][0])
        columns = [pa.array(column, pa.string()) for column in [*zip(*rows, strict=True)][1:]]
        found.append(pa.RecordBatch.from_arrays(columns, names=statements.key))
    session.run(f"DROP TEMPORARY TABLE {_GONE}")
    return found


def _unmarked(statements: Statements) -> str:
    """A condition for rows ``t`` that are not marked."""
    marked = []
    for mark in statements.marks:
        name = f"t.{quoted(mark.column.fits.name)}"
        [value] = literals(mark.fitted).to_pylist()
        marked.append(f"{name} IS NOT NULL" if mark.now else f"{name} <=> {value}")
    return f"NOT ({' AND '.join(marked)})" if marked else "TRUE"
