"""How far the pieces of a reading have come, in each kind of state database: moved by the next one, and no other."""

from __future__ import annotations

from dataclasses import replace

from reverse_etl.changeset.pieces import Piece
from reverse_etl.report import PieceOf, RunReport, Status
from reverse_etl.state.pieces import is_next, reading_under_way, readings_under_way
from reverse_etl.state.run_history import find_run
from reverse_etl.state.runs import Reading, close_run
from reverse_etl.state.store import Store
from reverse_etl.state.syncs import last_sync_time
from reverse_etl_tests.state.conftest import begin, report

FIRST = Piece(1, ("'m'", "'t'"), "id", "r1", started_at=1_000, reaches_to=900, asked={"query": "0"}, recipient="{}")
SECOND, LAST = FIRST.then(3), FIRST.then(3).then(3)


def close(store: Store, run_id: str, piece: Piece, *, status: Status = Status.COMPLETED) -> RunReport:
    """Ends a run of three rows that read a piece."""
    begin(store, run_id)
    ended = replace(report(run_id, status=status), piece=PieceOf(piece.number, piece.of))
    return close_run(
        store,
        ended,
        root_run_id=run_id,
        workspace="main",
        failed_rows=(),
        new_last_sync_time=piece.started_at if piece.is_last else None,
        read=Reading(piece.reaches_to, piece=piece),
    )


def next_piece(store: Store) -> Piece | None:
    """That of the reading under way."""
    under_way = reading_under_way(store, "people")
    return under_way.piece if under_way is not None else None


def test_each_piece_moves_to_the_next_and_the_last_one_to_last_sync_time(store: Store) -> None:
    """What the first one knew is kept as it was; a run in the history says which piece it read."""
    close(store, "r1", FIRST)
    assert (SECOND, {"people"}) == (next_piece(store), readings_under_way(store).keys())
    close(store, "r2", SECOND)
    assert (LAST, 0) == (next_piece(store), last_sync_time(store, "people"))
    assert 1_000 == close(store, "r3", LAST).last_sync_time == last_sync_time(store, "people")
    assert next_piece(store) is None
    found = find_run(store, "r2")
    assert found is not None
    assert PieceOf(2, 3) == found.piece


def test_a_piece_that_is_not_the_next_moves_nothing(store: Store) -> None:
    """One that failed, one that was read before, and the last one of a reading that began again."""
    close(store, "r1", FIRST)
    close(store, "r2", SECOND, status=Status.FAILED)
    close(store, "r1", FIRST)
    assert SECOND == next_piece(store)
    again = replace(FIRST, reading="r4", started_at=2_000)
    close(store, "r4", again)
    assert 0 == close(store, "r3", LAST).last_sync_time
    close(store, "r1", FIRST)
    assert again.then(3) == next_piece(store)
    newer = replace(FIRST, reading="r5", started_at=3_000)
    assert [True, True] == [is_next(store, "people", each) for each in (again.then(3), newer)]
    assert [False, False, False] == [is_next(store, "people", each) for each in (SECOND, FIRST, again)]
