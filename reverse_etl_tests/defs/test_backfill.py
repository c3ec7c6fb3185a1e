"""A backfill of a sync's assets, which have no partitions: skipped for a run in the way, and in the way of others."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from reverse_etl.config.syncs import ProjectConfig
from reverse_etl.defs.run_tags import WAITS_TAG
from reverse_etl.report import Status
from reverse_etl.state import workspace_lease
from reverse_etl.state.home import Home
from reverse_etl.state.run_history import list_runs
from reverse_etl.state.store import Store, open_store
from reverse_etl.state.syncs import every_sync
from reverse_etl.workers import heartbeat
from reverse_etl_tests.defs.daemon import BACKFILL, Daemon, shipped_instance
from reverse_etl_tests.project import Project, people

DUE = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
PEOPLE = ("people/people_changeset", "people/people_validated", "people/people_delivery")
ELSEWHERE = ("elsewhere/elsewhere_changeset", "elsewhere/elsewhere_validated", "elsewhere/elsewhere_delivery")
Run = dg.DagsterRunStatus


@pytest.fixture
def daemon(loaded: ProjectConfig, project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    """The daemons of an instance as shipped; `people` and `orders` are due every hour, `waits` years later.

    The sync `elsewhere` is of another workspace.
    """
    schedule = f"{{every: 1h, start_at: {DUE:%Y-%m-%dT%H:%M:%SZ}}}"
    for sync in ("people", "orders"):
        project.write(f"{sync}.yaml", people().replace("manual", schedule))
    project.write(
        "waits.yaml", people().replace("manual", "{every: 1h, start_at: 2030-01-01T00:00:00Z, overlap: wait}")
    )
    connections = project.folder / "syncs" / "connections.yaml"
    text = connections.read_text()
    connections.write_text(text + text.partition("workspaces:\n")[2].replace("  main:", "  other:"))
    project.write("elsewhere.yaml", people().replace("workspace: main", "workspace: other"))
    monkeypatch.setenv("REVERSE_ETL_SYNCS", str(project.folder / "syncs"))
    with shipped_instance() as instance, Daemon.of(instance) as daemon:
        yield daemon


@pytest.fixture
def store(loaded: ProjectConfig) -> Store:
    """The project's state."""
    return open_store(Home.from_environment().state_url)


def run_of(daemon: Daemon, backfill: str) -> dg.DagsterRun:
    """The one run that a backfill asked for."""
    (run,) = daemon.instance.get_runs(dg.RunsFilter(tags={"dagster/backfill": backfill}))
    return run


@pytest.mark.thorough
def test_a_backfill_beside_a_run_is_skipped(daemon: Daemon, store: Store) -> None:
    """In the history of each of its syncs, with the run in the way; in Dagster canceled, and the backfill ends."""
    working = daemon.launch("people")
    assert [working.run_id] == daemon.dequeue()
    backfill = daemon.backfill(*PEOPLE, *ELSEWHERE)
    daemon.backfills()
    run = run_of(daemon, backfill)
    reason = f"Skipped: people is in progress in main (run {working.run_id[:8]})."
    assert (Run.CANCELED, "skipped", "elsewhere, people") == (
        run.status,
        run.tags["reverse_etl/status"],
        run.tags["reverse_etl/sync"],
    )
    for sync in ("people", "elsewhere"):
        (skipped,) = list_runs(store, sync)
        assert (Status.SKIPPED, reason) == (skipped.status, skipped.message)
    workspaces = {known.name: known.workspace for known in every_sync(store)}
    assert ("main", "other") == (workspaces["people"], workspaces["elsewhere"])
    assert reason in [each.dagster_event.message for each in daemon.instance.all_logs(run.run_id) if each.dagster_event]
    daemon.backfills()
    ended = daemon.instance.get_backfill(backfill)
    assert ended is not None
    assert "COMPLETED_FAILED" == ended.status.value


def test_a_backfill_is_in_the_way_of_a_scheduled_run(daemon: Daemon, store: Store) -> None:
    """While its run is queued, and while it works."""
    daemon.ticks(DUE - timedelta(minutes=1))
    backfill = daemon.backfill("orders/orders_changeset")
    daemon.backfills()
    run = run_of(daemon, backfill)
    assert Run.QUEUED is run.status
    daemon.ticks(DUE + timedelta(seconds=1))
    assert [run.run_id] == daemon.dequeue()
    daemon.ticks(DUE + timedelta(hours=1, seconds=1))
    assert [
        f"Skipped: orders is in progress in main (run {run.run_id[:8]}).",
        f"Skipped: orders is queued in main (run {run.run_id[:8]}).",
    ] == [skipped.message for skipped in list_runs(store, "people")]


def test_a_backfill_beside_a_run_that_dagster_does_not_know_is_skipped(daemon: Daemon, store: Store) -> None:
    """`reverse-etl run` elsewhere has the lease; once it has ended, the next backfill is queued."""
    heartbeat.start("elsewhere", lambda: True)
    assert workspace_lease.take(store, "main", run_id="elsewhere", sync="other") is None
    late = daemon.backfill(*PEOPLE)
    daemon.backfills()
    heartbeat.stop("elsewhere")
    workspace_lease.give_back(store, "elsewhere")
    again = daemon.backfill(*PEOPLE)
    daemon.backfills()
    assert (Run.CANCELED, Run.QUEUED) == (run_of(daemon, late).status, run_of(daemon, again).status)
    assert ["Skipped: other is in progress in main (run elsewher)."] == [run.message for run in list_runs(store)]


def test_a_sync_that_waits_its_turn_is_queued(daemon: Daemon, store: Store) -> None:
    """With `overlap: wait`, whether a backfill or the schedule asks for it."""
    daemon.launch("people")
    backfill = daemon.backfill("waits/waits_changeset")
    daemon.backfills()
    scheduled = daemon.launch("waits", {"dagster/schedule_name": "waits_schedule"})
    assert [Run.QUEUED, Run.QUEUED] == [run_of(daemon, backfill).status, scheduled.status]
    assert ("wait", []) == (scheduled.tags[WAITS_TAG], list_runs(store))


def test_dagster_backfills_no_job_of_a_sync(daemon: Daemon) -> None:
    """There is nothing to choose partitions from: the UI shows no such button, and Dagster's answer says so."""
    params = {
        "selector": {
            "partitionSetName": "people_partition_set",
            "repositorySelector": {"repositoryLocationName": "reverse_etl", "repositoryName": "__repository__"},
        },
        "partitionNames": ["2026-03-29"],
    }
    answer = daemon.ask(BACKFILL, params=params)["launchPartitionBackfill"]
    assert ("PartitionSetNotFoundError", True) == (answer["__typename"], "people_partition_set" in answer["message"])
