"""How a run ends in Dagster and in the history: interrupted between stages, beside files that cannot be deleted."""

from __future__ import annotations

import os
import signal
import uuid
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from reverse_etl.config.syncs import ProjectConfig
from reverse_etl.definitions import build_definitions
from reverse_etl.report import RunReport
from reverse_etl.state import workspace_lease
from reverse_etl.state.home import Home
from reverse_etl.state.run_history import find_run
from reverse_etl.state.store import Store, open_store
from reverse_etl_tests.servers.sandbox import RunningSandbox
from reverse_etl_tests.state.conftest import begin, close, report


def store() -> Store:
    """What is remembered of the project's runs."""
    return open_store(Home.from_environment().state_url)


def ended(run_id: str) -> RunReport:
    """A run as the history has it."""
    found = find_run(store(), run_id)
    assert found is not None
    return found


@pytest.mark.thorough
@pytest.mark.parametrize(("stage", "number"), [("changeset", signal.SIGINT), ("validated", signal.SIGTERM)])
def test_a_signal_between_two_stages_ends_the_run_as_canceled(
    loaded: ProjectConfig,
    instance: dg.DagsterInstance,
    sandbox: RunningSandbox,
    stage: str,
    number: signal.Signals,
) -> None:
    """Nothing is sent, the run is closed, its tag is set, and the workspace is free for the next run."""
    run_id = str(uuid.uuid4())

    def press(event: dg.EventLogEntry) -> None:
        step = event.dagster_event
        if step is not None and step.is_step_success and str(step.step_key).endswith(stage):
            os.kill(os.getpid(), number)

    instance.watch_event_logs(run_id, None, lambda event, _: press(event))
    job = build_definitions(loaded).resolve_job_def("people")
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        with pytest.raises(dg.DagsterExecutionInterruptedError):
            job.execute_in_process(instance=instance, run_id=run_id, raise_on_error=True)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    run = ended(run_id)
    assert ("canceled", 3, 3) == (run.status, run.rows.extracted, run.rows.undelivered)
    assert run.failed_rows_csv
    assert workspace_lease.holder(store(), "main") is None
    assert [] == sandbox.people()
    stored = instance.get_run_by_id(run_id)
    assert stored is not None
    assert "canceled" == stored.tags["reverse_etl/status"]
    assert "completed" == ended(job.execute_in_process(instance=instance).run_id).status


def test_what_cannot_be_deleted_is_a_warning(loaded: ProjectConfig, instance: dg.DagsterInstance) -> None:
    """A folder lies where the CSV of an old run was: the run is completed, in Dagster too, and its log says so."""
    at = datetime.now(UTC) - timedelta(days=200)
    begin(store(), "old", at=at)
    close(store(), report("old", at=at))
    (Home.from_environment().failed_rows_csv("people", "old") / "x").mkdir(parents=True)
    job = build_definitions(loaded).resolve_job_def("people")
    result = job.execute_in_process(instance=instance, raise_on_error=False)
    assert result.success
    assert "completed" == ended(result.run_id).status
    stored = instance.get_run_by_id(result.run_id)
    assert stored is not None
    assert "completed" == stored.tags["reverse_etl/status"]
    said = [each.user_message for each in instance.all_logs(result.run_id) if each.level >= 30]
    assert any("old.csv is older than it may be kept" in each for each in said), said


def test_a_part_of_the_stages_is_a_run_that_ended(loaded: ProjectConfig, instance: dg.DagsterInstance) -> None:
    """Whoever materializes the changeset alone has a run that does not stay `running`, nor hold the workspace."""
    job = build_definitions(loaded).resolve_implicit_global_asset_job_def()
    changeset = dg.AssetKey(["people", "people_changeset"])
    result = job.execute_in_process(instance=instance, asset_selection=[changeset])
    assert result.success
    assert "canceled" == ended(f"{result.run_id}.people").status
    assert workspace_lease.holder(store(), "main") is None
