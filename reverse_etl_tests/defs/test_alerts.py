"""Alerts of runs as Dagster executes them, and of what the sensor finds between runs."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from reverse_etl.config.loader import load_project, load_runnable
from reverse_etl.config.syncs import ProjectConfig
from reverse_etl.definitions import build_definitions
from reverse_etl.report import RunReport, Status
from reverse_etl.state.home import Home
from reverse_etl.state.run_history import find_run
from reverse_etl.state.runs import begin_run, close_run, record_skipped
from reverse_etl.state.store import open_store
from reverse_etl.state.syncs import record_seen
from reverse_etl_tests.leaving_out import leaves_out
from reverse_etl_tests.project import Project, fill, people
from reverse_etl_tests.servers.sandbox import RunningSandbox
from reverse_etl_tests.servers.webhook import Webhook, running_webhook

NOTIFY = """\
notify:
  chat: {type: slack, url: "${CHAT_URL}"}
  program: {type: webhook, url: "${PROGRAM_URL}", on: {failure: true, stale: 1m, skipped: 2, recovery: true}}
"""


@pytest.fixture
def webhooks(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Webhook, Webhook]]:
    """Two servers, their addresses in the environment."""
    with running_webhook() as chat, running_webhook() as program:
        monkeypatch.setenv("CHAT_URL", chat.url)
        monkeypatch.setenv("PROGRAM_URL", program.url)
        yield chat, program


@pytest.fixture
def notified(project: Project, loaded: ProjectConfig) -> ProjectConfig:
    """The project of the sync `people` with two channels, started from a fresh home folder."""
    path = project.folder / "syncs" / "connections.yaml"
    path.write_text(path.read_text() + NOTIFY)
    return load_project(project.folder / "syncs")


def run(project: ProjectConfig, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    """Executes the job `people`."""
    job = build_definitions(project).resolve_job_def("people")
    return job.execute_in_process(instance=instance, raise_on_error=False)


def look(project: ProjectConfig, instance: dg.DagsterInstance) -> str:
    """One tick of the sensor, and what it says."""
    definitions = build_definitions(project)
    sensor = definitions.resolve_sensor_def("alerts")
    resources = {"reverse_etl_home": (definitions.resources or {})["reverse_etl_home"]}
    with dg.build_sensor_context(instance=instance, resources=resources) as context:
        return str(sensor.evaluate_tick(context).skip_message)


@pytest.mark.thorough
def test_each_end_of_a_run_is_an_alert_after_it_is_closed(
    notified: ProjectConfig,
    project: Project,
    instance: dg.DagsterInstance,
    sandbox: RunningSandbox,
    webhooks: tuple[Webhook, Webhook],
) -> None:
    """A gate, a source error, failed rows, and all well again; no value of a row and no secret in any of it."""
    chat, program = webhooks
    shop = project.folder / "shop.db"
    fill(shop, [("planted-id", "planted@example.com", "a"), ("2", "planted address", "planted plan")])
    assert not run(notified, instance).success
    assert ["people: 1 of 2 rows failed"] == [body["text"].splitlines()[0].strip("*") for body in chat.bodies]
    assert "Reasons: email_valid (1)" in chat.bodies[0]["text"]
    assert [] == program.bodies
    with closing(sqlite3.connect(shop)) as database:
        database.execute("ALTER TABLE customers RENAME TO gone")
    for _ in range(2):
        assert not run(notified, instance).success
    assert ["failure"] == [body["kind"] for body in program.bodies]
    assert "customers" in program.bodies[0]["message"]
    project.write("people.yaml", people(more="checks:\n  - max_failed_rows: 10%\n"))
    fill(shop, [("1", "planted@example.com", "a"), ("2", "planted address", "b")])
    assert not run(load_project(project.folder / "syncs"), instance).success
    assert "max_failed_rows" in program.bodies[1]["message"]
    fill(shop, [("1", "ann@example.com", "a")])
    assert run(notified, instance).success
    assert ["failure", "failure", "recovery"] == [body["kind"] for body in program.bodies]
    recovery = program.bodies[-1]
    row = find_run(open_store(Home.from_environment().state_url), recovery["run_id"])
    assert row is not None
    assert ("completed", 1) == (row.status.value, recovery["rows"]["delivered"])
    assert "planted" not in str(chat.bodies) + str(program.bodies)


@pytest.mark.thorough
def test_an_alert_that_cannot_be_sent_fails_nothing(
    notified: ProjectConfig,
    project: Project,
    instance: dg.DagsterInstance,
    sandbox: RunningSandbox,
    webhooks: tuple[Webhook, Webhook],
) -> None:
    """The run ends as it would; its log has a warning in words, without the address; the sensor tells it later."""
    chat, _ = webhooks
    fill(project.folder / "shop.db", [("1", "ann@example.com", "a"), ("2", "nope", "b")])
    chat.answers.append((404, {}, "no_service"))
    result = run(notified, instance)
    (warning,) = [
        entry.user_message for entry in instance.all_logs(result.run_id) if "was not sent" in entry.user_message
    ]
    assert "an alert of people was not sent: notify.chat (slack): the answer was HTTP 404 (no_service)." in warning
    assert "planted-address" not in str(instance.all_logs(result.run_id))
    report = find_run(open_store(Home.from_environment().state_url), result.run_id)
    assert report is not None
    assert "some_rows_failed" == report.status.value
    assert {"1"} == {person["id"] for person in sandbox.people()}


def test_the_sensor_tells_what_no_run_tells(
    notified: ProjectConfig, instance: dg.DagsterInstance, webhooks: tuple[Webhook, Webhook]
) -> None:
    """A sync that got stale, and one that is always skipped: once each, with the words in the tick."""
    _, program = webhooks
    store = open_store(Home.from_environment().state_url)
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    assert "No new alert." == look(notified, instance)
    record_seen(store, "people", "main", hour_ago)
    assert "alerted program: people is stale: nothing was delivered" in look(notified, instance)
    for minutes in (1, 2):
        record_skipped(store, "people", "main", hour_ago + timedelta(minutes=minutes), "other")
    assert "alerted program: people was skipped 2 times in a row" == look(notified, instance)
    assert "No new alert." == look(notified, instance)
    assert ["stale", "skipped"] == [body["kind"] for body in program.bodies]


def test_the_sensor_is_there_when_there_are_channels(loaded: ProjectConfig, notified: ProjectConfig) -> None:
    """It runs unless it is switched off; a project without channels has none."""
    assert "alerts" not in {sensor.name for sensor in build_definitions(loaded).sensors or []}
    (sensor,) = (sensor for sensor in build_definitions(notified).sensors or [] if sensor.name == "alerts")
    assert isinstance(sensor, dg.SensorDefinition)
    assert dg.DefaultSensorStatus.RUNNING == sensor.default_status


def test_a_channel_can_be_tried(notified: ProjectConfig, project: Project, webhooks: tuple[Webhook, Webhook]) -> None:
    """`test-connection chat` sends a test alert; a channel that does not take it ends with 1 and the reason."""
    chat, _ = webhooks
    project.environment |= {name: os.environ[name] for name in ("CHAT_URL", "PROGRAM_URL")}
    done = project.reverse_etl("test-connection", "chat")
    assert (0, 1) == (done.returncode, len(chat.bodies)), done.stderr
    assert "a test of notify.chat (slack)" in chat.bodies[0]["text"]
    chat.answers.append((410, {}, "channel_is_archived"))
    done = project.reverse_etl("test-connection", "chat")
    assert 1 == done.returncode
    assert "HTTP 410 (channel_is_archived)" in done.stdout
    assert "planted-address" not in done.stdout + done.stderr


def test_a_left_out_sync_is_told_once_when_it_begins_and_once_when_it_ends(
    notified: ProjectConfig, project: Project, instance: dg.DagsterInstance, webhooks: tuple[Webhook, Webhook]
) -> None:
    """With the file and its line; its runs that fail meanwhile are no news. One alert for a file that several read."""
    _, program = webhooks
    leaves_out(project.folder / "syncs")
    project.write("later.yaml", people().replace("manual", "{after: people}"))
    right = people()
    project.write("people.yaml", right + "chekcs: []\n")
    faulty = load_runnable(project.folder / "syncs")
    for _ in range(2):
        look(faulty, instance)
    assert ["later is left out: waits for people", "people is left out: its own file is faulty"] == sorted(
        body["headline"] for body in program.bodies
    )
    assert all(
        "people.yaml:" in body["message"] and "chekcs: unknown key" in body["message"] for body in program.bodies
    )
    assert {"failure"} == {body["kind"] for body in program.bodies}
    store = open_store(Home.from_environment().state_url)
    begin_run(store, "r", root_run_id="r", sync="later", workspace="main", started_at=datetime.now(UTC), since=0)
    failed = RunReport("later", "r", Status.FAILED, datetime.now(UTC), message="left out", exit_code=2)
    close_run(store, failed, root_run_id="r", workspace="main", failed_rows=(), new_last_sync_time=None)
    look(faulty, instance)
    assert 2 == len(program.bodies)
    project.write("people.yaml", right)
    for _ in range(2):
        look(load_project(project.folder / "syncs"), instance)
    assert ["later is no longer left out", "people is no longer left out"] == sorted(
        body["headline"] for body in program.bodies[2:]
    )
    connections = project.folder / "syncs" / "connections.yaml"
    connections.write_text(connections.read_text().replace("leave_out", "stop"))
    project.write("later.yaml", "query: 1\n")
    for _ in range(2):
        look(notified, instance)
    (stopped,) = program.bodies[4:]
    assert stopped["headline"].startswith("Syncs are left out: ")
    assert stopped["headline"].endswith("later.yaml is faulty")
    assert "later.yaml:" in stopped["message"]
    project.write("later.yaml", people())
    look(notified, instance)
    assert ["failure", "recovery"] == [body["kind"] for body in program.bodies[4:]]
    project.write("_defaults.yaml", "max_rows: none\n")
    look(notified, instance)
    assert program.bodies[6]["headline"].endswith("_defaults.yaml is faulty")
    (project.folder / "syncs" / "_defaults.yaml").unlink()
    look(notified, instance)
    assert ["failure", "recovery"] == [body["kind"] for body in program.bodies[6:]]
