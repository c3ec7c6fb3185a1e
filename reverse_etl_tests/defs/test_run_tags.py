"""A run that no job of ours started, such as "Materialize", is found by the same tags and held by the same queue."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg
import pytest
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run

from reverse_etl.config.loader import load_project
from reverse_etl.config.syncs import ProjectConfig
from reverse_etl.definitions import build_definitions
from reverse_etl.defs.run_tags import BEGAN_TAG, workspaces_of
from reverse_etl.state import workspace_lease
from reverse_etl.state.failures import failed_rows_of_run
from reverse_etl.state.home import Home
from reverse_etl.state.run_ids import runs_of
from reverse_etl.state.runs import begin_run
from reverse_etl.state.store import open_store
from reverse_etl.workers import heartbeat
from reverse_etl_tests.defs.daemon import Daemon, shipped_instance
from reverse_etl_tests.project import Project, fill, people

ASSETS = "__ASSET_JOB"
Run = dg.DagsterRunStatus


@pytest.fixture
def two_workspaces(loaded: ProjectConfig, project: Project, monkeypatch: pytest.MonkeyPatch) -> ProjectConfig:
    """Syncs `people` and `orders` of the workspace `main`, and `elsewhere` of `other`."""
    connections = project.folder / "syncs" / "connections.yaml"
    text = connections.read_text()
    connections.write_text(text + text.partition("workspaces:\n")[2].replace("  main:", "  other:"))
    project.write("orders.yaml", people())
    project.write("elsewhere.yaml", people().replace("workspace: main", "workspace: other"))
    monkeypatch.setenv("REVERSE_ETL_SYNCS", str(project.folder / "syncs"))
    return load_project(loaded.directory)


@pytest.fixture
def daemon(two_workspaces: ProjectConfig) -> Iterator[Daemon]:
    """The daemons of an instance as shipped."""
    with shipped_instance() as instance, Daemon.of(instance) as daemon:
        yield daemon


def tags(run: dg.DagsterRun | None) -> tuple[str | None, ...]:
    """A run's sync, workspace and status."""
    assert run is not None
    return tuple(run.tags.get(f"reverse_etl/{name}") for name in ("sync", "workspace", "status"))


@pytest.mark.parametrize(
    ("assets", "sync", "workspace"),
    [
        (["people/people_changeset"], "people", "main"),
        (["people/people_validated", "people/people_delivery", "orders/orders_delivery"], "orders, people", "main"),
        (["people/people_delivery", "elsewhere/elsewhere_delivery"], "elsewhere, people", "main, other"),
        ([], "elsewhere, orders, people", "main, other"),
    ],
    ids=["one asset", "two syncs", "two workspaces", "all"],
)
def test_materialized_assets_say_of_which_syncs_they_are(
    daemon: Daemon, assets: list[str], sync: str, workspace: str
) -> None:
    """The tags are there while the run is queued, and Dagster's filter finds it."""
    run = daemon.materialize(*assets)
    assert (ASSETS, Run.QUEUED, (sync, workspace, None)) == (run.job_name, run.status, tags(run))
    wanted = dg.RunsFilter(tags={"reverse_etl/sync": sync, "reverse_etl/workspace": workspace})
    assert [run.run_id] == [found.run_id for found in daemon.instance.get_runs(wanted)]


@pytest.mark.thorough
def test_the_queue_lets_no_second_run_into_a_workspace(daemon: Daemon) -> None:
    """Whatever stage was selected, and where a selection spans workspaces, in each of them.

    Dagster knows the limit of a pool once it has seen the first run of it.
    """
    daemon.materialize()
    assert 1 == len(emptied(daemon))
    launched = [
        daemon.materialize("people/people_changeset"),
        daemon.materialize("orders/orders_validated"),
        daemon.launch("people"),
        daemon.materialize("orders/orders_changeset", "elsewhere/elsewhere_changeset"),
        daemon.launch("elsewhere"),
    ]
    ids = [run.run_id for run in launched]
    assert [{0, 4}, {1}, {2}, {3}] == [{ids.index(run_id) for run_id in started} for started in emptied(daemon)]


def emptied(daemon: Daemon) -> list[list[str]]:
    """Which runs left the queue together; those before them have ended each time."""
    order = []
    while started := daemon.dequeue():
        order.append(started)
        for run in daemon.instance.get_runs(dg.RunsFilter(run_ids=started)):
            daemon.instance.report_run_canceled(run)
    return order


@pytest.mark.parametrize("pool", ["main", "customerio_main", "postgres_main", "reverse_etl_main"])
def test_a_pool_of_the_users_own_is_no_destination(instance: dg.DagsterInstance, pool: str) -> None:
    """Whatever it is called: its runs are in the way of no sync."""

    @dg.asset(pool=pool)
    def own() -> None: ...

    job = dg.Definitions([own], jobs=[dg.define_asset_job("mine")]).resolve_job_def("mine")
    run = instance.create_run_for_job(job)
    assert run.run_op_concurrency is not None
    assert ({pool}, set()) == (run.run_op_concurrency.all_pools, workspaces_of(run))


def test_a_re_execution_does_not_say_how_the_run_before_it_ended(daemon: Daemon) -> None:
    """The UI copies a run's tags: not its end, nor that it has begun."""
    first = daemon.materialize("people/people_changeset")
    daemon.instance.add_run_tags(first.run_id, {"reverse_etl/status": "failed", BEGAN_TAG: first.run_id})
    daemon.instance.report_run_failed(first)
    again = daemon.execute_again(first)
    assert ("people", "main", "running") == tags(again)


