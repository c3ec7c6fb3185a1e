"""A deployment as the units start it: code server, webserver and daemon over Postgres, and a sync launched there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import yaml

from reverse_etl.report import Status
from reverse_etl.state.run_history import find_run
from reverse_etl.state.store import open_store
from reverse_etl.state.syncs import record_seen
from reverse_etl_tests.project import Project, people
from reverse_etl_tests.servers.dagster_ui import free_port
from reverse_etl_tests.servers.deployment import DEPLOY, UNITS, alive, confines, deployed
from reverse_etl_tests.servers.postgres import PASSWORD, USER, PostgresServer, postgres
from reverse_etl_tests.servers.sandbox import RunningSandbox
from reverse_etl_tests.servers.webhook import running_webhook

__all__ = ["postgres"]

pytestmark = pytest.mark.thorough

LIMIT_S = 90
NOTIFY = 'notify:\n  program: {type: webhook, url: "${WEBHOOK_URL}", on: {failure: true, stale: 1h}}\n'
DATABASE = "reverse_etl"
LOCATIONS = "{ workspaceOrError { ... on Workspace { locationEntries { name locationOrLoadError { __typename } } } } }"
LOADED = [{"name": "reverse_etl", "locationOrLoadError": {"__typename": "RepositoryLocation"}}]
LAUNCH = """
mutation Launch($job: String!) {
  launchRun(executionParams: {
    mode: "default",
    selector: {repositoryLocationName: "reverse_etl", repositoryName: "__repository__", jobName: $job}
  }) { __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } }
}
"""
STATUS = "query Status($id: ID!) { runOrError(runId: $id) { ... on Run { status tags { key value } } } }"
DAEMONS = "{ instance { daemonHealth { allDaemonStatuses { daemonType required healthy } } } }"


class Page:
    """The webserver's GraphQL, with one deadline for everything that is waited for."""

    def __init__(self, url: str, processes: dict[str, subprocess.Popen[bytes]], folder: Path) -> None:
        self._url, self._processes, self._folder = url, processes, folder
        self._deadline = time.monotonic() + LIMIT_S

    def ask(self, query: str, **variables: Any) -> Any:
        """The answer's data, once the webserver answers."""
        return self.until(lambda: self._post(query, variables), "an answer")

    def until(self, look: Any, what: str) -> Any:
        """The first answer of `look` that is true."""
        pause = threading.Event()
        while time.monotonic() < self._deadline:
            dead = [name for name, process in self._processes.items() if process.poll() is not None]
            if dead:
                break
            if found := look():
                return found
            pause.wait(0.2)
        logs = "\n".join(f"== {path.name}\n{path.read_text()[-3000:]}" for path in self._folder.glob("*.log"))
        raise AssertionError(f"no {what} within {LIMIT_S} s of the start:\n{logs}")

    def _post(self, query: str, variables: dict[str, Any]) -> Any:
        try:
            answer = httpx.post(f"{self._url}/graphql", json={"query": query, "variables": variables}, timeout=20)
        except httpx.TransportError:
            return None
        return answer.json()["data"] if answer.status_code == 200 else None


@pytest.fixture
def project(new_project: Project) -> Project:
    """Nothing is made in its home folder yet."""
    return new_project


@pytest.fixture
def environment(project: Project, postgres: PostgresServer) -> Iterator[dict[str, str]]:
    """What the units' processes find: a fresh database, private ports, the shipped dagster.yaml."""
    with postgres.admin() as admin:
        admin.execute(f"CREATE DATABASE {DATABASE} OWNER {USER}")
    home = project.folder / "home"
    dagster_home = home / "dagster"
    dagster_home.mkdir(parents=True)
    shutil.copy(DEPLOY / "dagster.postgres.yaml", dagster_home / "dagster.yaml")
    yield project.env() | {
        "DAGSTER_HOME": str(dagster_home),
        "DAGSTER_PG_HOST": "127.0.0.1",
        "DAGSTER_PG_PORT": str(postgres.port),
        "DAGSTER_PG_USER": USER,
        "DAGSTER_PG_PASSWORD": PASSWORD,
        "DAGSTER_PG_DB": DATABASE,
        "REVERSE_ETL_SYNCS": str(project.folder / "syncs"),
        "REVERSE_ETL_STATE_URL": f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{postgres.port}/{DATABASE}",
        "REVERSE_ETL_CODE_HOST": "127.0.0.1",
        "REVERSE_ETL_CODE_PORT": str(free_port()),
        "REVERSE_ETL_WEB_PORT": str(free_port()),
    }
    with postgres.admin() as admin:
        admin.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")


