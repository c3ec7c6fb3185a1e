"""How many runs of a sync failed, or were skipped, one after the other and until now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from reverse_etl.report import Status
from reverse_etl.state.schema import RUN, SYNC

if TYPE_CHECKING:
    from collections.abc import Collection

ENDS: Final = [status.value for status in (Status.COMPLETED, Status.SOME_ROWS_FAILED, Status.FAILED)]
"""Of runs that came to an end of their own."""


@dataclass(frozen=True, slots=True)
class InARow:
    """Of one sync.

    Attributes:
        failed: Runs that failed, or left failed rows, since the newest one that completed.
        skipped: Due runs that were skipped since the newest one that came to an end of its own began.
    """

    failed: int = 0
    skipped: int = 0


def in_a_row(connection: sa.Connection, syncs: Collection[str] | None = None) -> dict[str, InARow]:
    """By sync; of these, or of all that are remembered.

    Args:
        connection: To the state database.
        syncs: Their names; None: all.
    """
    failed = _since([Status.FAILED.value, Status.SOME_ROWS_FAILED.value], [Status.COMPLETED.value])
    skipped = _since([Status.SKIPPED.value], ENDS)
    wanted = sa.select(SYNC.c.name, failed.label("failed"), skipped.label("skipped"))
    if syncs is not None:
        wanted = wanted.where(SYNC.c.name.in_(syncs))
    return {row.name: InARow(row.failed, row.skipped) for row in connection.execute(wanted)}


def _since(counted: list[str], ended_by: list[str]) -> sa.ScalarSelect[Any]:
    """How many runs of a sync have one of some statuses, and began after the newest one that has one of others."""
    other = RUN.alias()
    newest = (
        sa.select(other.c.started_at)
        .where(other.c.sync == SYNC.c.name, other.c.status.in_(ended_by))
        .order_by(other.c.started_at.desc())
        .limit(1)
        .correlate(SYNC)
        .scalar_subquery()
    )
    return (
        sa.select(sa.func.count())
        .select_from(RUN)
        .where(RUN.c.sync == SYNC.c.name, RUN.c.status.in_(counted))
        .where(sa.or_(newest.is_(None), RUN.c.started_at > newest))
        .correlate(SYNC)
        .scalar_subquery()
    )
