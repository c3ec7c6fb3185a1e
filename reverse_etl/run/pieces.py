"""Which piece of a reading of everything a run reads, and the words for it.

Each piece is a run of its own: with its changeset, checks, outcomes, failed rows and alerts. How far they have come is
in ``state.pieces``; who starts the next one is for ``cli`` and ``defs``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reverse_etl.changeset.extract import Before
from reverse_etl.changeset.pieces import InPieces
from reverse_etl.changeset.recipient import Recipient
from reverse_etl.changeset.scope import Reads
from reverse_etl.counted import counted
from reverse_etl.report import Status
from reverse_etl.run import changes
from reverse_etl.state.pieces import reading_under_way

if TYPE_CHECKING:
    from reverse_etl.changeset.parts import Facts
    from reverse_etl.changeset.pieces import Piece
    from reverse_etl.changeset.scope import Scope
    from reverse_etl.run.record import SyncRun


def scope_when_due(run: SyncRun, scope: Scope) -> Scope:
    """What a run reads: everything where that is due, unless that is under way piece by piece."""
    under_way = reading_under_way(run.store, run.sync.name)
    return scope if under_way is not None else changes.with_all_rows_when_due(run, scope)


def to_read(run: SyncRun, scope: Scope, before: Before, recipient: Recipient | None) -> tuple[Before, InPieces | None]:
    """What a run is to know of the runs before it, and how it reads everything where it does.

    As long as pieces are left, a run reads the next one, whatever last sync time is: or everything anew, where the sync
    reads in pieces no longer, or for somebody else. A run with `--full` begins anew.

    Args:
        run: The run.
        scope: What it was asked to read.
        before: What is remembered of the last completed run.
        recipient: For whom it reads; None where that is not asked.
    """
    if not scope.reads.is_whole:
        return before, None
    under_way = reading_under_way(run.store, run.sync.name)
    following = under_way.piece if under_way is not None else None
    if following is not None:
        before = replace(Before(), carried=before.carried)
    known = Recipient.from_text(following.recipient if following is not None else None)
    is_other = known is not None and recipient is not None and not known.is_same(recipient)
    if scope.reads is Reads.FULL or is_other:
        following = None
    if run.sync.pieces is None:
        return before, None
    why = f"The {run.sync.PLACE} is not the one that took the pieces before, so they begin again." if is_other else ""
    text = recipient.as_text() if recipient is not None else ""
    return before, InPieces(run.sync.pieces.by, run.sync.pieces.rows, following, text, why)


def planned_piece(facts: Facts) -> str:
    """What a plan is of, a sentence; empty where it is not of a piece."""
    if facts.piece is None:
        return ""
    return f"These are the rows of {facts.piece.words}: the pieces are sent by one run each, one after the other."


def piece_note(facts: Facts | None, status: Status, *, moves: bool) -> str:
    """What is worth saying of the piece that a run read, in sentences; empty where it read none.

    Args:
        facts: What the run's extraction knew.
        status: How the run ended.
        moves: Whether the next piece is read next, although rows may have failed.
    """
    piece = facts.piece if facts is not None else None
    if facts is None or piece is None:
        return ""
    this_one = piece.words[0].upper() + piece.words[1:]
    if status is Status.COMPLETED or moves:
        return _done(piece, facts.total, this_one)
    return f"{this_one} is read again by the next run, and last sync time stays."


def _done(piece: Piece, rows: int, this_one: str) -> str:
    so_far = f"{counted(piece.rows_before + rows, 'row')} so far"
    if piece.is_last:
        return f"{this_one} was read, {so_far}: everything is."
    return (
        f"{this_one} was read, {so_far}. The next run reads piece {piece.number + 1:,}; last sync time moves with the "
        "last piece."
    )
