"""Syncs that a faulty file leaves out, in Dagster: they are there, start nothing, and say why."""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType

from reverse_etl import definitions
from reverse_etl.config.loader import load_runnable
from reverse_etl.config.syncs import ProjectConfig
from reverse_etl.defs.failure import NotLoadedError
from reverse_etl.defs.project import build_definitions
from reverse_etl_tests.defs.daemon import Daemon, shipped_instance
from reverse_etl_tests.leaving_out import leaves_out
from reverse_etl_tests.project import Project, people

START = datetime(2026, 1, 5, 1, 30, tzinfo=UTC)
HOURLY = people().replace("manual", "{every: 1h, start_at: 2026-01-05T01:30:00Z}")
FAULTY = HOURLY.replace("workspace:", "workspce:")


@pytest.fixture
def folder(loaded: ProjectConfig, project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """`people` waits for `broken`, whose query asks for what there is not; `orders` has nothing to do with them."""
    monkeypatch.setenv("REVERSE_ETL_SYNCS", str(project.folder / "syncs"))
    leaves_out(project.folder / "syncs")
    project.write("broken.yaml", HOURLY + "chekcs: []\n")
    project.write("people.yaml", people().replace("manual", "{after: broken}"))
    project.write("orders.yaml", HOURLY)
    return project


def built(project: Project) -> dg.Definitions:
    """The definitions of the folder as it is now."""
    return build_definitions(load_runnable(project.folder / "syncs"))


def tick(loaded: dg.Definitions, instance: dg.DagsterInstance, sync: str) -> str:
    """Why a schedule starts no run; empty where it starts one."""
    schedule = loaded.resolve_schedule_def(f"{sync}_schedule")
    with dg.build_schedule_context(instance, START, resources=dict(loaded.resources or {})) as context:
        answer = schedule.evaluate_tick(context)
    return "" if answer.run_requests else str(answer.skip_message)


@pytest.mark.parametrize(
    ("name", "why"),
    [("broken", "its own file is faulty: "), ("people", "it runs after broken, which is left out: ")],
)
def test_the_job_fails_at_once_and_says_why(folder: Project, instance: dg.DagsterInstance, name: str, why: str) -> None:
    """With the file, its line and what to do, without a stack trace; a run of a sync beside them is none of that."""
    job = built(folder).resolve_job_def(name)
    config = {"ops": {f"{name}__{name}_changeset": {"config": {"limit": 1}}}}
    result = job.execute_in_process(instance=instance, run_config=config, raise_on_error=False)
    assert not result.success
    (error,) = [each.step_failure_data.error for each in result.all_events if each.is_step_failure]
    assert error is not None
    assert f"{name} is left out: {why}" in error.message
    assert "broken.yaml:" in error.message
    assert "chekcs: unknown key; did you mean `checks`? Nothing was read or sent. To see every" in error.message
    assert [] == error.stack
    assert {"people", "orders"} <= {key.path[0] for key in built(folder).resolve_asset_graph().get_all_asset_keys()}


def test_without_leave_out_the_code_location_does_not_load(folder: Project, instance: dg.DagsterInstance) -> None:
    """With the list of problems; what was loaded before starts nothing."""
    (folder.folder / "syncs" / "broken.yaml").write_text(HOURLY)
    before = built(folder)
    assert "" == tick(before, instance, "orders")
    (folder.folder / "syncs" / "broken.yaml").write_text(FAULTY)
    connections = folder.folder / "syncs" / "connections.yaml"
    connections.write_text(connections.read_text().replace("leave_out", "stop"))
    with pytest.raises(NotLoadedError, match=r"broken\.yaml:2: workspce: unknown key"):
        definitions.defs()
    assert "orders is left out: " in (said := tick(before, instance, "orders"))
    assert "broken.yaml is faulty, and one faulty file stops every sync of its folder: " in said


def test_its_schedule_starts_nothing_whether_it_is_loaded_or_was_before(
    folder: Project, instance: dg.DagsterInstance
) -> None:
    """One of a healthy sync goes on."""
    broken = folder.folder / "syncs" / "broken.yaml"
    faulty = broken.read_text()
    broken.write_text(HOURLY)
    before = built(folder)
    assert "" == tick(before, instance, "broken")
    broken.write_text(faulty)
    for loaded in (before, built(folder)):
        assert "broken is left out: its own file is faulty: " in tick(loaded, instance, "broken")
        assert "" == tick(loaded, instance, "orders")
    broken.unlink()
    assert "broken is left out: its file is gone; Dagster still has it" in tick(before, instance, "broken")
    connections = folder.folder / "syncs" / "connections.yaml"
    connections.write_text(connections.read_text() + "notfy: {}\n")
    assert "connections.yaml, which it reads, is faulty: " in tick(before, instance, "orders")


def test_a_sync_whose_file_cannot_be_read_keeps_its_job(folder: Project) -> None:
    """And a name that Dagster does not take has none, as before."""
    folder.write("broken.yaml", "<<<<<<< ours\n" + HOURLY)
    folder.write("no job.yaml", HOURLY)
    loaded = definitions.defs()
    assert {"broken", "orders", "people"} == {job.name for job in loaded.jobs or [] if "spot" not in job.name}
    assert {"orders_schedule"} == {each.name for each in loaded.schedules or []}
    assert "broken" == definitions.job(str(folder.folder / "syncs"), "broken").name


def test_a_schedule_that_was_switched_off_is_off_once_the_file_is_mended(folder: Project) -> None:
    """Dagster remembers it while there is no such schedule, whatever its daemon does meanwhile."""
    folder.write("broken.yaml", HOURLY)
    with shipped_instance() as instance:
        with Daemon.of(instance) as daemon:
            daemon.ticks(START.replace(hour=0))
            location = daemon.context.create_request_context().get_code_location("reverse_etl")
            (repository,) = location.get_repositories().values()
            instance.stop_schedule(
                repository.get_schedule("broken_schedule").get_remote_origin_id(),
                repository.get_schedule("broken_schedule").selector_id,
                repository.get_schedule("broken_schedule"),
            )
        folder.write("broken.yaml", FAULTY)
        with Daemon.of(instance) as daemon:
            daemon.ticks(START.replace(hour=2))
        folder.write("broken.yaml", HOURLY)
        with Daemon.of(instance) as daemon:
            daemon.ticks(START.replace(hour=3))
            states = instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE)
            (found,) = [each for each in states if each.instigator_name == "broken_schedule"]
            assert not found.is_running
            assert {"orders"} == {run.job_name for run in instance.get_runs()}
