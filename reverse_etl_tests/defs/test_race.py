"""Several syncs of one workspace due in the same second: one runs, the others are skipped, none starts beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import dagster as dg
import pytest

from reverse_etl.config.syncs import ProjectConfig
from reverse_etl.report import Status
from reverse_etl.state.home import Home
from reverse_etl.state.run_history import list_runs
from reverse_etl.state.store import open_store
from reverse_etl_tests.defs.daemon import Daemon, shipped_instance
from reverse_etl_tests.project import Project, people
from reverse_etl_tests.servers.postgres import PostgresServer, postgres

pytestmark = pytest.mark.thorough

__all__ = ["postgres"]

SYNCS = 4
DUE = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
EVERY = timedelta(hours=1)
Run = dg.DagsterRunStatus


@pytest.fixture(params=["sqlite", "postgres"])
def instance(
    request: pytest.FixtureRequest, loaded: ProjectConfig, project: Project, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dg.DagsterInstance]:
    """An instance as shipped, with our state in the same server; several syncs of one workspace are due together."""
    schedule = f"{{every: 1h, start_at: {DUE:%Y-%m-%dT%H:%M:%SZ}}}"
    Path(project.folder / "syncs" / "people.yaml").unlink()
    for number in range(SYNCS):
        project.write(f"sync_{number}.yaml", people().replace("manual", schedule))
    monkeypatch.setenv("REVERSE_ETL_SYNCS", str(project.folder / "syncs"))
    url = ""
    if request.param == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres")
        url = _fresh_database(server, f"race_{request.node.name.count('threads')}_{id(request)}")
        monkeypatch.setenv("REVERSE_ETL_STATE_URL", url.replace("+psycopg2", ""))
    with shipped_instance(url) as instance:
        yield instance


def _fresh_database(server: PostgresServer, name: str) -> str:
    with server.admin("postgres") as admin:
        admin.execute(f'CREATE DATABASE "{name}"')
    return f"postgresql+psycopg2://postgres@/{name}?host={quote(str(server.folder), safe='')}&port={server.port}"


@pytest.mark.parametrize("threaded", [False, True], ids=["one-thread", "threads"])
def test_of_syncs_that_are_due_together_one_runs(instance: dg.DagsterInstance, threaded: bool) -> None:
    """Two due times: each time one run gets into the queue, and all others are in the history as skipped."""
    store = open_store(Home.from_environment().state_url)
    shipped = instance.get_settings("schedules")
    assert shipped["use_threads"]
    assert min(shipped["num_workers"], shipped["num_submit_workers"]) >= SYNCS
    with Daemon.of(instance, SYNCS if threaded else 0) as daemon:
        daemon.ticks(DUE - timedelta(minutes=1))
        for round_number in range(1, 3):
            daemon.ticks(DUE + round_number * EVERY + timedelta(seconds=1))
            unfinished = instance.get_runs(dg.RunsFilter(statuses=[Run.QUEUED, Run.NOT_STARTED, Run.STARTING]))
            assert [Run.QUEUED] == [run.status for run in unfinished]
            skipped = list_runs(store, status=Status.SKIPPED, limit=100)
            assert round_number * (SYNCS - 1) == len(skipped)
            # Of two that were made at once, one may name the other, which was skipped for a third.
            made = {run.run_id[:8] for run in instance.get_runs()}
            assert all(run.message.split()[-1].strip(").") in made for run in skipped)
            assert {DUE + number * EVERY for number in range(1, round_number + 1)} == {
                run.started_at for run in skipped
            }
            assert [unfinished[0].run_id] == daemon.dequeue()
            instance.report_run_canceled(unfinished[0])
    canceled = instance.get_runs(dg.RunsFilter(statuses=[Run.CANCELED], tags={"reverse_etl/status": "skipped"}))
    in_history = Counter(run.run_id for run in list_runs(store, limit=100))
    assert {1} == set(in_history.values())
    assert {run.run_id for run in canceled} <= in_history.keys()


def test_runs_launched_by_hand_leave_the_queue_one_by_one(instance: dg.DagsterInstance) -> None:
    """They wait rather than being skipped; a tick finds them in the way."""
    store = open_store(Home.from_environment().state_url)
    with Daemon.of(instance) as daemon:
        daemon.ticks(DUE - timedelta(minutes=1))
        launched = [daemon.launch(f"sync_{number}") for number in range(3)]
        assert {Run.QUEUED} == {run.status for run in launched}
        for _ in range(3):
            (started,) = daemon.dequeue()
            assert [] == daemon.dequeue()
            daemon.ticks(DUE + timedelta(seconds=1))
            instance.report_run_canceled(_run(instance, started))
    assert SYNCS == len(list_runs(store, status=Status.SKIPPED, limit=100))


def test_the_coordinator_turns_away_who_comes_second(instance: dg.DagsterInstance) -> None:
    """Ticks that looked before either run was submitted: the second one is canceled; a retry is queued."""
    store = open_store(Home.from_environment().state_url)
    with Daemon.of(instance) as daemon:
        first, late = (
            daemon.launch(f"sync_{number}", {"dagster/schedule_name": f"sync_{number}_schedule"}) for number in range(2)
        )
        again = daemon.launch("sync_3", {"dagster/schedule_name": "sync_3_schedule", "dagster/parent_run_id": "x"})
    assert [Run.QUEUED, Run.CANCELED, Run.QUEUED] == [run.status for run in (first, late, again)]
    assert "skipped" == _run(instance, late.run_id).tags["reverse_etl/status"]
    (skipped,) = list_runs(store)
    assert ("sync_1", late.run_id, f"Skipped: sync_0 is queued in main (run {first.run_id[:8]}).") == (
        skipped.sync,
        skipped.run_id,
        skipped.message,
    )


def _run(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRun:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run