def healthy(service: str, environment: dict[str, str]) -> bool:
    """Whether a service's health check in the Compose file finds its process well."""
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    (_, *words) = compose["services"][service]["healthcheck"]["test"]
    programs = f"{Path(sys.executable).parent}:{environment['PATH']}"
    here = [re.sub(r"\$\{(\w+)\}", lambda match: environment[match[1]], word) for word in words]
    asked = subprocess.run(["env", f"PATH={programs}", *here], env=environment, capture_output=True, check=False)
    return asked.returncode == 0


def rights(pid: int) -> str:
    """A process's capabilities, as a number."""
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("CapEff")]
    return line.split()[1]


def test_a_sync_launched_on_the_webserver_arrives(
    project: Project, environment: dict[str, str], sandbox: RunningSandbox
) -> None:
    """Three processes and Postgres: the run is queued, executed by the code server, and in both histories.

    Meanwhile the daemon's sensor finds a sync that never ran, and tells it.
    """
    project.write("orders.yaml", people())
    project.write("connections.yaml", (project.folder / "syncs" / "connections.yaml").read_text() + NOTIFY)
    two_hours_ago = datetime.now(UTC) - timedelta(hours=2)
    record_seen(open_store(environment["REVERSE_ETL_STATE_URL"]), "orders", "main", two_hours_ago)
    with (
        running_webhook() as webhook,
        deployed(project.folder, environment | {"WEBHOOK_URL": webhook.url}) as processes,
    ):
        page = Page(f"http://127.0.0.1:{environment['REVERSE_ETL_WEB_PORT']}", processes, project.folder)
        page.until(lambda: LOADED == page.ask(LOCATIONS)["workspaceOrError"]["locationEntries"], "code location")
        launched = page.ask(LAUNCH, job="people")["launchRun"]
        assert "LaunchRunSuccess" == launched["__typename"], launched
        run_id = launched["run"]["runId"]
        ends = ("SUCCESS", "FAILURE", "CANCELED")
        page.until(lambda: page.ask(STATUS, id=run_id)["runOrError"]["status"] in ends, "end of the run")
        run = page.ask(STATUS, id=run_id)["runOrError"]
        page.until(lambda: webhook.bodies, "alert")
        health = page.ask(DAEMONS)["instance"]["daemonHealth"]["allDaemonStatuses"]
        assert [] == [name for name in ("code", "webserver", "daemon") if not healthy(name, environment)]
        assert not confines() or {"0000000000000000"} == {rights(process.pid) for process in processes.values()}
    assert "SUCCESS" == run["status"]
    assert [("orders", "stale")] == [(body["sync"], body["kind"]) for body in webhook.bodies]
    assert {"key": "reverse_etl/status", "value": "completed"} in run["tags"]
    assert {"1", "2", "3"} == {person["id"] for person in sandbox.people()}
    assert [] == [each["daemonType"] for each in health if each["required"] and not each["healthy"]]
    on_the_server = Project(project.folder, environment).reverse_etl("status", "--json")
    statuses = {each["sync"]: each["status"] for each in json.loads(on_the_server.stdout)}
    assert {"people": "completed", "orders": None} == statuses
    report = find_run(open_store(environment["REVERSE_ETL_STATE_URL"]), run_id)
    assert report is not None
    assert (Status.COMPLETED, 3) == (report.status, report.rows.delivered)
    with psycopg.connect(environment["REVERSE_ETL_STATE_URL"]) as connection:
        names = {row[0] for row in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
    assert {"runs", "event_logs", "reverse_etl_run", "reverse_etl_sync"} <= names
    assert not list((project.folder / "home").rglob("*.db")), "something was kept in SQLite"
    assert [] == [line for name in UNITS for line in alive(processes[name].pid)]
