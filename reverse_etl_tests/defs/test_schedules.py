"""A tick of a sync's schedule: due, not due, paused, or with a run of the workspace in progress."""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg
import pytest

from reverse_etl.config.loader import load_project
from reverse_etl.config.syncs import ProjectConfig
from reverse_etl.definitions import build_definitions
from reverse_etl.state.home import Home
from reverse_etl.state.store import open_store
from reverse_etl.state.syncs import set_paused
from reverse_etl_tests.project import Project, people

START = "2026-01-05T01:30:00Z"


@pytest.fixture
def hourly(loaded: ProjectConfig, project: Project) -> ProjectConfig:
    """A project whose sync runs every 50 minutes, which no single cron expression can say."""
    project.write("people.yaml", people().replace("manual", f"{{every: 50m, start_at: {START}}}"))
    return load_project(project.folder / "syncs")


def tick(project: ProjectConfig, instance: dg.DagsterInstance, at: str) -> dg.RunRequest | str:
    """What the schedule answers at a time: a run request, or why not."""
    definitions = build_definitions(project)
    (schedule,) = list(definitions.schedules or [])
    assert isinstance(schedule, dg.ScheduleDefinition)
    time = datetime.fromisoformat(at).astimezone(UTC)
    resources = dict(definitions.resources or {})
    with dg.build_schedule_context(instance, time, resources=resources) as context:
        answer = schedule.evaluate_tick(context)
    return answer.run_requests[0] if answer.run_requests else str(answer.skip_message)


def test_runs_are_due_on_the_grid_only(hourly: ProjectConfig, instance: dg.DagsterInstance) -> None:
    """Start, start + 50 minutes, and nothing between or before."""
    assert isinstance(tick(hourly, instance, START), dg.RunRequest)
    assert isinstance(tick(hourly, instance, "2026-01-05T02:20:00Z"), dg.RunRequest)
    assert tick(hourly, instance, "2026-01-05T02:10:00Z") == "Not due: the next run is at 2026-01-05 02:20 UTC."
    assert tick(hourly, instance, "2026-01-05T00:40:00Z") == "Not due: the next run is at 2026-01-05 01:30 UTC."


def test_a_paused_sync_is_skipped(hourly: ProjectConfig, instance: dg.DagsterInstance) -> None:
    """The reason says how to go on."""
    store = open_store(Home.from_environment().state_url)
    set_paused(store, "people", True)
    assert "reverse-etl resume people" in str(tick(hourly, instance, START))
    set_paused(store, "people", False)
    assert isinstance(tick(hourly, instance, START), dg.RunRequest)


def test_a_run_in_progress_in_the_workspace_is_named(hourly: ProjectConfig, instance: dg.DagsterInstance) -> None:
    """Whatever sync it is of; runs of other workspaces are not in the way."""

    def in_progress(workspace: str) -> dg.DagsterRun:
        run = dg.DagsterRun(
            job_name="other", tags={"reverse_etl/workspace": workspace}, status=dg.DagsterRunStatus.STARTED
        )
        return instance.run_storage.add_run(run)

    in_progress("elsewhere")
    assert isinstance(tick(hourly, instance, START), dg.RunRequest)
    run = in_progress("main")
    assert tick(hourly, instance, START) == f"Skipped: other is in progress in main (run {run.run_id[:8]})."


def test_an_interval_without_a_start_counts_from_when_the_sync_was_first_seen(
    loaded: ProjectConfig, project: Project, instance: dg.DagsterInstance
) -> None:
    """From two minutes later: so long a daemon may take to start, and the first run is not to wait for a day."""
    project.write("people.yaml", people().replace("manual", "{every: 1d}"))
    seen = datetime(2026, 3, 1, 10, 17, 42, tzinfo=UTC)
    definitions = build_definitions(load_project(project.folder / "syncs"), first_seen_at=lambda _: seen)
    (schedule,) = list(definitions.schedules or [])
    assert isinstance(schedule, dg.ScheduleDefinition)
    assert schedule.cron_schedule == "19 10 * * *"
