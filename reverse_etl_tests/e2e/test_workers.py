"""Runs on other machines: Dagster's queue here, Celery's workers there; Redis, Postgres and S3 between them."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import dagster as dg
import pytest
import redis
import yaml
from dagster._core.storage.dagster_run import FINISHED_STATUSES
from dagster._daemon.monitoring import execute_run_monitoring_iteration

from reverse_etl.report import RunReport
from reverse_etl.state.run_history import find_run
from reverse_etl.state.store import open_store
from reverse_etl_tests.defs.daemon import Daemon
from reverse_etl_tests.e2e.in_progress import sent
from reverse_etl_tests.project import CREDENTIALS, Project, fill, people
from reverse_etl_tests.servers.deployment import DEPLOY
from reverse_etl_tests.servers.postgres import PostgresServer, postgres
from reverse_etl_tests.servers.redis import running_redis
from reverse_etl_tests.servers.s3 import running_s3
from reverse_etl_tests.servers.sandbox import RunningSandbox, wait_until
from reverse_etl_tests.servers.workers import Worker, alone, worker
from reverse_etl_tests.state.test_workspace_lease import silenced

__all__ = ["postgres"]

# dagster-celery declares its task anew at each launch, of which Celery 5.7 warns.
pytestmark = [pytest.mark.thorough, pytest.mark.filterwarnings("ignore:Task name .execute_job. is already registered")]

PEOPLE = 60
EACH = "    max_items_per_request: 5\n    max_requests_in_flight: 2\n"
SECOND = """\
  second:
    site_id: ${CUSTOMERIO_SITE_ID}
    track_api_key: ${CUSTOMERIO_TRACK_API_KEY}
    track_url: URL
    app_url: URL
"""
Status = dg.DagsterRunStatus


@dataclass(slots=True)
class Fleet:
    """The daemon's machine, and two that execute runs."""

    daemon: Daemon
    workers: list[Worker]
    state_url: str
    broker: str

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
        wait_until(lambda: self.status(run_id) in FINISHED_STATUSES, timeout_s=200, every_s=0.2)
        return self.status(run_id)

    def monitored(self) -> None:
        """One turn of run monitoring."""
        errors = execute_run_monitoring_iteration(self.daemon.context, logging.getLogger())
        assert [] == [each for each in errors if each]

    def report(self, run_id: str) -> RunReport:
        """What the history says of a run."""
        found = find_run(open_store(self.state_url), run_id)
        assert found is not None
        return found

    def of(self, run_id: str) -> Worker:
        """The machine that executed a run."""
        (found,) = [each for each in self.workers if each.took(run_id)]
        return found


@pytest.fixture
def fleet(
    project: Project, sandbox: RunningSandbox, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Fleet]:
    """Two workspaces with a sync each, and the shipped settings of Celery; five people a request."""
    with ExitStack() as stack:
        broker = stack.enter_context(running_redis())
        s3 = stack.enter_context(running_s3())
        name = f"fleet_{time.time_ns()}"
        with postgres.admin("postgres") as admin:
            admin.execute(f"CREATE DATABASE {name}")
        server = f"postgres@/{name}?host={postgres.folder}&port={postgres.port}"
        fill(project.folder / "shop.db", [(str(n), f"p{n}@example.com", "free") for n in range(1, PEOPLE + 1)])
        connections = project.folder / "syncs" / "connections.yaml"
        connections.write_text(connections.read_text() + EACH + SECOND.replace("URL", sandbox.url) + EACH)
        project.write("orders.yaml", people().replace("workspace: main", "workspace: second"))
        settings = yaml.safe_load((DEPLOY / "celery" / "dagster.yaml").read_text())
        settings["storage"] = {"postgres": {"postgres_url": f"postgresql+psycopg2://{server}"}}
        (project.folder / "dagster").mkdir()
        (project.folder / "dagster" / "dagster.yaml").write_text(yaml.safe_dump(settings))
        shared = {
            **s3.env(name),
            "REVERSE_ETL_STATE_URL": f"postgresql://{server}",
            "REVERSE_ETL_SYNCS": str(project.folder / "syncs"),
            "REVERSE_ETL_BROKER_URL": f"{broker}/0",
            "REVERSE_ETL_RESULT_URL": f"{broker}/1",
            "DAGSTER_HOME": str(project.folder / "dagster"),
        }
        for key, value in {**CREDENTIALS, **shared, "REVERSE_ETL_HOME": str(project.folder / "daemon")}.items():
            monkeypatch.setenv(key, value)
        instance = stack.enter_context(dg.DagsterInstance.get())
        machines = [
            stack.enter_context(worker(each, project.folder, project.env() | shared)) for each in ("one", "two")
        ]
        yield Fleet(stack.enter_context(Daemon.of(instance)), machines, shared["REVERSE_ETL_STATE_URL"], broker)


