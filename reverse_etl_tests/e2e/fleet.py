"""Runs that are executed elsewhere: Dagster's queue here, Postgres and S3 for all, two workspaces with a sync each."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._core.storage.dagster_run import FINISHED_STATUSES
from dagster._daemon.monitoring import execute_run_monitoring_iteration

from reverse_etl.report import RunReport
from reverse_etl.state.run_history import find_run
from reverse_etl.state.store import open_store
from reverse_etl_tests.defs.daemon import Daemon
from reverse_etl_tests.project import CREDENTIALS, Project, fill, people
from reverse_etl_tests.servers.postgres import PostgresServer
from reverse_etl_tests.servers.s3 import running_s3
from reverse_etl_tests.servers.sandbox import RunningSandbox, wait_until
from reverse_etl_tests.servers.workers import alone
from reverse_etl_tests.state.test_workspace_lease import silenced

PEOPLE = 60
EACH = "    max_items_per_request: 5\n    max_requests_in_flight: 2\n"
SECOND = """\
  second:
    site_id: ${CUSTOMERIO_SITE_ID}
    track_api_key: ${CUSTOMERIO_TRACK_API_KEY}
    track_url: URL
    app_url: URL
"""


@dataclass(slots=True)
class Fleet:
    """The daemon's machine, before those that execute runs.

    Attributes:
        state_url: Where all of them keep the state.
    """

    daemon: Daemon
    state_url: str

    def launched(self, *syncs: str) -> list[str]:
        """Launches syncs, and takes their runs out of the queue."""
        runs = [self.daemon.launch(sync).run_id for sync in syncs]
        assert set(runs) == set(self.daemon.dequeue())
        return runs

    def status(self, run_id: str) -> dg.DagsterRunStatus:
        """What Dagster says of a run."""
        run = self.daemon.instance.get_run_by_id(run_id)
        assert run is not None
        return run.status

    def ended(self, run_id: str) -> dg.DagsterRunStatus:
        """How a run ended, once it has."""
        wait_until(lambda: self.status(run_id) in FINISHED_STATUSES, timeout_s=120, every_s=0.2)
        return self.status(run_id)

    def monitored(self) -> None:
        """One turn of run monitoring."""
        errors = execute_run_monitoring_iteration(self.daemon.context, logging.getLogger())
        assert [] == [each for each in errors if each]

    def continued(self, lost: str, sandbox: RunningSandbox) -> str:
        """The run that ended well after one whose machine is gone, and which run monitoring has noticed."""
        if alone():
            self.monitored()
            assert dg.DagsterRunStatus.STARTED is self.status(lost)
            silenced(open_store(self.state_url), seconds=190)
        self.monitored()
        assert dg.DagsterRunStatus.FAILURE is self.status(lost)
        sandbox.clear_faults()
        (again,) = self.launched("people")
        assert dg.DagsterRunStatus.SUCCESS is self.ended(again)
        return again

    def report(self, run_id: str) -> RunReport:
        """What the history says of a run."""
        found = find_run(open_store(self.state_url), run_id)
        assert found is not None
        return found


@contextlib.contextmanager
def shared_by_machines(
    project: Project, sandbox: RunningSandbox, postgres: PostgresServer
) -> Iterator[tuple[dict[str, str], dict[str, Any]]]:
    """Two workspaces with a sync each, five people a request.

    Yields:
        The variables that every machine has, and the part of ``dagster.yaml`` that says where runs are kept.
    """
    with running_s3() as s3:
        name = f"fleet_{time.time_ns()}"
        with postgres.admin("postgres") as admin:
            admin.execute(f"CREATE DATABASE {name}")
        server = f"postgres@/{name}?host={postgres.folder}&port={postgres.port}"
        fill(project.folder / "shop.db", [(str(n), f"p{n}@example.com", "free") for n in range(1, PEOPLE + 1)])
        connections = project.folder / "syncs" / "connections.yaml"
        connections.write_text(connections.read_text() + EACH + SECOND.replace("URL", sandbox.url) + EACH)
        project.write("orders.yaml", people().replace("workspace: main", "workspace: second"))
        variables = {
            **s3.env(name),
            "REVERSE_ETL_STATE_URL": f"postgresql://{server}",
            "REVERSE_ETL_SYNCS": str(project.folder / "syncs"),
            "DAGSTER_HOME": str(project.folder / "dagster"),
        }
        yield variables, {"storage": {"postgres": {"postgres_url": f"postgresql+psycopg2://{server}"}}}


@contextlib.contextmanager
def daemon_of(
    project: Project, settings: dict[str, Any], variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Daemon]:
    """The daemons of the instance with these settings; this process is their machine."""
    (project.folder / "dagster").mkdir()
    (project.folder / "dagster" / "dagster.yaml").write_text(yaml.safe_dump(settings))
    for key, value in {**CREDENTIALS, **variables, "REVERSE_ETL_HOME": str(project.folder / "daemon")}.items():
        monkeypatch.setenv(key, value)
    with dg.DagsterInstance.get() as instance, Daemon.of(instance) as daemon:
        yield daemon


def slow(sandbox: RunningSandbox, delay_s: float) -> None:
    """Each request is answered so much later."""
    sandbox.faults([{"match": {"path": "/api/v2/batch"}, "always": True, "do": {"delay_s": delay_s}}])
