"""Which run holds a workspace: one at a time, whatever command, queue or machine it comes from.

A run takes the lease at its first stage and gives it back when it is closed. Meanwhile its process gives signs of life
(``heartbeat``); without them the next run takes the lease, and the run that held it is recorded as failed.
Decision: docs/decisions/0007-one-run-per-workspace.md.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from reverse_etl.report import Status
from reverse_etl.state.interrupted_runs import LOST
from reverse_etl.state.run_ids import is_of
from reverse_etl.state.schema import LEASE, RUN
from reverse_etl.workers import heartbeat, processes

if TYPE_CHECKING:
    from reverse_etl.report import RunReport
    from reverse_etl.state.store import Store

SILENT: Final = timedelta(seconds=180)
"""A run is taken to be dead after this long without a sign of life: nine heartbeats."""

_FREE: Final = ""


@dataclass(frozen=True, slots=True)
class Lease:
    """A run that has the workspace.

    Attributes:
        run_id: Dagster's run id.
        sync: Its sync's name.
        taken_at: Aware UTC.
        resting: Between two stages, so that no process stands for it.
        waits: That it waits for its workspace, for how long still, and why; empty where it does not.
    """

    run_id: str
    sync: str
    taken_at: datetime
    resting: bool = False
    waits: str = ""

    @property
    def label(self) -> str:
        """For messages: ``run 1a2b3c4d of orders``."""
        return f"run {self.run_id[:8]} of {self.sync}"


def take(store: Store, workspace: str, *, run_id: str, sync: str) -> Lease | None:
    """Gives a run the workspace's lease, unless another living run holds it; taking it again is a sign of life.

    Returns:
        None when the run holds it now; otherwise the lease of the other one.

    Raises:
        StateError: The state database cannot be used.
    """
    with store.writing() as connection:
        now = store.now(connection)
        insert = store.insert(LEASE)
        free = {"run_id": _FREE, "sync": "", "taken_at": now, "beat_at": now, "machine": "", "pid": None}
        connection.execute(insert.values(workspace=workspace, **free).on_conflict_do_nothing())
        wanted = sa.select(LEASE).where(LEASE.c.workspace == workspace).with_for_update()
        found = connection.execute(wanted).one()
        if found.run_id not in (_FREE, run_id) and _alive(found, now):
            return _lease(found, now)
        mine: dict[str, Any] = {
            "run_id": run_id,
            "sync": sync,
            "beat_at": now,
            "machine": processes.this_machine(),
            "pid": os.getpid(),
        }
        if found.run_id != run_id:
            mine |= {"taken_at": now, "waits_until": None, "waits_why": None}
        connection.execute(sa.update(LEASE).where(LEASE.c.workspace == workspace).values(mine))
        _end(connection, now, RUN.c.workspace == workspace, sa.not_(is_of(run_id)))
    return None


def holder(store: Store, workspace: str) -> Lease | None:
    """The living run that holds the workspace's lease; None when it is free. Raises StateError."""
    with store.reading() as connection:
        found = connection.execute(sa.select(LEASE).where(LEASE.c.workspace == workspace)).one_or_none()
        now = store.now(connection)
    return _lease(found, now) if found and found.run_id != _FREE and _alive(found, now) else None


def lives(store: Store, run_id: str) -> bool | None:
    """Whether a run that holds a lease lives; None for a run that holds none. Raises StateError."""
    with store.reading() as connection:
        found = connection.execute(sa.select(LEASE).where(LEASE.c.run_id == run_id)).all()
        now = store.now(connection)
    return any(_alive(row, now) for row in found) if found else None


def note_wait(store: Store, run_id: str, *, seconds: float, why: str) -> None:
    """Records that a run waits for its workspace, for the runs that it blocks. Raises StateError.

    Args:
        store: The state.
        run_id: Dagster's run id.
        seconds: How long, from now on.
        why: The rest of the sentence: ``because workspace main asked for it (HTTP 429)``.
    """
    with store.writing() as connection:
        until = store.now(connection) + timedelta(seconds=seconds)
        mine = sa.update(LEASE).where(LEASE.c.run_id == run_id)
        connection.execute(mine.values(waits_until=until, waits_why=why))


def rest(store: Store, run_id: str) -> None:
    """Keeps the lease from one stage to the next, which may come in another process. Raises StateError."""
    with store.writing() as connection:
        now = store.now(connection)
        connection.execute(sa.update(LEASE).where(LEASE.c.run_id == run_id).values(beat_at=now, pid=None))


def give_back(store: Store, run_id: str, *, ended: bool = False) -> None:
    """Frees the run's workspaces; no harm where it has none.

    Args:
        store: The state.
        run_id: Dagster's run id.
        ended: Also those in which a sync of it seems to be in progress.

    Raises:
        StateError: The state database cannot be used.
    """
    in_progress = sa.exists().where(
        is_of(run_id), RUN.c.status == Status.RUNNING.value, RUN.c.workspace == LEASE.c.workspace
    )
    free = sa.update(LEASE).where(LEASE.c.run_id == run_id, sa.true() if ended else ~in_progress)
    with store.writing() as connection:
        connection.execute(free.values(run_id=_FREE, pid=None))


def end_lost(store: Store) -> None:
    """Records the end of every run without a process, and frees its workspace. Raises StateError."""
    running = sa.select(RUN.c.run_id).where(RUN.c.status == Status.RUNNING.value).limit(1)
    with store.reading() as connection:
        if connection.execute(running).first() is None:
            return
    with store.writing() as connection:
        now = store.now(connection)
        leases = connection.execute(sa.select(LEASE).where(LEASE.c.run_id != _FREE).with_for_update()).all()
        dead = [lease.run_id for lease in leases if not _alive(lease, now)]
        if dead:
            connection.execute(sa.update(LEASE).where(LEASE.c.run_id.in_(dead)).values(run_id=_FREE, pid=None))
            _end(connection, now, sa.or_(*map(is_of, dead)))


def was_lost(report: RunReport) -> bool:
    """Whether a run's end was written by another process than its own."""
    return report.message.startswith(LOST)


def _end(connection: sa.Connection, now: datetime, *which: sa.ColumnElement[bool]) -> None:
    message = f"{LOST}. The next run continues from there, or reads again what changed."
    ended = {"status": Status.FAILED.value, "finished_at": now, "message": message, "exit_code": 1}
    connection.execute(sa.update(RUN).where(RUN.c.status == Status.RUNNING.value, *which).values(ended))


def _alive(lease: sa.Row[Any], now: datetime) -> bool:
    if now - lease.beat_at > SILENT:
        return False
    if lease.pid is None or lease.machine != processes.this_machine():
        return True
    # A run of this very process that no longer gives signs of life has ended without notice.
    return heartbeat.beats(lease.run_id) if lease.pid == os.getpid() else processes.lives(lease.pid)


def _lease(row: sa.Row[Any], now: datetime) -> Lease:
    left_s = (row.waits_until - now).total_seconds() if row.waits_until else 0.0
    waits = f"waits {left_s:.0f} s {row.waits_why}" if left_s > 0 else ""
    return Lease(row.run_id, row.sync, row.taken_at, resting=row.pid is None, waits=waits)
