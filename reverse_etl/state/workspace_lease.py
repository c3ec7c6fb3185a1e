"""Whose turn it is in a workspace: one run at a time, whatever command, queue or machine it comes from.

A run takes the turn at its first stage and gives it back when its books are closed. Meanwhile its process gives signs
of life (``heartbeat``); a turn without them is anybody's, and the run that had it is written down as failed.
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
from reverse_etl.state.schema import RUN, TURN
from reverse_etl.workers import heartbeat, processes

if TYPE_CHECKING:
    from reverse_etl.report import RunReport
    from reverse_etl.state.store import Store

SILENT: Final = timedelta(seconds=180)
"""Without a sign of life for so long, a run is taken to be dead: nine heartbeats."""

NOBODY: Final = ""


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
    def said(self) -> str:
        """For messages: ``run 1a2b3c4d of orders``."""
        return f"run {self.run_id[:8]} of {self.sync}"


def take(store: Store, workspace: str, *, run_id: str, sync: str) -> Lease | None:
    """Gives a run the workspace's turn, unless another living run has it; taking it again is a sign of life.

    Returns:
        None when the run has it now; otherwise whose it is.

    Raises:
        StateError: The state database cannot be used.
    """
    with store.writing() as connection:
        now = store.now(connection)
        insert = store.insert(TURN)
        free = {"run_id": NOBODY, "sync": "", "taken_at": now, "beat_at": now, "machine": "", "pid": None}
        connection.execute(insert.values(workspace=workspace, **free).on_conflict_do_nothing())
        wanted = sa.select(TURN).where(TURN.c.workspace == workspace).with_for_update()
        found = connection.execute(wanted).one()
        if found.run_id not in (NOBODY, run_id) and _alive(found, now):
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
        connection.execute(sa.update(TURN).where(TURN.c.workspace == workspace).values(mine))
        _end(connection, now, RUN.c.workspace == workspace, sa.not_(is_of(run_id)))
    return None


def holder(store: Store, workspace: str) -> Lease | None:
    """The living run that has the workspace's turn; None when it is free. Raises StateError."""
    with store.reading() as connection:
        found = connection.execute(sa.select(TURN).where(TURN.c.workspace == workspace)).one_or_none()
        now = store.now(connection)
    return _lease(found, now) if found and found.run_id != NOBODY and _alive(found, now) else None


def lives(store: Store, run_id: str) -> bool | None:
    """Whether a run that has a turn lives; None for a run that has none. Raises StateError."""
    with store.reading() as connection:
        found = connection.execute(sa.select(TURN).where(TURN.c.run_id == run_id)).all()
        now = store.now(connection)
    return any(_alive(row, now) for row in found) if found else None


def note_wait(store: Store, run_id: str, *, seconds: float, why: str) -> None:
    """Writes down that a run waits for its workspace, for those whom it is in the way of. Raises StateError.

    Args:
        store: The state.
        run_id: Dagster's run id.
        seconds: How long, from now on.
        why: The rest of the sentence: ``because workspace main asked for it (HTTP 429)``.
    """
    with store.writing() as connection:
        until = store.now(connection) + timedelta(seconds=seconds)
        mine = sa.update(TURN).where(TURN.c.run_id == run_id)
        connection.execute(mine.values(waits_until=until, waits_why=why))


def rest(store: Store, run_id: str) -> None:
    """Keeps the turn from one stage to the next, which may come in another process. Raises StateError."""
    with store.writing() as connection:
        now = store.now(connection)
        connection.execute(sa.update(TURN).where(TURN.c.run_id == run_id).values(beat_at=now, pid=None))


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
        is_of(run_id), RUN.c.status == Status.RUNNING.value, RUN.c.workspace == TURN.c.workspace
    )
    free = sa.update(TURN).where(TURN.c.run_id == run_id, sa.true() if ended else ~in_progress)
    with store.writing() as connection:
        connection.execute(free.values(run_id=NOBODY, pid=None))


def end_lost(store: Store) -> None:
    """Writes down the end of every run whose process is gone, and frees its workspace. Raises StateError."""
    running = sa.select(RUN.c.run_id).where(RUN.c.status == Status.RUNNING.value).limit(1)
    with store.reading() as connection:
        if connection.execute(running).first() is None:
            return
    with store.writing() as connection:
        now = store.now(connection)
        turns = connection.execute(sa.select(TURN).where(TURN.c.run_id != NOBODY).with_for_update()).all()
        dead = [turn.run_id for turn in turns if not _alive(turn, now)]
        if dead:
            connection.execute(sa.update(TURN).where(TURN.c.run_id.in_(dead)).values(run_id=NOBODY, pid=None))
            _end(connection, now, sa.or_(*map(is_of, dead)))


def was_lost(report: RunReport) -> bool:
    """Whether a run's end was written by another process than its own."""
    return report.message.startswith(LOST)


def _end(connection: sa.Connection, now: datetime, *which: sa.ColumnElement[bool]) -> None:
    message = f"{LOST}. The next run continues from there, or reads again what changed."
    ended = {"status": Status.FAILED.value, "finished_at": now, "message": message, "exit_code": 1}
    connection.execute(sa.update(RUN).where(RUN.c.status == Status.RUNNING.value, *which).values(ended))


def _alive(turn: sa.Row[Any], now: datetime) -> bool:
    if now - turn.beat_at > SILENT:
        return False
    if turn.pid is None or turn.machine != processes.this_machine():
        return True
    # A run of this very process that no longer gives signs of life has ended without saying so.
    return heartbeat.beats(turn.run_id) if turn.pid == os.getpid() else processes.lives(turn.pid)


def _lease(row: sa.Row[Any], now: datetime) -> Lease:
    left_s = (row.waits_until - now).total_seconds() if row.waits_until else 0.0
    waits = f"waits {left_s:.0f} s {row.waits_why}" if left_s > 0 else ""
    return Lease(row.run_id, row.sync, row.taken_at, resting=row.pid is None, waits=waits)
