"""A run of Dagster's may hold several syncs: each of them is a run of its own in the history, under an id made here.

The run of a sync's own job has Dagster's id. A run of any other job, as "Materialize" starts one, holds one lease in a
workspace under Dagster's id, and in the history a run a sync: Dagster's id, a dot, the sync's name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from reverse_etl.state.reports import run_reports
from reverse_etl.state.schema import RUN

if TYPE_CHECKING:
    from reverse_etl.report import RunReport
    from reverse_etl.state.store import Store

_DOT: Final = "."


def id_of_sync(run_id: str, sync: str, *, job: str) -> str:
    """The id that a sync has in the history, in a run of Dagster's and in those that re-execute it.

    Args:
        run_id: Dagster's.
        sync: The sync's name.
        job: The name of the run's job.
    """
    return run_id if job == sync else f"{run_id}{_DOT}{sync}"


def dagster_run_of(run_id: str, sync: str) -> str:
    """The id of Dagster's run in which a sync has an id in the history."""
    return run_id.removesuffix(f"{_DOT}{sync}")


def is_of(run_id: str) -> sa.ColumnElement[bool]:
    """Whether a row of the history belongs to a run of Dagster's."""
    return sa.or_(RUN.c.run_id == run_id, RUN.c.run_id.startswith(f"{run_id}{_DOT}", autoescape=True))


def runs_of(store: Store, run_id: str) -> list[RunReport]:
    """What the history has of a run of Dagster's: a report for each of its syncs that has begun. Raises StateError."""
    with store.reading() as connection:
        return run_reports(connection, sa.select(RUN).where(is_of(run_id)))