def executed(project: ProjectConfig, instance: dg.DagsterInstance, *assets: str) -> dg.DagsterRun | None:
    """Assets materialized here, without a queue."""
    job = build_definitions(project).resolve_implicit_global_asset_job_def()
    keys = [dg.AssetKey(asset.split("/")) for asset in assets]
    result = job.execute_in_process(instance=instance, raise_on_error=False, asset_selection=keys)
    return instance.get_run_by_id(result.run_id)


def stages(sync: str) -> list[str]:
    """The assets of a sync."""
    return [f"{sync}/{sync}_{stage}" for stage in ("changeset", "validated", "delivery")]


@pytest.mark.thorough
def test_a_run_that_passed_no_queue_gets_its_tags_at_its_start(
    two_workspaces: ProjectConfig, instance: dg.DagsterInstance
) -> None:
    """`dagster asset materialize`: sync, workspace, and in the end how it ended."""
    run = executed(two_workspaces, instance, *stages("people"))
    assert (ASSETS, "completed") == (run.job_name if run else "", tags(run)[2])
    assert ("people", "main", "completed") == tags(run)


@pytest.mark.thorough
def test_of_several_syncs_the_worst_end_is_tagged(
    two_workspaces: ProjectConfig, project: Project, instance: dg.DagsterInstance
) -> None:
    """A check rejects a row of one sync; after that the other sync completes."""
    fill(project.folder / "shop.db", [("1", "ann@example.com", "a"), ("2", "nope", "b")])
    project.write("people.yaml", people("SELECT id FROM customers"))
    run = executed(load_project(two_workspaces.directory), instance, *stages("elsewhere"), *stages("people"))
    assert ("elsewhere, people", "main, other", "some_rows_failed") == tags(run)


@pytest.mark.thorough
def test_each_sync_of_a_run_has_its_own_history(
    two_workspaces: ProjectConfig, project: Project, instance: dg.DagsterInstance
) -> None:
    """Three syncs materialized at once, one of them with a rejected row: a run, a ledger and failed rows for each."""
    fill(project.folder / "shop.db", [("1", "ann@example.com", "a"), ("2", "bob@example.com", "x" * 1001)])
    project.write("orders.yaml", people("SELECT id, email FROM customers"))
    syncs = ["elsewhere", "orders", "people"]
    run = executed(load_project(two_workspaces.directory), instance, *(key for sync in syncs for key in stages(sync)))
    assert run is not None
    home = Home.from_environment()
    store = open_store(home.state_url)
    found = {report.sync: report for report in runs_of(store, run.run_id)}
    assert {f"{run.run_id}.{sync}" for sync in syncs} == {report.run_id for report in found.values()}
    ends = {sync: (report.status.value, report.rows.delivered, report.rows.rejected) for sync, report in found.items()}
    some = ("some_rows_failed", 1, 1)
    assert {"elsewhere": some, "orders": ("completed", 2, 0), "people": some} == ends
    assert {sync: found[sync].last_sync_time > 0 for sync in syncs} == {
        "elsewhere": False,
        "orders": True,
        "people": False,
    }
    assert ["2"] == [row.identifier for row in failed_rows_of_run(store, found["people"].run_id)]
    assert home.failed_rows_csv("people", found["people"].run_id).is_file()
    assert [None, None] == [workspace_lease.holder(store, workspace) for workspace in ("main", "other")]


@pytest.mark.thorough
def test_one_sync_re_executed_of_several_goes_on_with_its_own_rows(
    two_workspaces: ProjectConfig, instance: dg.DagsterInstance
) -> None:
    """Only its delivery, in a run whose root had three: the changeset is that of the root, under the sync's own id."""
    keys = [key for sync in ("orders", "people") for key in stages(sync)]
    first = executed(two_workspaces, instance, *keys)
    assert first is not None
    selected = frozenset({dg.AssetKey(["people", "people_delivery"])})
    whole = build_definitions(two_workspaces).resolve_implicit_global_asset_job_def()
    job = whole.get_subset(asset_selection=selected)
    again = instance.create_run_for_job(
        job, asset_selection=selected, parent_run_id=first.run_id, root_run_id=first.run_id
    )
    execute_run(InMemoryJob(job), again, instance, raise_on_error=False)
    store = open_store(Home.from_environment().state_url)
    (known,) = runs_of(store, again.run_id)
    assert ("people", "completed", 3) == (known.sync, known.status.value, known.rows.extracted)


def test_a_sync_keeps_the_workspace_while_another_one_of_its_run_ends(
    two_workspaces: ProjectConfig, instance: dg.DagsterInstance
) -> None:
    """Given back with the last of them; signs of life of the run leave the history of each of its syncs alone."""
    store = open_store(Home.from_environment().state_url)
    assert workspace_lease.take(store, "main", run_id="r1", sync="people") is None
    for sync in ("orders", "people"):
        begin_run(
            store,
            f"r1.{sync}",
            root_run_id=f"r1.{sync}",
            sync=sync,
            workspace="main",
            started_at=datetime.now(UTC),
            since=0,
        )
    heartbeat.start("r1", lambda: True)
    try:
        assert workspace_lease.take(store, "main", run_id="r1", sync="orders") is None
        assert {"running"} == {report.status.value for report in runs_of(store, "r1")}
        workspace_lease.give_back(store, "r1")
        assert workspace_lease.holder(store, "main") is not None
        workspace_lease.give_back(store, "r1", ended=True)
        assert workspace_lease.take(store, "main", run_id="r2", sync="people") is None
        assert {"failed"} == {report.status.value for report in runs_of(store, "r1")}
    finally:
        heartbeat.stop("r1")
