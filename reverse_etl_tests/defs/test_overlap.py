"""A due run that finds another one of its workspace, whoever launched that, is skipped and says which."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteRepositoryOrigin

from reverse_etl.config.loader import load_project
from reverse_etl.config.syncs import ProjectConfig
from reverse_etl.definitions import build_definitions
from reverse_etl.report import Status
from reverse_etl.state import workspace_lease
from reverse_etl.state.home import Home
from reverse_etl.state.run_history import list_runs
from reverse_etl.state.store import Store, open_store
from reverse_etl.workers import heartbeat
from reverse_etl_tests.defs.daemon import Daemon, shipped_instance
from reverse_etl_tests.project import Project, people

pytestmark = pytest.mark.thorough

START = "2026-01-05T01:30:00Z"
NEXT = "2026-01-05T02:30:00Z"
JOB = {"reverse_etl/workspace": "main", "reverse_etl/sync": "other"}


@pytest.fixture
def write(project: Project) -> Callable[[str], None]:
    """Writes `people.yaml` with more in its schedule."""

    def written(more: str = "") -> None:
        project.write("people.yaml", people().replace("manual", f"{{every: 1h, start_at: {START}{more}}}"))

    return written


@pytest.fixture
def hourly(loaded: ProjectConfig, write: Callable[[str], None]) -> ProjectConfig:
    """A project whose sync runs every hour."""
    write("")
    return load_project(loaded.directory)


@pytest.fixture
def store(loaded: ProjectConfig) -> Store:
    """The project's state."""
    return open_store(Home.from_environment().state_url)


@pytest.fixture
def elsewhere(store: Store) -> Iterator[None]:
    """A run of `other` that Dagster knows nothing of has the lease."""
    heartbeat.start("elsewhere", lambda: True)
    assert workspace_lease.take(store, "main", run_id="elsewhere", sync="other") is None
    yield
    heartbeat.stop("elsewhere")


def tick(project: ProjectConfig, instance: dg.DagsterInstance, at: str = START) -> dg.RunRequest | str:
    """What the schedule of `people` answers at a time."""
    definitions = build_definitions(project)
    (schedule,) = list(definitions.schedules or [])
    assert isinstance(schedule, dg.ScheduleDefinition)
    time = datetime.fromisoformat(at).astimezone(UTC)
    with dg.build_schedule_context(instance, time, resources=dict(definitions.resources or {})) as context:
        answer = schedule.evaluate_tick(context)
    return answer.run_requests[0] if answer.run_requests else str(answer.skip_message)


def add(instance: dg.DagsterInstance, status: dg.DagsterRunStatus, **more: object) -> dg.DagsterRun:
    """A run in Dagster's storage."""
    origin = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("reverse_etl"), "__repository__")
    known = {"job_name": "other", "tags": JOB, "remote_job_origin": origin.get_job_origin("other")}
    return instance.run_storage.add_run(dg.DagsterRun(status=status, **{**known, **more}))  # type: ignore[arg-type]


UNFINISHED = ("QUEUED", "NOT_STARTED", "STARTING", "STARTED", "SUSPENDED", "CANCELING")


@pytest.mark.parametrize("status", [each for each in dg.DagsterRunStatus if each.name != "MANAGED"])
def test_every_unfinished_run_is_in_the_way(
    hourly: ProjectConfig, instance: dg.DagsterInstance, status: dg.DagsterRunStatus
) -> None:
    """Queued, starting, working, suspended or being canceled; a finished one is not."""
    add(instance, status)
    assert (status.name in UNFINISHED) == isinstance(tick(hourly, instance), str)


def test_a_skipped_run_is_in_the_history_and_the_grid_stays(
    hourly: ProjectConfig, instance: dg.DagsterInstance, store: Store
) -> None:
    """Due at 1:30, another one in the way: skipped, with its name; the next is due at 2:30, and runs."""
    run = add(instance, dg.DagsterRunStatus.STARTED)
    reason = f"Skipped: other is in progress in main (run {run.run_id[:8]})."
    assert reason == tick(hourly, instance)
    assert reason == tick(hourly, instance)
    (skipped,) = list_runs(store, "people")
    assert (Status.SKIPPED, reason, datetime.fromisoformat(START)) == (
        skipped.status,
        skipped.message,
        skipped.started_at,
    )
    instance.report_run_canceled(run)
    assert isinstance(tick(hourly, instance, NEXT), dg.RunRequest)


@pytest.mark.parametrize(
    ("selection", "named"),
    [
        ({dg.AssetKey(["people", "people_changeset"])}, "a launch of people_changeset"),
        (None, "a launch of all assets"),
    ],
)
def test_assets_launched_without_a_job_are_in_the_way(
    hourly: ProjectConfig, instance: dg.DagsterInstance, selection: set[dg.AssetKey] | None, named: str
) -> None:
    """From before their first stage on, whichever they are; without a selection it is all of them."""
    job = build_definitions(hourly).resolve_implicit_global_asset_job_def().get_subset(asset_selection=selection)
    run = instance.create_run_for_job(
        job, asset_selection=frozenset(selection) if selection else None, status=dg.DagsterRunStatus.STARTED
    )
    assert f"Skipped: {named} is in progress in main (run {run.run_id[:8]})." == tick(hourly, instance)


