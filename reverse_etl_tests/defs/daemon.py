"""One turn of Dagster's daemons in this process: the real scheduler and run queue on the real definitions."""

from __future__ import annotations

import contextlib
import logging
import os
import warnings
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from importlib.resources import files
from typing import Any

import dagster as dg
import yaml
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.remote_representation.external import RemoteSchedule
from dagster._core.test_utils import InProcessTestWorkspaceLoadTarget
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._daemon.backfill import execute_backfill_iteration
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon
from dagster._scheduler.scheduler import ScheduleIterationTimes, launch_scheduled_runs

LAUNCHER = {"module": "dagster._core.test_utils", "class": "MockedRunLauncher"}
"""Takes runs out of the queue and leaves it at that."""


LAUNCH = """
mutation Launch($job: String!, $assets: [AssetKeyInput!]) {
  launchRun(executionParams: {mode: "default", runConfigData: {}, selector: {
    repositoryLocationName: "reverse_etl", repositoryName: "__repository__",
    jobName: $job, assetSelection: $assets
  }}) { __typename ... on LaunchRunSuccess { run { runId } } ... on Error { message } }
}
"""
REEXECUTE = """
mutation Again($id: String!) {
  launchRunReexecution(reexecutionParams: {parentRunId: $id, strategy: ALL_STEPS, useParentRunTags: true}) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on Error { message }
  }
}
"""
BACKFILL = """
mutation Backfill($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on Error { message }
  }
}
"""


@contextlib.contextmanager
def shipped_instance(postgres_url: str = "") -> Iterator[dg.DagsterInstance]:
    """An instance set up by the shipped `dagster.yaml`, in SQLite files or on a server; its runs are not started."""
    shipped = yaml.safe_load((files("reverse_etl.defs") / "dagster.yaml").read_text())
    storage = {"storage": {"postgres": {"postgres_url": postgres_url}}} if postgres_url else {}
    with dg.instance_for_test(overrides={**shipped, "run_launcher": LAUNCHER, **storage}) as instance:
        yield instance


@dataclass(slots=True)
class Daemon:
    """The daemons of one instance, for the code location that the environment names.

    Attributes:
        threads: How many threads evaluate ticks; 0: the daemon's own.
    """

    instance: dg.DagsterInstance
    context: WorkspaceProcessContext
    threads: int = 0
    _times: dict[str, ScheduleIterationTimes] = field(default_factory=dict)

    @classmethod
    @contextlib.contextmanager
    def of(
        cls, instance: dg.DagsterInstance, threads: int = 0, target: LoadableTargetOrigin | None = None
    ) -> Iterator[Daemon]:
        """Loads the code location as it is now: the shipped one, or another."""
        target = target or LoadableTargetOrigin(module_name="reverse_etl.definitions")
        origin = InProcessCodeLocationOrigin(target, location_name="reverse_etl")
        with warnings.catch_warnings():
            # Dagster reads a property of its own schedules that it is going to give up.
            warnings.filterwarnings("ignore", "Property `ScheduleDefinition.environment_vars` is deprecated")
            context = WorkspaceProcessContext(instance, InProcessTestWorkspaceLoadTarget(origin))
        with context:
            yield cls(instance, context, threads)

    def ticks(self, at: datetime) -> None:
        """What the scheduler does at a time: evaluates every schedule's latest tick that is due by then."""
        logger = logging.getLogger("daemon")
        if not self.threads:
            list(launch_scheduled_runs(self.context, logger, at, self._times))
            return
        futures: dict[str, Future[Any]] = {}
        with ThreadPoolExecutor(self.threads) as pool, ThreadPoolExecutor(self.threads) as submitting:
            list(launch_scheduled_runs(self.context, logger, at, self._times, pool, submitting, futures))
            for future in list(futures.values()):
                future.result()

    def schedule(self, sync: str) -> RemoteSchedule:
        """A sync's schedule, as the UI knows it."""
        (location,) = self.context.create_request_context().code_locations
        (repository,) = location.get_repositories().values()
        return repository.get_schedule(f"{sync}_schedule")

    def dequeue(self) -> list[str]:
        """Takes out of the queue what may start now; the ids of the runs that did."""
        before = {run.run_id for run in self.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTING]))}
        list(QueuedRunCoordinatorDaemon(interval_seconds=1).run_iteration(self.context))
        started = self.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTING]))
        return [run.run_id for run in started if run.run_id not in before]

    def launch(self, sync: str, tags: dict[str, str] | None = None) -> dg.DagsterRun:
        """Launches a sync's job, by hand unless the tags say otherwise: into the queue, with the job's own tags."""
        from reverse_etl.definitions import job

        request = self.context.create_request_context()
        (location,) = request.code_locations
        (repository,) = location.get_repositories().values()
        remote = repository.get_full_job(sync)
        definition = job(os.environ["REVERSE_ETL_SYNCS"], sync)
        run = self.instance.create_run_for_job(
            job_def=definition,
            tags={**definition.run_tags, **(tags or {})},
            remote_job_origin=remote.get_remote_origin(),
            job_code_origin=remote.get_python_origin(),
        )
        return self.instance.submit_run(run.run_id, request)

    def ask(self, query: str, **variables: object) -> Any:
        """What the webserver answers."""
        from dagster_graphql.test.utils import execute_dagster_graphql

        return execute_dagster_graphql(self.context.create_request_context(), query, variables).data

    def materialize(self, *assets: str) -> dg.DagsterRun:
        """What "Materialize" in the UI does: with assets such as ``people/people_changeset``, or with all."""
        keys = [{"path": asset.split("/")} for asset in assets] or None
        return self.launched(self.ask(LAUNCH, job="__ASSET_JOB", assets=keys)["launchRun"])

    def backfill(self, *assets: str) -> str:
        """A backfill of assets, launched as a script would; its id. The daemon has not looked at it yet."""
        keys = [{"path": asset.split("/")} for asset in assets]
        asked = self.ask(BACKFILL, params={"assetSelection": keys, "allPartitions": True})["launchPartitionBackfill"]
        assert "LaunchBackfillSuccess" == asked["__typename"], asked
        return str(asked["backfillId"])

    def backfills(self) -> None:
        """What the backfill daemon does in one turn."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Function `AssetSelection.sources` is deprecated")  # by Dagster itself
            errors = list(execute_backfill_iteration(self.context, logging.getLogger("daemon")))
        assert [] == [error for error in errors if error]

    def execute_again(self, run: dg.DagsterRun) -> dg.DagsterRun:
        """What "Re-execute" in the UI does with a run."""
        return self.launched(self.ask(REEXECUTE, id=run.run_id)["launchRunReexecution"])

    def launched(self, answer: Any) -> dg.DagsterRun:
        """The run that the webserver answers with, as it is now."""
        assert "LaunchRunSuccess" == answer["__typename"], answer
        run = self.instance.get_run_by_id(answer["run"]["runId"])
        assert run is not None
        return run
