"""A run that never started is in the history as failed, and the channels get an alert, whatever kept it."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.test_utils import freeze_time
from dagster._daemon.monitoring.run_monitoring import execute_run_monitoring_iteration

from reverse_etl.config.loader import load_project
from reverse_etl.definitions import build_definitions
from reverse_etl.report import Status
from reverse_etl.state.home import Home
from reverse_etl.state.loaded import loaded
from reverse_etl.state.run_history import list_runs
from reverse_etl.state.runs import begin_run
from reverse_etl.state.store import Store, open_store
from reverse_etl_tests.defs.daemon import Daemon, shipped_instance
from reverse_etl_tests.project import CREDENTIALS, Project
from reverse_etl_tests.servers.webhook import Webhook, running_webhook

NOTIFY = 'notify:\n  program: {type: webhook, url: "${PROGRAM_URL}", on: {failure: true, recovery: true}}\n'


@pytest.fixture
def told(project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    """A channel of the project whose sync is `people`."""
    monkeypatch.setenv("REVERSE_ETL_HOME", str(project.folder / "home"))
    monkeypatch.setenv("REVERSE_ETL_SYNCS", str(project.folder / "syncs"))
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    path = project.folder / "syncs" / "connections.yaml"
    path.write_text(path.read_text() + NOTIFY)
    with running_webhook() as webhook:
        monkeypatch.setenv("PROGRAM_URL", webhook.url)
        yield webhook


@pytest.fixture
def daemon(told: Webhook) -> Iterator[Daemon]:
    """The daemon of an instance that launches nothing."""
    with shipped_instance() as instance, Daemon.of(instance) as daemon:
        yield daemon


@pytest.fixture
def store(told: Webhook) -> Store:
    """The history."""
    return open_store(Home.from_environment().state_url)


def look(project: Project, instance: dg.DagsterInstance, loaded: dg.Definitions | None = None) -> str:
    """One tick of the sensor, of the files as they are or as they were loaded, and what it says."""
    definitions = loaded or build_definitions(load_project(Path(project.folder / "syncs")))
    sensor = definitions.resolve_sensor_def("runs_that_never_started")
    resources = {"reverse_etl_home": (definitions.resources or {})["reverse_etl_home"]}
    with dg.build_sensor_context(instance=instance, resources=resources) as context:
        return str(sensor.evaluate_tick(context).skip_message)


def test_a_start_that_took_too_long(daemon: Daemon, project: Project, store: Store, told: Webhook) -> None:
    """Taken out of the queue, and no worker came: run monitoring ends it, the sensor writes and tells it once."""
    run = daemon.launch("people")
    assert [run.run_id] == daemon.dequeue()
    assert "Every run that failed had begun." == look(project, daemon.instance)
    with freeze_time(datetime.now(UTC) + timedelta(seconds=200)):
        assert [] == [e for e in execute_run_monitoring_iteration(daemon.context, logging.getLogger()) if e]
        assert "longer than 180 seconds to start" in look(project, daemon.instance)
        assert "Every run that failed had begun." == look(project, daemon.instance)
    (report,) = list_runs(store)
    assert (run.run_id, Status.FAILED, 1) == (report.run_id, report.status, report.exit_code)
    assert "sync people" in report.message
    assert "the run never started: Run timed out" in report.message
    (alert,) = told.bodies
    assert ("failure", run.run_id) == (alert["kind"], alert["run_id"])
    in_dagster = daemon.instance.get_run_by_id(run.run_id)
    assert in_dagster is not None
    assert "failed" == in_dagster.tags["reverse_etl/status"]


@pytest.mark.thorough
def test_materialized_assets_that_no_code_server_could_start(daemon: Daemon, project: Project, store: Store) -> None:
    """A launch that failed, of what "Materialize" asked for: the sync's run, with Dagster's reason."""
    run = daemon.materialize("people/people_changeset")
    daemon.instance.report_engine_event("Could not reach user code server.", run)
    daemon.instance.report_run_failed(run)
    look(project, daemon.instance)
    (report,) = list_runs(store)
    assert (f"{run.run_id}.people", Status.FAILED) == (report.run_id, report.status)
    assert "never started: Could not reach user code server." in report.message


def test_a_faulty_file_is_the_reason(daemon: Daemon, project: Project, store: Store, told: Webhook) -> None:
    """Its line and what is wrong, how many problems more there are, and what to do, not the process that ended."""
    syncs = project.folder / "syncs"
    before, run = build_definitions(load_project(syncs)), daemon.launch("people")
    right = (syncs / "people.yaml").read_text()
    (syncs / "people.yaml").write_text(right.replace("workspace:", "workspce:", 1) + "chekcs: []\n")
    daemon.instance.report_run_failed(run, "Process for run exited (pid: 22275).")
    look(project, daemon.instance, before)
    (report,) = list_runs(store)
    assert (Status.FAILED, 2) == (report.status, report.exit_code)
    assert "the run never started, for the sync is left out: its own file is faulty: " in report.message
    assert "workspce: unknown key; did you mean `workspace`? There is 1 more problem." in report.message
    assert "reverse-etl validate" in report.message
    assert "pid" not in report.message
    (alert,) = told.bodies
    assert "workspce: unknown key" in str(alert)
    events = [entry.dagster_event for entry in daemon.instance.all_logs(run.run_id)]
    assert any("workspce: unknown key" in (event.message or "") for event in events if event)


def test_a_run_that_began_keeps_its_end(daemon: Daemon, project: Project, store: Store) -> None:
    """Here or in another state database; and a user's own run is none of ours."""
    began = daemon.launch("people")
    at = datetime.now(UTC)
    begin_run(store, began.run_id, root_run_id=began.run_id, sync="people", workspace="main", started_at=at, since=0)
    elsewhere = daemon.launch("people", {".dagster/reverse_etl/began": "?"})
    daemon.instance.add_run_tags(elsewhere.run_id, {".dagster/reverse_etl/began": elsewhere.run_id})
    own = daemon.instance.create_run_for_job(dg.job(name="own")(lambda: None), run_config={})
    for run in (began, elsewhere, own):
        daemon.instance.report_run_failed(run)
    assert "Every run that failed had begun." == look(project, daemon.instance)
    assert [Status.RUNNING] == [run.status for run in list_runs(store)]


def test_what_is_loaded_is_noted_by_the_process_that_the_daemon_asks(
    daemon: Daemon, project: Project, store: Store
) -> None:
    """As its definitions are, whatever the file says by now."""
    look(project, daemon.instance)
    path = project.folder / "syncs"
    with store.reading() as connection:
        found = loaded(connection, datetime.now(UTC))
    assert "loaded" == found.has(load_project(path).syncs["people"])
    file = path / "people.yaml"
    file.write_text(re.sub("schedule: .*", "schedule: {every: 5m}", file.read_text()))
    assert "older" == found.has(load_project(path).syncs["people"])
