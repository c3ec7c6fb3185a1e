"""Runs on other machines: Dagster's queue here, Celery's workers there; Redis, Postgres and S3 between them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
import redis
import yaml
from dagster._core.test_utils import freeze_time

from reverse_etl.defs.overlap import runs_in_the_way
from reverse_etl.state.store import open_store
from reverse_etl_tests.defs.test_never_started import NOTIFY, look
from reverse_etl_tests.e2e.fleet import PEOPLE, Fleet, daemon_of, shared_by_machines, slow
from reverse_etl_tests.e2e.in_progress import sent
from reverse_etl_tests.project import Project, people
from reverse_etl_tests.servers.deployment import DEPLOY
from reverse_etl_tests.servers.postgres import PostgresServer, postgres
from reverse_etl_tests.servers.redis import running_redis
from reverse_etl_tests.servers.sandbox import RunningSandbox, wait_until
from reverse_etl_tests.servers.webhook import running_webhook
from reverse_etl_tests.servers.workers import Worker, worker

__all__ = ["postgres"]

# dagster-celery declares its task anew at each launch, of which Celery 5.7 warns.
pytestmark = [pytest.mark.thorough, pytest.mark.filterwarnings("ignore:Task name .execute_job. is already registered")]

Status = dg.DagsterRunStatus


@dataclass(slots=True)
class Workers(Fleet):
    """Machines, each with a place for a run, and what a further one would find in its environment."""

    broker: str = ""
    machines: list[Worker] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)

    def of(self, run_id: str) -> Worker:
        """The machine that executed a run."""
        (found,) = [each for each in self.machines if each.took(run_id)]
        return found


@pytest.fixture
def machines() -> tuple[str, ...]:
    """The names of the machines with a worker."""
    return ("one", "two")


@pytest.fixture
def fleet(
    project: Project,
    sandbox: RunningSandbox,
    postgres: PostgresServer,
    machines: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Workers]:
    """The shipped settings of Celery, and its workers."""
    with ExitStack() as stack:
        broker = stack.enter_context(running_redis())
        variables, storage = stack.enter_context(shared_by_machines(project, sandbox, postgres))
        variables |= {"REVERSE_ETL_BROKER_URL": f"{broker}/0", "REVERSE_ETL_RESULT_URL": f"{broker}/1"}
        settings = yaml.safe_load((DEPLOY / "celery" / "dagster.yaml").read_text()) | storage
        daemon = stack.enter_context(daemon_of(project, settings, variables, monkeypatch))
        environment = project.env() | variables
        workers = [stack.enter_context(worker(each, project.folder, environment)) for each in machines]
        yield Workers(daemon, variables["REVERSE_ETL_STATE_URL"], broker, workers, environment)


def test_two_workspaces_are_sent_to_from_two_machines_and_a_changed_sync_applies(
    fleet: Workers, project: Project, sandbox: RunningSandbox
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


def test_a_machine_that_goes_down_is_noticed_and_another_one_goes_on(fleet: Workers, sandbox: RunningSandbox) -> None:
    """Its run is ended by run monitoring, its workspace is free, and the next run sends what is missing."""
    slow(sandbox, 0.5)
    (run_id,) = fleet.launched("people")
    wait_until(lambda: len(sent(sandbox)) >= 20, timeout_s=120, every_s=0.05)
    lost = fleet.of(run_id)
    lost.lose()
    again = fleet.continued(run_id, sandbox)
    assert fleet.of(again) is not lost
    times = sent(sandbox)
    assert {str(n) for n in range(1, PEOPLE + 1)} == set(times)
    assert sum(times.values()) <= PEOPLE + 20


def test_a_broker_that_forgets_fails_no_run_and_terminate_cancels_one(fleet: Workers, sandbox: RunningSandbox) -> None:
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


@pytest.mark.parametrize("machines", [()], ids=["no-worker"])
def test_a_run_that_no_worker_takes_is_failed_told_and_never_sent(
    fleet: Workers, project: Project, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once it took too long to start, the history and a channel have it, and a worker that comes later drops it."""
    connections = project.folder / "syncs" / "connections.yaml"
    connections.write_text(connections.read_text() + NOTIFY)
    with running_webhook() as channel:
        monkeypatch.setenv("PROGRAM_URL", channel.url)
        (run_id,) = fleet.launched("people")
        store = open_store(fleet.state_url)
        instance = fleet.daemon.instance
        (ahead,) = runs_in_the_way(instance, store, "main")
        assert (run_id, "is in progress") == (ahead.run_id, ahead.doing)
        fleet.monitored()
        assert Status.STARTING is fleet.status(run_id)
        with freeze_time(datetime.now(UTC) + timedelta(seconds=200)):
            fleet.monitored()
            assert "longer than 180 seconds to start" in look(project, instance)
        assert Status.FAILURE is fleet.status(run_id)
        report = fleet.report(run_id)
        assert ("failed", 1) == (report.status.value, report.exit_code)
        assert [("people", "failure", run_id)] == [
            (each["sync"], each["kind"], each["run_id"]) for each in channel.bodies
        ]
        assert [] == runs_in_the_way(instance, store, "main")
        with worker("late", project.folder, {**fleet.environment, "PROGRAM_URL": channel.url}) as late:
            (again,) = fleet.launched("people")
            assert Status.SUCCESS is fleet.ended(again)
            assert (False, True) == (late.took(run_id), late.took(again))
    assert {str(n): 1 for n in range(1, PEOPLE + 1)} == sent(sandbox)
    assert Status.FAILURE is fleet.status(run_id)
