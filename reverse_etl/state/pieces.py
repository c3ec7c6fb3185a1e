"""How far a sync's reading of everything in pieces has come: moved in the transaction that closes a piece's run.

A row is there from the end of the first piece to that of the last one. What a piece is lies in ``changeset.pieces``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from reverse_etl.state.schema import PIECES

if TYPE_CHECKING:
    from reverse_etl.changeset.pieces import Piece
    from reverse_etl.state.store import Store


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A reading that has pieces left.

    Attributes:
        piece: The one that is next.
        read_at: When the one before was closed, aware UTC.
    """

    piece: Piece
    read_at: datetime


def reading_under_way(store: Store, sync: str) -> UnderWay | None:
    """A sync's; None where everything was read, or is read in one. Raises StateError."""
    with store.reading() as connection:
        return _under_way(connection.execute(sa.select(PIECES).where(PIECES.c.sync == sync)).one_or_none())


def readings_under_way(store: Store) -> dict[str, UnderWay]:
    """Those of all syncs, by name. Raises StateError."""
    with store.reading() as connection:
        rows = connection.execute(sa.select(PIECES)).all()
    return {row.sync: under_way for row in rows if (under_way := _under_way(row)) is not None}


def is_next(store: Store, sync: str, piece: Piece) -> bool:
    """Whether a piece that was read is still the next one of the sync's reading, or begins one. Raises StateError."""
    under_way = reading_under_way(store, sync)
    if piece.number == 1:
        return under_way is None or _is_newer(piece, under_way.piece)
    return under_way is not None and _place(under_way.piece) == _place(piece)


def move_pieces(store: Store, connection: sa.Connection, sync: str, piece: Piece, rows: int) -> bool:
    """Makes the following piece the next one; false, and nothing is changed, where another run came between.

    Args:
        store: The state.
        connection: The transaction that ends the run.
        sync: The sync's name.
        piece: The one that the run read.
        rows: How many rows it had.
    """
    this_one = sa.and_(PIECES.c.sync == sync, PIECES.c.reading == piece.reading, PIECES.c.next == piece.number)
    if piece.is_last:
        return connection.execute(sa.delete(PIECES).where(this_one)).rowcount == 1
    following = _values(piece.then(rows))
    if piece.number > 1:
        return connection.execute(sa.update(PIECES).where(this_one).values(**following)).rowcount == 1
    under_way = _under_way(connection.execute(sa.select(PIECES).where(PIECES.c.sync == sync)).one_or_none())
    if under_way is not None and not _is_newer(piece, under_way.piece):
        return False
    store.put(connection, PIECES, {"sync": sync, **following}, following)
    return True


def end_pieces(connection: sa.Connection, sync: str, started_at: int) -> None:
    """Forgets a reading that had begun by a time, Unix seconds: a run that began then has read everything in one."""
    under_way = _under_way(connection.execute(sa.select(PIECES).where(PIECES.c.sync == sync)).one_or_none())
    if under_way is not None and under_way.piece.started_at <= started_at:
        connection.execute(sa.delete(PIECES).where(PIECES.c.sync == sync))


def take_back(connection: sa.Connection, sync: str, started_at: int, reaches_to: int | None) -> None:
    """Notes that rows were sent that are older than a reading under way: after it, changes are read from then on.

    Args:
        connection: The transaction that ends the run that sent them.
        sync: The sync's name.
        started_at: When they were read, Unix seconds.
        reaches_to: From when the run after them had to read.
    """
    under_way = _under_way(connection.execute(sa.select(PIECES).where(PIECES.c.sync == sync)).one_or_none())
    if under_way is not None and started_at < under_way.piece.started_at:
        earlier = replace(under_way.piece, started_at=started_at, reaches_to=reaches_to, place="")
        connection.execute(sa.update(PIECES).where(PIECES.c.sync == sync).values(piece=json.dumps(earlier.as_stored())))


def _values(piece: Piece) -> dict[str, Any]:
    return {
        "reading": piece.reading,
        "next": piece.number,
        "piece": json.dumps(piece.as_stored()),
        "read_at": datetime.now(UTC),
    }


def _under_way(row: sa.Row[Any] | None) -> UnderWay | None:
    if row is None:
        return None
    # What cuts rows into pieces imports Arrow, and `status` has to answer at once.
    from reverse_etl.changeset.pieces import Piece

    return UnderWay(Piece.from_stored(json.loads(row.piece)), row.read_at)


def _is_newer(first: Piece, piece: Piece) -> bool:
    """Whether a first piece begins another reading than that of a piece, and not before it."""
    return first.reading != piece.reading and first.started_at >= piece.started_at


def _place(piece: Piece) -> tuple[str, int]:
    return piece.reading, piece.number
