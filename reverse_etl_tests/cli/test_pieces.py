"""`run` of a sync with pieces: how they ended together."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from reverse_etl.changeset.pieces import Piece
from reverse_etl.changeset.scope import WHAT_CHANGED, Scope
from reverse_etl.cli.pieces import DELIVERED, run_pieces
from reverse_etl.cli.several import Ended
from reverse_etl.report import Counts, PieceOf, RunReport, Status
from reverse_etl.state.home import Home
from reverse_etl.state.pieces import move_pieces
from reverse_etl.state.store import open_store


@pytest.mark.parametrize(
    ("statuses", "counts"),
    [
        ([Status.COMPLETED, Status.COMPLETED, Status.COMPLETED], 3),
        ([Status.SOME_ROWS_FAILED, Status.COMPLETED, Status.COMPLETED], 1),
        ([Status.SOME_ROWS_FAILED, Status.CANCELED], 2),
        ([Status.SOME_ROWS_FAILED, Status.SKIPPED], 2),
        ([Status.SOME_ROWS_FAILED, Status.COMPLETED, Status.FAILED], 3),
    ],
)
def test_what_ends_a_reading_before_its_last_piece_counts(
    statuses: list[Status], counts: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Failed rows of an earlier piece do not hide that a later one was canceled, skipped or failed."""
    pieces = [Piece(number, ("1", "2"), "id", "r1", started_at=1_000) for number in (1, 2, 3)]
    ends = list(zip(pieces, statuses, strict=False))
    whole = run_with(ends, tmp_path, monkeypatch)
    assert f"run-{counts}" == whole.run_id
    assert [] == ends


def run_with(ends: list[tuple[Piece, Status]], folder: Path, patch: pytest.MonkeyPatch, held: int = 0) -> RunReport:
    """Runs that end so, each of which reads a piece of four rows, one of them failed; the piece ``held`` is left."""
    patch.setenv("REVERSE_ETL_HOME", str(folder / "home"))
    patch.delenv("REVERSE_ETL_TARGET", raising=False)
    patch.delenv("REVERSE_ETL_STATE_URL", raising=False)
    store = open_store(Home.from_environment(folder).state_url)

    def run(_scope: Scope) -> RunReport:
        piece, status = ends.pop(0)
        if status in DELIVERED and piece.number != held:
            with store.writing() as connection:
                assert move_pieces(store, connection, "people", piece, 4)
        at = datetime(2026, 1, 5, piece.number, tzinfo=UTC)
        of = PieceOf(piece.number, piece.of)
        counts = {"rows": Counts(extracted=4, delivered=3, rejected=1)}
        return RunReport("people", f"run-{piece.number}", status, at, 2.0, streams=counts, piece=of)

    return run_pieces(folder, WHAT_CHANGED, run)


def test_a_reading_counts_the_rows_of_all_its_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And their seconds, from the first one's start; it is no piece once everything is read."""
    pieces = [Piece(number, ("1", "2"), "id", "r1", started_at=1_000) for number in (1, 2, 3)]
    ends = list(zip(pieces, [Status.SOME_ROWS_FAILED, Status.COMPLETED, Status.COMPLETED], strict=True))
    whole = run_with(ends, tmp_path, monkeypatch)
    assert Counts(extracted=12, delivered=9, rejected=3) == whole.rows
    assert ("run-1", 6.0, 1, None) == (whole.run_id, whole.duration_s, whole.started_at.hour, whole.piece)


@pytest.mark.parametrize("held", [1, 2, 3])
def test_a_piece_with_too_many_failed_rows_leaves_the_reading_open(
    held: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read again, so nothing that runs after the sync may start: also where it is the first or the last one."""
    pieces = [Piece(number, ("1", "2"), "id", "r1", started_at=1_000) for number in range(1, held + 1)]
    whole = run_with([(piece, Status.SOME_ROWS_FAILED) for piece in pieces], tmp_path, monkeypatch, held)
    assert (PieceOf(held, 3), 4 * held) == (whole.piece, whole.rows.extracted)
    assert "has pieces left to read" == Ended("people", whole).missing