def slow(sandbox: RunningSandbox, delay_s: float) -> None:
    """Each request is answered so much later."""
    sandbox.faults([{"match": {"path": "/api/v2/batch"}, "always": True, "do": {"delay_s": delay_s}}])


def test_two_workspaces_are_sent_to_from_two_machines_and_a_changed_sync_applies(
    fleet: Fleet, project: Project, sandbox: RunningSandbox
) -> None:
    """At once, each where there is room; a worker that stays keeps nothing of the files of the run before."""
    slow(sandbox, 1.0)
    both = fleet.launched("people", "orders")
    assert [Status.SUCCESS] * 2 == [fleet.ended(run_id) for run_id in both]
    assert fleet.of(both[0]) is not fleet.of(both[1])
    assert not list((project.folder / "daemon").glob("changesets/*/*"))
    records = [record for each in both if (record := fleet.daemon.instance.get_run_record_by_id(each)) is not None]
    assert max(each.start_time or 0.0 for each in records) < min(each.end_time or 0.0 for each in records)
    sandbox.clear_faults()
    for limit in (3, 2):
        project.write("people.yaml", people(f"SELECT id, email, plan FROM customers LIMIT {limit}"))
        (run_id,) = fleet.launched("people")
        assert Status.SUCCESS is fleet.ended(run_id)
        assert limit == fleet.report(run_id).rows.extracted


def test_a_machine_that_goes_down_is_noticed_and_another_one_goes_on(fleet: Fleet, sandbox: RunningSandbox) -> None:
    """Its run is ended by run monitoring, its workspace is free, and the next run sends what is missing."""
    slow(sandbox, 0.5)
    (run_id,) = fleet.launched("people")
    wait_until(lambda: len(sent(sandbox)) >= 20, timeout_s=120, every_s=0.05)
    lost = fleet.of(run_id)
    lost.lose()
    if alone():
        fleet.monitored()
        assert Status.STARTED is fleet.status(run_id)
        silenced(open_store(fleet.state_url), seconds=190)
    fleet.monitored()
    assert Status.FAILURE is fleet.status(run_id)
    sandbox.clear_faults()
    (again,) = fleet.launched("people")
    assert Status.SUCCESS is fleet.ended(again)
    assert fleet.of(again) is not lost
    times = sent(sandbox)
    assert {str(n) for n in range(1, PEOPLE + 1)} == set(times)
    assert sum(times.values()) <= PEOPLE + 20


def test_a_broker_that_forgets_fails_no_run_and_terminate_cancels_one(fleet: Fleet, sandbox: RunningSandbox) -> None:
    """What runs goes on without the broker's memory; to Dagster and to the history a terminated run is canceled."""
    slow(sandbox, 0.5)
    (run_id,) = fleet.launched("people")
    wait_until(lambda: len(sent(sandbox)) >= 5, timeout_s=120, every_s=0.05)
    redis.Redis.from_url(fleet.broker).flushall()
    fleet.monitored()
    assert Status.STARTED is fleet.status(run_id)
    sandbox.clear_faults()
    assert Status.SUCCESS is fleet.ended(run_id)
    slow(sandbox, 0.5)
    (run_id,) = fleet.launched("orders")
    wait_until(lambda: len([each for each in sent(sandbox).values() if each > 1]) >= 5, timeout_s=120, every_s=0.05)
    assert fleet.daemon.instance.run_launcher.terminate(run_id)
    assert Status.CANCELED is fleet.ended(run_id)
    assert "canceled" == fleet.report(run_id).status.value
