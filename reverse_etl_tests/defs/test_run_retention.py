"""Dagster's old runs of syncs go, with all that they leave in its storage; what is live, young or shown stays."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import dagster as dg
import pytest
import sqlalchemy as sa
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._core.storage.event_log.sqlite import SqliteEventLogStorage

from reverse_etl.config.loader import load_project
from reverse_etl.defs import run_retention
from reverse_etl.defs.project import build_definitions
from reverse_etl.defs.run_retention import prune_runs
from reverse_etl.defs.specs import ProjectSpecs, project_specs
from reverse_etl.defs.translator import SyncTranslator
from reverse_etl_tests.defs.daemon import shipped_instance
from reverse_etl_tests.project import Project
from reverse_etl_tests.servers.postgres import PostgresServer, postgres

__all__ = ["postgres"]

LATER = datetime.now(UTC) + timedelta(days=1)
"""Everything that ended by now is older."""

Run = dg.DagsterRunStatus


@dg.asset(
    key=["people", "people_delivery"],
    check_specs=[dg.AssetCheckSpec("rules", asset=dg.AssetKey(["people", "people_delivery"]))],
)
def delivery() -> Iterator[dg.MaterializeResult[None]]:
    """Leaves what a run of a sync does: events, a check's result, a materialization with tags."""
    sys.stdout.write("a line of the step")
    yield dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=True)], tags={"level": "rows"})


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.thorough)])
def instance(request: pytest.FixtureRequest, project: Project) -> Iterator[dg.DagsterInstance]:
    """An instance as shipped, on both kinds of storage."""
    url = ""
    if request.param == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres")
        with server.admin("postgres") as admin:
            admin.execute(f"CREATE DATABASE old_{id(request)}")
        socket = quote(str(server.folder), safe="")
        url = f"postgresql+psycopg2://postgres@/old_{id(request)}?host={socket}&port={server.port}"
    with shipped_instance(url) as instance:
        yield instance


@pytest.fixture
def specs(project: Project) -> ProjectSpecs:
    """Those of the sync `people`."""
    return project_specs(load_project(project.folder / "syncs"), SyncTranslator())


def ran(instance: dg.DagsterInstance, job: str = "people", **tags: str) -> str:
    """A run that was executed here; its id."""
    of_sync = {"reverse_etl/sync": "people", "reverse_etl/workspace": "main"} if job == "people" else {}
    jobs = [dg.define_asset_job(job, tags={**of_sync, **tags}, executor_def=dg.in_process_executor)]
    definition = dg.Definitions(assets=[delivery], jobs=jobs).resolve_job_def(job)
    return definition.execute_in_process(instance=instance).run_id


def begun(instance: dg.DagsterInstance, status: Run = Run.FAILURE, **tags: str) -> str:
    """A run of the sync that failed, or is in progress; its id."""
    asked = dg.Definitions(assets=[delivery], jobs=[dg.define_asset_job("people")]).resolve_job_def("people")
    run = instance.create_run_for_job(asked, tags={"reverse_etl/sync": "people", **tags}, status=Run.STARTED)
    if status is Run.FAILURE:
        instance.report_run_failed(run)
    return run.run_id


def left(instance: dg.DagsterInstance) -> dict[str, set[str]]:
    """The runs of which each table, or folder of step logs, has something."""
    storage = instance.event_log_storage
    assert isinstance(storage, SqlEventLogStorage)
    found = {"runs": {run.run_id for run in instance.get_runs()}}
    with storage.index_connection() as connection:
        for table in ("event_logs", "asset_check_executions"):
            found[table] = set(connection.execute(sa.text(f"SELECT DISTINCT run_id FROM {table}")).scalars())
        tags = connection.execute(
            sa.text("SELECT run_id FROM event_logs JOIN asset_event_tags t ON t.event_id = event_logs.id")
        )
        found["tags of events"] = set(tags.scalars())
        assert (
            len(found["tags of events"])
            == connection.execute(sa.text("SELECT COUNT(DISTINCT event_id) FROM asset_event_tags")).scalar_one()
        )
    logs = Path(instance.storage_directory())
    found["step logs"] = {path.name for path in logs.iterdir() if path.is_dir()}
    if isinstance(storage, SqliteEventLogStorage):
        found["files"] = {Path(path).stem for path in Path(storage.path_for_shard("x")).parent.glob("*-*-*.db")}
    return found


