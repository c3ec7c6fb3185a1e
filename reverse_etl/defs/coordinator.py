"""Dagster's run queue, which turns away a scheduled run or a backfill whose workspace another run has or got first.

Ticks look before they ask for a run (``schedules``); two that look in the same moment meet here, and backfills, which
nothing looked for. Runs launched by hand and re-executions wait in the queue, where ``dagster.yaml`` lets one run of a
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

from reverse_etl.defs.overlap import runs_in_the_way, unfinished
from reverse_etl.defs.pooled import keep_connections
from reverse_etl.defs.run_tags import (
    OVERLAP_TAG,
    STATUS_TAG,
    SYNC_TAG,
    WAITS_TAG,
    WORKSPACE_TAG,
    missing_tags,
    named,
    of_syncs_alone,
    workspaces_of,
)
from reverse_etl.report import Status
from reverse_etl.state.home import Home
from reverse_etl.state.kept import kept_store
from reverse_etl.state.run_ids import id_of_sync
from reverse_etl.state.runs import record_skipped
from reverse_etl.state.store import Store

Nodes = Sequence[RemoteRepositoryAssetNode]

_looking = Lock()
"""Only the daemon submits runs that may be skipped, in one process, maybe from several threads."""


class SkippingRunCoordinator(QueuedRunCoordinator):
    """Queues runs, except late ones of schedules and backfills: those are canceled, and in the history as skipped."""

    def register_instance(self, instance: dg.DagsterInstance) -> None:
        """Takes the instance, whose connections stay open from now on: who asks for a run queue lives long."""
        super().register_instance(instance)
        keep_connections(instance)

    def submit_run(self, context: SubmitRunContext) -> dg.DagsterRun:
        """Queues the run or skips it; returns it as it is then. Raises StateError where the skip cannot be written."""
        selected = _assets(context)
        assets = [asset for asset in selected if SYNC_TAG in asset.metadata]
        run = self._tagged(context.dagster_run, selected, assets)
        if not _may_be_skipped(run):
            return super().submit_run(context)
        store = kept_store(Home.from_environment().state_url)
        with _looking:
            reason, ahead = self._ahead(run, store)
            if not ahead:
                return super().submit_run(context)
            due_at = run.tags.get(SCHEDULED_EXECUTION_TIME_TAG)
            at = datetime.fromisoformat(due_at) if due_at else datetime.now(UTC)
            for sync, workspace in sorted(
                {(named(asset.metadata, SYNC_TAG), named(asset.metadata, WORKSPACE_TAG)) for asset in assets}
            ):
                run_id = id_of_sync(run.run_id, sync, job=run.job_name)
                record_skipped(store, sync, workspace, at, ahead, message=reason, run_id=run_id)
            self._instance.add_run_tags(run.run_id, {STATUS_TAG: Status.SKIPPED.value})
            self._instance.report_run_canceled(run, message=reason)
        return self._instance.get_run_by_id(run.run_id) or run

    def _tagged(self, run: dg.DagsterRun, selected: Nodes, assets: Nodes) -> dg.DagsterRun:
        """The run with the tags that a sync's job has, which "Materialize" and backfills do without."""
        tags = missing_tags(run, [asset.metadata for asset in selected])
        if assets and all(asset.tags.get(OVERLAP_TAG) == "wait" for asset in assets):
            tags[WAITS_TAG] = "wait"
        if STATUS_TAG in run.tags:  # that of the run which is executed again
            tags[STATUS_TAG] = Status.RUNNING.value
        self._instance.add_run_tags(run.run_id, tags)
        return run.with_tags({**run.tags, **tags})

    def _ahead(self, run: dg.DagsterRun, store: Store) -> tuple[str, str]:
        """Why a run is skipped, and the id of the run that has one of its workspaces, or came earlier; or nothing."""
        for workspace in sorted(workspaces_of(run)):
            newest_first = unfinished(self._instance, workspace)
            newer = takewhile(lambda other: other.run_id != run.run_id, newest_first)
            not_ahead = {other.run_id for other in newer if other.status is dg.DagsterRunStatus.NOT_STARTED}
            for other in runs_in_the_way(self._instance, store, workspace):
                if other.run_id not in {*not_ahead, run.run_id}:
                    return f"Skipped: {other.describe(workspace)}.", other.run_id
        return "", ""


def _may_be_skipped(run: dg.DagsterRun) -> bool:
    """Whether no person waits for it, and its sync has not ``overlap: wait``; a retry of such a run is none."""
    return (
        (SCHEDULE_NAME_TAG in run.tags or BACKFILL_ID_TAG in run.tags)
        and of_syncs_alone(run)
        and PARENT_RUN_ID_TAG not in run.tags
        and run.tags.get(WAITS_TAG) != "wait"
        and run.status is dg.DagsterRunStatus.NOT_STARTED
    )


def _assets(context: SubmitRunContext) -> Nodes:
    """What a run materializes: what was selected, or everything in its job."""
    run = context.dagster_run
    if run.remote_job_origin is None:
        return []
    where = run.remote_job_origin.repository_origin.get_selector()
    job = JobSelector(where.location_name, where.repository_name, job_name=run.job_name)
    return context.workspace.get_assets_in_job(job, run.asset_selection or None)
