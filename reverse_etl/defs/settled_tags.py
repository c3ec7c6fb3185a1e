"""The tag of a run that Dagster ended: canceled in the queue, by force, or between stages in another process.

No stage of such a run is left to record how it ended, so the sensor of ``never_started`` does, from the history.
"""

from datetime import datetime

import dagster as dg

from reverse_etl.defs.run_tags import STATUS_TAG, has_begun, tag_status
from reverse_etl.defs.specs import ProjectSpecs
from reverse_etl.report import Status
from reverse_etl.state import workspace_lease
from reverse_etl.state.run_ids import runs_of
from reverse_etl.state.store import Store

_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def settle_tags(instance: dg.DagsterInstance, store: Store, specs: ProjectSpecs, *, since: datetime) -> None:
    """Tags runs of the project's syncs that have ended with their ends, where a run has no such tag yet.

    A run that is still open is left for a later look: its process may be closing it, or is found dead.

    Args:
        instance: Where Dagster's runs are.
        store: The history.
        specs: The syncs' assets.
        since: Only runs that changed after this time, aware; runs whose tag is still ``running`` whenever they did.

    Raises:
        StateError: The state database cannot be used.
    """
    workspace_lease.end_lost(store)
    canceled = dg.RunsFilter(statuses=[dg.DagsterRunStatus.CANCELED], updated_after=since)
    running = dg.RunsFilter(statuses=_ENDED, tags={STATUS_TAG: Status.RUNNING.value})
    for run in {run.run_id: run for each in (canceled, running) for run in instance.get_runs(each)}.values():
        if run.tags.get(STATUS_TAG, Status.RUNNING) == Status.RUNNING and names_of(run, specs) & specs.syncs.keys():
            _settle(instance, store, run)


def names_of(run: dg.DagsterRun, specs: ProjectSpecs) -> set[str]:
    """The syncs that a run is of, going by its assets, or else by its job."""
    return specs.syncs_of(run.asset_selection) if run.asset_selection else {run.job_name}


def _settle(instance: dg.DagsterInstance, store: Store, run: dg.DagsterRun) -> None:
    ends = [report.status for report in runs_of(store, run.run_id)]
    if not ends and run.status is dg.DagsterRunStatus.CANCELED and not has_begun(run):
        ends = [Status.CANCELED]
    if Status.RUNNING not in ends:
        for status in ends:
            tag_status(instance, run.run_id, status)