@pytest.mark.thorough
def test_an_old_run_goes_with_all_that_it_left(instance: dg.DagsterInstance, specs: ProjectSpecs) -> None:
    """Each table and folder has what is left of the newest run alone, which the asset's page shows."""
    old, newest = ran(instance), ran(instance)
    assert {frozenset({old, newest})} == {frozenset(each) for each in left(instance).values()}
    pruned = prune_runs(instance, specs, LATER)
    assert ([old], "") == (list(pruned.removed), pruned.next_look)
    assert {frozenset({newest})} == {frozenset(each) for each in left(instance).values()}
    assert [] == list(prune_runs(instance, specs, LATER).removed)


@pytest.mark.thorough
def test_what_is_young_live_or_not_ours_stays(instance: dg.DagsterInstance, specs: ProjectSpecs) -> None:
    """A run in progress however long, a user's own, one of a sync that is no more; the newest success besides."""
    own, success = ran(instance, "own"), ran(instance)
    gone = ran(instance, "removed_sync", **{"reverse_etl/sync": "removed_sync"})
    started = begun(instance, Run.STARTED)
    failed = [begun(instance) for _ in range(2)]
    assert [] == list(prune_runs(instance, specs, datetime.now(UTC) - timedelta(hours=1)).removed)
    assert failed[:1] == list(prune_runs(instance, specs, LATER).removed)
    assert {own, success, gone, started, failed[1]} == left(instance)["runs"]


def test_a_run_that_is_executed_again_stays_as_long_as_that(instance: dg.DagsterInstance, specs: ProjectSpecs) -> None:
    """The chain goes as a whole, once its last run is old too."""
    root = begun(instance)
    chain = {"dagster/root_run_id": root, "dagster/parent_run_id": root}
    again = begun(instance, Run.STARTED, **chain)
    ran(instance)
    assert [] == list(prune_runs(instance, specs, LATER).removed)
    run = instance.get_run_by_id(again)
    assert run is not None
    instance.report_run_failed(run)
    ran(instance)
    assert {root, again} <= set(prune_runs(instance, specs, LATER).removed)


@pytest.mark.thorough
def test_some_at_a_time_past_what_stays(
    instance: dg.DagsterInstance, specs: ProjectSpecs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each look goes on after the last; runs that stay at the beginning keep nothing from being removed."""
    monkeypatch.setattr(run_retention, "AT_ONCE", 2)
    own = [ran(instance, "own") for _ in range(3)]
    old = [begun(instance) for _ in range(3)]
    ran(instance)
    looks, after = [], ""
    for _ in range(10):
        pruned = prune_runs(instance, specs, LATER, after=after)
        looks.append(list(pruned.removed))
        after = pruned.next_look
        if not after:
            break
    assert max(map(len, looks)) <= 2
    assert set(own) <= left(instance)["runs"]
    assert not set(old) & left(instance)["runs"]


def test_only_a_project_that_asks_for_it_loses_runs(project: Project, instance: dg.DagsterInstance) -> None:
    """The sensor is there with `retention.dagster_runs`, and says what it did."""
    definitions = build_definitions(project.folder / "syncs")
    assert "old_runs" not in {sensor.name for sensor in definitions.sensors or ()}
    connections = project.folder / "syncs" / "connections.yaml"
    connections.write_text(connections.read_text() + "retention: {dagster_runs: 30d}\n")
    sensor = build_definitions(project.folder / "syncs").resolve_sensor_def("old_runs")
    ran(instance)
    with dg.build_sensor_context(instance=instance) as context:
        said = str(sensor.evaluate_tick(context).skip_message)
    assert said.startswith("No run that ended before ")
