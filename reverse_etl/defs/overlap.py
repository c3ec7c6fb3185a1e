"""Which run is in the way of another one in a workspace, as far as Dagster and the state know.

That no two ever have a workspace at once is kept in ``state.workspace_lease``; here it is seen in advance: a due run
is skipped rather than started in vain.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg

from reverse_etl.defs.run_tags import SYNC_TAG, in_words, workspaces_of
from reverse_etl.report import Status
from reverse_etl.state import workspace_lease
from reverse_etl.state.run_ids import runs_of
from reverse_etl.state.store import Store

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.SUSPENDED,
    dg.DagsterRunStatus.CANCELING,
]

_WILL_RETRY = {"dagster/will_retry": "true"}
_RETRIED_WITHIN = timedelta(hours=1)
"""A failed run whose retry has not come by then gets none."""


@dataclass(frozen=True, slots=True)
class InTheWay:
    """A run that has a workspace, or is going to.

    Attributes:
        run_id: Dagster's run id.
        sync: Its sync's name, or the name of its job.
        doing: ``is in progress``, ``is queued`` or ``waits for its retry``.
        began: Whether it has read or sent something already.
    """

    run_id: str
    sync: str
    doing: str
    began: bool

    def describe(self, workspace: str) -> str:
        """For messages: ``orders is in progress in main (run 1a2b3c4d)``."""
        doing, and_waits, why = self.doing.partition(" and waits ")
        return f"{self.sync} {doing} in {workspace} (run {self.run_id[:8]}){and_waits}{why}"


def runs_in_the_way(instance: dg.DagsterInstance, store: Store, workspace: str) -> list[InTheWay]:
    """Every unfinished run of a workspace; first the one that holds the lease.

    Args:
        instance: Where Dagster's runs are.
        store: Who holds the lease, runs of other Dagster instances included.
        workspace: The workspace's name.

    Raises:
        StateError: The state database cannot be used.
    """
    workspace_lease.end_lost(store)
    lease = workspace_lease.holder(store, workspace)
    if lease is not None and lease.resting and _finished(instance, lease.run_id):
        workspace_lease.give_back(store, lease.run_id, ended=True)
        lease = None
    doing = f"is in progress and {lease.waits}" if lease is not None and lease.waits else "is in progress"
    found = {} if lease is None else {lease.run_id: InTheWay(lease.run_id, lease.sync, doing, began=True)}
    for run in (*unfinished(instance, workspace), *_to_be_retried(instance, workspace)):
        found.setdefault(run.run_id, _in_the_way(run, store))
    return list(found.values())


def unfinished(instance: dg.DagsterInstance, workspace: str) -> list[dg.DagsterRun]:
    """Dagster's unfinished runs of a workspace, the newest first."""
    return _of_workspace(instance.get_runs(dg.RunsFilter(statuses=UNFINISHED)), workspace)


def _to_be_retried(instance: dg.DagsterInstance, workspace: str) -> list[dg.DagsterRun]:
    failed = dg.RunsFilter(
        statuses=[dg.DagsterRunStatus.FAILURE], tags=_WILL_RETRY, updated_after=datetime.now(UTC) - _RETRIED_WITHIN
    )
    waiting = [run for run in instance.get_runs(failed) if run.is_complete_and_waiting_to_retry]
    return _of_workspace(waiting, workspace)


def _of_workspace(runs: Iterable[dg.DagsterRun], workspace: str) -> list[dg.DagsterRun]:
    return [run for run in runs if workspace in workspaces_of(run)]


def _in_the_way(run: dg.DagsterRun, store: Store) -> InTheWay:
    if run.is_complete_and_waiting_to_retry:
        doing = "waits for its retry"
    elif run.status in (dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED):
        doing = "is queued"
    else:
        doing = "is in progress"
    began = any(known.status is Status.RUNNING for known in runs_of(store, run.run_id))
    return InTheWay(run.run_id, _named(run), doing, began=began)


def _named(run: dg.DagsterRun) -> str:
    if SYNC_TAG in run.tags:
        return run.tags[SYNC_TAG]
    if not run.job_name.startswith("__"):
        return run.job_name
    return f"a launch of {in_words(key.path[-1] for key in run.asset_selection or ()) or 'all assets'}"


def _finished(instance: dg.DagsterInstance, run_id: str) -> bool:
    run = instance.get_run_by_id(run_id)
    return run is not None and run.is_finished
