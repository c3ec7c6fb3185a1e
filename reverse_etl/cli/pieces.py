"""A sync whose reading of everything has pieces: one run after the other, until all are read or one is held."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reverse_etl.report import FROM_GOOD_TO_BAD, Counts, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from reverse_etl.changeset.scope import Scope
    from reverse_etl.report import RunReport
    from reverse_etl.state.pieces import UnderWay

DELIVERED: Final = frozenset({Status.COMPLETED, Status.SOME_ROWS_FAILED})
"""How a run ends that sent its rows, failed ones or not."""


def run_pieces(syncs: Path, scope: Scope, run: Callable[[Scope], RunReport]) -> RunReport:
    """Runs a sync, and then each further piece of what it reads; one run where that is not in pieces.

    Args:
        syncs: The folder of the syncs.
        scope: What the first run is asked for; a plan is one piece.
        run: Runs it once.

    Returns:
        The run that ended worst, the last of them, with the rows and seconds of all. It is the one that ended the
        reading before its last piece, where that delivered nothing: whoever waits for these rows, and Ctrl-C, must not
        take earlier failed rows for the end. ``piece`` is where the reading stands; None where everything was read.
    """
    from reverse_etl.changeset.scope import WHAT_CHANGED

    reports = [run(scope)]
    worst = reports[0]
    following = replace(WHAT_CHANGED, accept=scope.accept, adds_max=scope.adds_max, updates_max=scope.updates_max)
    while not scope.plan and _is_followed(reports[-1], syncs):
        report = run(following)
        reports.append(report)
        order = FROM_GOOD_TO_BAD.index
        worst = report if order(report.status) >= order(worst.status) or report.status not in DELIVERED else worst
    return _together(reports, worst, syncs)


def _together(reports: Sequence[RunReport], worst: RunReport, syncs: Path) -> RunReport:
    first, last = reports[0], reports[-1]
    streams = {
        name: sum((each.streams.get(name, Counts()) for each in reports), Counts())
        for name in dict.fromkeys(name for each in reports for name in each.streams)
    }
    piece = last.piece or worst.piece
    if piece is not None and piece.number == piece.of and _under_way(syncs, last.sync) is None:
        piece = None
    seconds = sum(each.duration_s for each in reports)
    return replace(worst, streams=streams, started_at=first.started_at, duration_s=seconds, piece=piece)


def _is_followed(report: RunReport, syncs: Path) -> bool:
    """Whether a run read a piece, and the following one is next."""
    if report.piece is None:
        return False
    under_way = _under_way(syncs, report.sync)
    return under_way is not None and under_way.piece.number == report.piece.number + 1


def _under_way(syncs: Path, sync: str) -> UnderWay | None:
    from reverse_etl.state.home import Home
    from reverse_etl.state.pieces import reading_under_way
    from reverse_etl.state.store import open_store

    return reading_under_way(open_store(Home.from_environment(syncs).state_url), sync)