def test_other_assets_are_not_in_the_way(hourly: ProjectConfig, instance: dg.DagsterInstance) -> None:
    """A run of a user's own asset, which is in no pool of a workspace."""
    add(instance, dg.DagsterRunStatus.STARTED, job_name="__ASSET_JOB", tags={})
    assert isinstance(tick(hourly, instance), dg.RunRequest)


def test_a_failed_run_that_waits_for_its_retry_is_in_the_way(
    hourly: ProjectConfig, instance: dg.DagsterInstance
) -> None:
    """Until Dagster has launched that; then the retry itself is."""
    waiting = add(instance, dg.DagsterRunStatus.FAILURE, tags={**JOB, "dagster/will_retry": "true"})
    assert "other waits for its retry in main" in str(tick(hourly, instance))
    instance.add_run_tags(waiting.run_id, {"dagster/auto_retry_run_id": "another"})
    assert isinstance(tick(hourly, instance, NEXT), dg.RunRequest)


def test_a_run_of_another_dagster_is_in_the_way(
    hourly: ProjectConfig, instance: dg.DagsterInstance, elsewhere: None
) -> None:
    """`reverse-etl run` with a DAGSTER_HOME of its own has the lease all the same."""
    assert "Skipped: other is in progress in main (run elsewher)." == tick(hourly, instance)


def test_a_sync_that_waits_asks_for_a_run_all_the_same(
    loaded: ProjectConfig,
    write: Callable[[str], None],
    instance: dg.DagsterInstance,
    store: Store,
) -> None:
    """While another one works it queues, once; while it works itself, one more of it may wait."""
    write(", overlap: wait")
    project = load_project(loaded.directory)
    add(instance, dg.DagsterRunStatus.STARTED)
    assert isinstance(tick(project, instance), dg.RunRequest)
    own = {"reverse_etl/workspace": "main", "reverse_etl/sync": "people"}
    waiting = add(instance, dg.DagsterRunStatus.QUEUED, job_name="people", tags=own)
    assert f"Skipped: people is queued in main (run {waiting.run_id[:8]})." == tick(project, instance)
    heartbeat.start(waiting.run_id, lambda: True)
    assert workspace_lease.take(store, "main", run_id=waiting.run_id, sync="people") is None
    assert isinstance(tick(project, instance, NEXT), dg.RunRequest)
    heartbeat.stop(waiting.run_id)


def test_of_runs_that_wait_that_of_the_sync_skipped_most_often_goes_first(
    loaded: ProjectConfig, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hour by hour, while a run has the workspace: `often` waits behind `seldom`, is skipped twice, leaves first."""
    due = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    for name, hours, minute in (("seldom", 9, 10), ("often", 1, 30)):
        schedule = f"{{every: {hours}h, start_at: 2026-03-29T01:{minute}:00Z, overlap: wait}}"
        project.write(f"{name}.yaml", people().replace("manual", schedule))
    monkeypatch.setenv("REVERSE_ETL_SYNCS", str(project.folder / "syncs"))
    with shipped_instance() as instance, Daemon.of(instance) as daemon:
        daemon.ticks(due - timedelta(minutes=30))
        holder = daemon.launch("people")
        assert [holder.run_id] == daemon.dequeue()
        daemon.ticks(due - timedelta(minutes=19))
        for hours in range(3):
            daemon.ticks(due + timedelta(hours=hours, seconds=1))
            assert [] == daemon.dequeue()
        queued = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED]))
        assert ["often", "seldom"] == [run.job_name for run in queued]
        assert {"often": "2", "seldom": None} == {run.job_name: run.tags.get("dagster/priority") for run in queued}
        instance.report_run_canceled(holder)
        (first,) = daemon.dequeue()
        run = instance.get_run_by_id(first)
        assert run is not None
        assert "often" == run.job_name


def test_a_run_that_passed_no_queue_is_held_at_its_start(
    hourly: ProjectConfig, instance: dg.DagsterInstance, store: Store, elsewhere: None
) -> None:
    """Nothing is read; the history says `skipped` and why; in Dagster it is a canceled run with that status."""
    job = build_definitions(hourly).resolve_job_def("people")
    result = job.execute_in_process(instance=instance, raise_on_error=False)
    run = instance.get_run_by_id(result.run_id)
    assert run is not None
    assert (dg.DagsterRunStatus.CANCELED, "skipped") == (run.status, run.tags["reverse_etl/status"])
    (skipped,) = list_runs(store, "people")
    assert (Status.SKIPPED, 6, result.run_id) == (skipped.status, skipped.exit_code, skipped.run_id)
    assert "run elsewher of other is in progress in workspace main" in skipped.message
    assert not list(Home.from_environment().changesets.glob("people/*"))
    workspace_lease.give_back(store, "elsewhere")
    assert job.execute_in_process(instance=instance, raise_on_error=False).success
    assert workspace_lease.holder(store, "main") is None
