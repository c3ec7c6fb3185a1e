"""Dagster's run queue, which turns away a scheduled run whose workspace another run got first.

Ticks look before they ask for a run (``schedules``); two that look in the same moment meet here. Runs launched by hand
and re-executions wait in the queue, where ``dagster.yaml`` lets one run of a workspace out at a time.
"""

from collections.abc import Collection
from datetime import UTC, datetime
from threading import Lock

import dagster as dg
from dagster._core.definitions.selector import JobSelector
from dagster._core.run_coordinator import SubmitRunContext
from dagster._core.run_coordinator.queued_run_coordinator import QueuedRunCoordinator
from dagster._core.storage.tags import PARENT_RUN_ID_TAG, SCHEDULE_NAME_TAG, SCHEDULED_EXECUTION_TIME_TAG

from reverse_etl.defs.overlap import unfinished
from reverse_etl.defs.run_tags import OVERLAP_TAG, STATUS_TAG, SYNC_TAG, WORKSPACE_TAG, missing_tags
from reverse_etl.report import Status
from reverse_etl.state.home import Home
from reverse_etl.state.store import open_store

_looking = Lock()
"""Only the daemon submits scheduled runs, in one process, maybe from several threads."""


class SkippingRunCoordinator(QueuedRunCoordinator):
    """Queues runs, except scheduled ones that are late: those are canceled, and in the history as skipped."""

    def submit_run(self, context: SubmitRunContext) -> dg.DagsterRun:
        """Queues the run or skips it; returns it as it is then. Raises StateError where the skip cannot be written."""
        run = context.dagster_run
        if not _may_be_skipped(run):
            self._tag(context)
            return super().submit_run(context)
        with _looking:
            ahead = self._ahead(run)
            if ahead is None:
                return super().submit_run(context)
            return self._skip(run, ahead)

    def _tag(self, context: SubmitRunContext) -> None:
        """Gives a run without a sync's job, as "Materialize" makes one, the tags that such a job has."""
        run = context.dagster_run
        tags = missing_tags(run, _assets(context))
        if STATUS_TAG in run.tags:  # that of the run which is executed again
            tags[STATUS_TAG] = Status.RUNNING.value
        self._instance.add_run_tags(run.run_id, tags)

    def _ahead(self, run: dg.DagsterRun) -> dg.DagsterRun | None:
        """A run of the workspace that was submitted earlier, or made earlier and is about to be."""
        made_earlier = False
        for other in unfinished(self._instance, run.tags[WORKSPACE_TAG]):  # the newest first
            if other.run_id == run.run_id:
                made_earlier = True
            elif made_earlier or other.status is not dg.DagsterRunStatus.NOT_STARTED:
                return other
        return None

    def _skip(self, run: dg.DagsterRun, other: dg.DagsterRun) -> dg.DagsterRun:
        workspace, sync = run.tags[WORKSPACE_TAG], run.tags[SYNC_TAG]
        reason = (
            f"Skipped: {other.tags.get(SYNC_TAG, other.job_name)} came first in {workspace} (run {other.run_id[:8]})."
        )
        due_at = run.tags.get(SCHEDULED_EXECUTION_TIME_TAG)
        at = datetime.fromisoformat(due_at) if due_at else datetime.now(UTC)
        store = open_store(Home.from_environment().state_url)
        store.record_skipped(sync, workspace, at, other.run_id, message=reason, run_id=run.run_id)
        self._instance.add_run_tags(run.run_id, {STATUS_TAG: Status.SKIPPED.value})
        self._instance.report_run_canceled(run, message=reason)
        return self._instance.get_run_by_id(run.run_id) or run


def _may_be_skipped(run: dg.DagsterRun) -> bool:
    """Whether the schedule asked for it, and the sync does not wait its turn; a retry of such a run is none."""
    return (
        SCHEDULE_NAME_TAG in run.tags
        and WORKSPACE_TAG in run.tags
        and PARENT_RUN_ID_TAG not in run.tags
        and run.tags.get(OVERLAP_TAG) != "wait"
        and run.status is dg.DagsterRunStatus.NOT_STARTED
    )


def _assets(context: SubmitRunContext) -> Collection[dg.AssetKey]:
    """What a run materializes: what was selected, or everything in its job."""
    run = context.dagster_run
    if run.asset_selection or run.remote_job_origin is None:
        return run.asset_selection or ()
    where = run.remote_job_origin.repository_origin.get_selector()
    return context.workspace.get_asset_keys_in_job(
        JobSelector(where.location_name, where.repository_name, job_name=run.job_name)
    )
