"""`run` of a sync with pieces: how they ended together."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reverse_etl.changeset.pieces import Piece
from reverse_etl.changeset.scope import WHAT_CHANGED, Scope
from reverse_etl.cli.pieces import run_pieces
from reverse_etl.report import PieceOf, RunReport, Status
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
    monkeypatch.setenv("REVERSE_ETL_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("REVERSE_ETL_TARGET", raising=False)
    monkeypatch.delenv("REVERSE_ETL_STATE_URL", raising=False)
    store = open_store(Home.from_environment(tmp_path).state_url)
    pieces = [Piece(number, ("1", "2"), "id", "r1", started_at=1_000) for number in (1, 2, 3)]
    ends: Iterator[tuple[Piece, Status]] = zip(pieces, statuses, strict=False)

    def run(_scope: Scope) -> RunReport:
        piece, status = next(ends)
        if status in (Status.COMPLETED, Status.SOME_ROWS_FAILED):
            with store.writing() as connection:
                move_pieces(store, connection, "people", piece, 3)
        at = datetime(2026, 1, 5, tzinfo=UTC)
        return RunReport("people", f"run-{piece.number}", status, at, piece=PieceOf(piece.number, piece.of))

    assert f"run-{counts}" == run_pieces(tmp_path, WHAT_CHANGED, run).run_id
    assert [] == list(ends)
