"""The newest run of a sync as one that a further run may continue."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from reverse_etl.report import Status
from reverse_etl.state.schema import RUN

if TYPE_CHECKING:
    from reverse_etl.state.store import Store

CONTINUES: Final = "continues it"
READS_AGAIN: Final = "reads the rows again"
READS_LESS: Final = "reads only what changed since last sync time: for all rows, run with --full"
READS_OTHERS: Final = "reads other rows than this one"
"""What the run that finds one whose process is gone does with its rows."""

LOST: Final = "The run's process ended before the run did"
"""The first words of a run's message where another process wrote its end."""


@dataclass(frozen=True, slots=True)
class NewestRun:
    """A run.

    Attributes:
        run_id: Dagster's run id.
        root_run_id: The first of the chain of re-executions that it belongs to.
        status: How it ended; ``running`` also where its process is gone.
        since: The last sync time that it read from; None where that is not known.
    """

    run_id: str
    root_run_id: str
    status: Status
    since: int | None


def newest_run(store: Store, sync: str) -> NewestRun | None:
    """The sync's newest run that was not skipped; None before the first. Raises StateError."""
    wanted = (
        sa.select(RUN.c.run_id, RUN.c.root_run_id, RUN.c.status, RUN.c.since)
        .where(RUN.c.sync == sync, RUN.c.status != Status.SKIPPED.value)
        .order_by(RUN.c.started_at.desc(), RUN.c.run_id.desc())
        .limit(1)
    )
    with store.reading() as connection:
        found = connection.execute(wanted).one_or_none()
    return NewestRun(found.run_id, found.root_run_id, Status(found.status), found.since) if found else None


def end_gone(store: Store, run_id: str, *, by: str, then: str) -> None:
    """Records the end of a run without a process, and of its re-executions; those that have an end keep it.

    Args:
        store: The history.
        run_id: The run, or the first of a chain of re-executions.
        by: The run that found it; not ended itself.
        then: What that one does: ``CONTINUES``, ``READS_AGAIN``, ``READS_LESS`` or ``READS_OTHERS``.

    Raises:
        StateError: The history cannot be written.
    """
    ended = (
        sa.update(RUN)
        .where(
            sa.or_(RUN.c.run_id == run_id, RUN.c.root_run_id == run_id),
            RUN.c.run_id != by,
            sa.or_(RUN.c.status == Status.RUNNING.value, RUN.c.message.startswith(LOST, autoescape=True)),
        )
        .values(
            status=Status.FAILED.value,
            finished_at=datetime.now(UTC),
            message=f"{LOST}; run {by[:8]} {then}.",
            exit_code=1,
        )
    )
    with store.writing() as connection:
        connection.execute(ended)
