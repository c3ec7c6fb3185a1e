"""A run that sends the rows of a plan, exactly: whether there is one, and whether it still holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.parquet as pq

from reverse_etl.changeset.recipient import rows_for
from reverse_etl.changeset.scope import Reads
from reverse_etl.errors import ConfigError, StateError
from reverse_etl.run.sharing import continue_changeset, fetch
from reverse_etl.state.pieces import is_next
from reverse_etl.state.snapshots import snapshot_of
from reverse_etl.state.syncs import sync_state

if TYPE_CHECKING:
    from pathlib import Path

    from reverse_etl.changeset.parts import Facts, RunFolder
    from reverse_etl.changeset.recipient import Recipient
    from reverse_etl.config.syncs import SyncConfig
    from reverse_etl.run.record import SyncRun
    from reverse_etl.state.home import Home

PREFIX: Final = "plan-"
"""How the ids of plans begin."""

GOOD_FOR: Final = timedelta(hours=1)
"""Rows that were read longer ago are read again rather than sent."""


def take_plan(run: SyncRun, plan_id: str, recipient: Recipient | None = None) -> None:
    """Lets a run send the rows of a plan; or the rest of them, where the last one that did stopped while it sent.

    Args:
        run: The run.
        plan_id: The plan.
        recipient: Who is there now; None where that is not asked.

    Raises:
        ConfigError: There is no such plan of this sync.
        StateError: It is too old, or was overtaken.
    """
    folder, facts = find_plan(run.home, run.sync.name, plan_id)
    snapshot = snapshot_of(run.store, run.sync.name)
    if facts.generation is not None and snapshot.sending and snapshot.sending != folder.path.name:
        raise unanswered(run.sync, snapshot.sending)
    if why := _not_good(run, folder, facts, recipient, snapshot.generation):
        raise StateError(
            f"{why}: nothing was sent.", hint=f"Make another plan: reverse-etl plan {run.sync.name}"
        ).located(run.sync.where)
    continue_changeset(run.home, run.store, folder, run_id=run.run_id)


def unanswered(sync: SyncConfig, changeset: str) -> StateError:
    """That a changeset is being sent, or its run stopped while it sent, with what to do first."""
    if changeset.startswith(PREFIX):
        text = f"plan {changeset} stopped while it was sent, and some of its rows have no answer: nothing was sent."
        error = StateError(text, hint=rest_of(sync.name, changeset))
    else:
        error = StateError(
            f"run {changeset[:8]} is still sending, or stopped while it sent, and some of its rows have no answer: "
            "nothing was sent.",
            hint=f"Run first: reverse-etl run {sync.name}",
        )
    error.located(sync.where)
    return error


def rest_of(sync: str, plan_id: str) -> str:
    """What sends the rest of a plan; for an undo, what its query returns would be wrong."""
    return (
        f"Send the rest of it: reverse-etl run {sync} --plan {plan_id}. "
        "A run without the plan sends what the query returns now."
    )


def find_plan(home: Home, sync: str, plan_id: str) -> tuple[RunFolder, Facts]:
    """The rows of a plan, and what its reading knew. Raises ConfigError where there is no such plan of the sync."""
    folder = home.run_folder(sync, plan_id)
    fetch(folder)
    facts = folder.facts()
    if facts is None or not plan_id.startswith(PREFIX):
        raise ConfigError(f"there is no plan {plan_id} of {sync}.", hint=f"Make one: reverse-etl plan {sync}")
    return folder, facts


def _not_good(run: SyncRun, folder: RunFolder, facts: Facts, recipient: Recipient | None, generation: int) -> str:
    """Why the rows of a plan are not to be sent any more; empty where they are."""
    if not all(_can_be_read(path) for stream in facts.streams for path in folder.parts(stream).paths()):
        return "the plan's files are damaged"
    rows = rows_for(folder)
    if rows is None or (recipient is not None and not rows.recipient.is_same(recipient)):
        return "the plan was made for another destination than the one of that name now"
    if facts.version != run.sync.version:
        return "the sync's file has changed since the plan was made"
    if abs(datetime.now(UTC) - datetime.fromtimestamp(facts.started_at, UTC)) > GOOD_FOR:
        return "the plan is more than an hour old"
    if facts.generation not in (None, generation):
        return "another run has sent rows since the plan was made"
    if facts.piece is not None and not is_next(run.store, run.sync.name, facts.piece):
        return "another piece has been read since the plan was made"
    if (
        facts.reads is Reads.CHANGES
        and facts.piece is None
        and facts.since != sync_state(run.store, run.sync.name).last_sync_time
    ):
        return "another run has been completed since the plan was made"
    return ""


def _can_be_read(part: Path) -> bool:
    """Whether a part has its end, which is written last."""
    try:
        pq.read_metadata(part)
    except (OSError, pa.ArrowException):
        return False
    return True
