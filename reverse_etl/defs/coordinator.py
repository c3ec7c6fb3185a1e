"""Dagster's run queue, which turns away a scheduled run or a backfill whose workspace another run has or got first.

Ticks look before they ask for a run (``schedules``); two that look in the same moment meet here, and backfills, which
nobody looked for. Runs launched by hand and re-executions wait in the queue, where ``dagster.yaml`` lets one run of a
workspace out at a time.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import takewhile
from threading import Lock

import dagster as dg
from dagster._core.definitions.assets.graph.remote_asset_graph import RemoteRepositoryAssetNode
from dagster._core.definitions.selector import JobSelector
from dagster._core.run_coordinator import SubmitRunContext
from dagster._core.run_coordinator.queued_run_coordinator import QueuedRunCoordinator
from dagster._core.storage.tags import (
    BACKFILL_ID_TAG,
    PARENT_RUN_ID_TAG,
    SCHEDULE_NAME_TAG,
    SCHEDULED_EXECUTION_TIME_TAG,
)

from reverse_etl.defs.overlap import InTheWay, runs_in_the_way, unfinished
from reverse_etl.defs.run_tags import (
    OVERLAP_TAG,
    STATUS_TAG,
    SYNC_TAG,
    missing_tags,
    of_syncs_alone,
    syncs_of,
    workspaces_of,
)
from reverse_etl.report import Status
from reverse_etl.state.home import Home
from reverse_etl.state.store import Store, open_store

_looking = Lock()
"""Only the daemon submits runs that may be skipped, in one process, maybe from several threads."""


class SkippingRunCoordinator(QueuedRunCoordinator):
    """Queues runs, except late ones of schedules and backfills: those are canceled, and in the history as skipped."""

    def submit_run(self, context: SubmitRunContext) -> dg.DagsterRun:
        """Queues the run or skips it; returns it as it is then. Raises StateError where the skip cannot be written."""
        run = self._tagged(context)
        if not _may_be_skipped(run):
            return super().submit_run(context)
        store = open_store(Home.from_environment().state_url)
        with _looking:
            found = self._ahead(run, store)
            return self._skip(run, *found, store) if found else super().submit_run(context)

    def _tagged(self, context: SubmitRunContext) -> dg.DagsterRun:
        """The run with the tags that a sync's job has, which "Materialize" and backfills do without."""
        run = context.dagster_run
        assets = _assets(context)
        tags = missing_tags(run, [asset.key for asset in assets])
        if assets and all(asset.tags.get(OVERLAP_TAG) == "wait" for asset in assets):
            tags[OVERLAP_TAG] = "wait"
        if STATUS_TAG in run.tags:  # that of the run which is executed again
            tags[STATUS_TAG] = Status.RUNNING.value
        self._instance.add_run_tags(run.run_id, tags)
        return run.with_tags({**run.tags, **tags})

    def _ahead(self, run: dg.DagsterRun, store: Store) -> tuple[InTheWay, str] | None:
        """A run that has one of the workspaces, or was submitted or made earlier, and that workspace."""
        for workspace in sorted(workspaces_of(run)):
            others = unfinished(self._instance, workspace)  # the newest first
            newer = takewhile(lambda other: other.run_id != run.run_id, others)
            not_ahead = {other.run_id for other in newer if other.status is dg.DagsterRunStatus.NOT_STARTED}
            not_ahead |= {other.run_id for other in others if _same_backfill(run, other)} | {run.run_id}
            for other in runs_in_the_way(self._instance, store, workspace):
                if other.run_id not in not_ahead:
                    return other, workspace
        return None

    def _skip(self, run: dg.DagsterRun, other: InTheWay, workspace: str, store: Store) -> dg.DagsterRun:
        reason = f"Skipped: {other.said(workspace)}."
        due_at = run.tags.get(SCHEDULED_EXECUTION_TIME_TAG)
        at = datetime.fromisoformat(due_at) if due_at else datetime.now(UTC)
        run_id = run.run_id
        for sync in sorted(syncs_of(run.asset_selection or ())) or [run.tags[SYNC_TAG]]:
            store.record_skipped(sync, workspace, at, other.run_id, message=reason, run_id=run_id)
            run_id = ""  # the history has one sync for each of Dagster's runs
        self._instance.add_run_tags(run.run_id, {STATUS_TAG: Status.SKIPPED.value})
        self._instance.report_run_canceled(run, message=reason)
        return self._instance.get_run_by_id(run.run_id) or run


def _may_be_skipped(run: dg.DagsterRun) -> bool:
    """Whether no person waits for it, and its sync does not wait its turn; a retry of such a run is none."""
    return (
        (SCHEDULE_NAME_TAG in run.tags or BACKFILL_ID_TAG in run.tags)
        and of_syncs_alone(run)
        and PARENT_RUN_ID_TAG not in run.tags
        and run.tags.get(OVERLAP_TAG) != "wait"
        and run.status is dg.DagsterRunStatus.NOT_STARTED
    )


def _same_backfill(run: dg.DagsterRun, other: dg.DagsterRun) -> bool:
    backfill = run.tags.get(BACKFILL_ID_TAG)
    return backfill is not None and backfill == other.tags.get(BACKFILL_ID_TAG)


def _assets(context: SubmitRunContext) -> Sequence[RemoteRepositoryAssetNode]:
    """What a run materializes: what was selected, or everything in its job."""
    run = context.dagster_run
    if run.remote_job_origin is None:
        return []
    where = run.remote_job_origin.repository_origin.get_selector()
    job = JobSelector(where.location_name, where.repository_name, job_name=run.job_name)
    return context.workspace.get_assets_in_job(job, run.asset_selection or None)
