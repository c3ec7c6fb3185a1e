"""Dagster's run monitoring ends a run whose process is gone, and only that."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from importlib.resources import files

import dagster as dg
import pytest
import yaml
from dagster._core.events import DagsterEventType, EngineEventData
from dagster._core.events.log import EventLogEntry
from dagster._daemon.monitoring import execute_run_monitoring_iteration

from reverse_etl.config.syncs import ProjectConfig
from reverse_etl.defs.run_tags import BEGAN_TAG
from reverse_etl.report import Status
from reverse_etl.state import workspace_lease
from reverse_etl.state.home import Home
from reverse_etl.state.run_history import find_run
from reverse_etl.state.store import Store, open_store
from reverse_etl_tests.defs.daemon import Daemon
from reverse_etl_tests.project import Project
from reverse_etl_tests.state.test_workspace_lease import silenced, working

SYNC = {"reverse_etl/workspace": "main", "reverse_etl/sync": "people"}
RUN_ID = "5f1dd1f0-8f4e-4c1c-9d53-0f3c9e2b7a10"
Run = dg.DagsterRunStatus


@pytest.fixture
def daemon(loaded: ProjectConfig, project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    """The daemons of an instance as shipped."""
    monkeypatch.setenv("REVERSE_ETL_SYNCS", str(project.folder / "syncs"))
    shipped = yaml.safe_load((files("reverse_etl.defs") / "dagster.yaml").read_text())
    with dg.instance_for_test(overrides=shipped) as instance, Daemon.of(instance) as daemon:
        yield daemon


@pytest.fixture
def store(loaded: ProjectConfig) -> Store:
    """The project's state."""
    return open_store(Home.from_environment().state_url)


def started(daemon: Daemon, *, tags: dict[str, str] = SYNC, heard_s_ago: float = 0.0, **more: object) -> dg.DagsterRun:
    """A run that Dagster takes to be in progress."""
    known = {"job_name": "people", "tags": tags, "status": Run.STARTED, "run_id": RUN_ID}
    run = daemon.instance.run_storage.add_run(dg.DagsterRun(**{**known, **more}))  # type: ignore[arg-type]
    event = dg.DagsterEvent(
        event_type_value=DagsterEventType.ENGINE_EVENT.value, job_name="people", event_specific_data=EngineEventData()
    )
    daemon.instance.store_event(
        EventLogEntry(None, "debug", "", run.run_id, time.time() - heard_s_ago, dagster_event=event)
    )
    return run


def monitored(daemon: Daemon, run: dg.DagsterRun) -> dg.DagsterRunStatus:
    """The run's status after one turn of run monitoring."""
    assert [] == [error for error in execute_run_monitoring_iteration(daemon.context, logging.getLogger()) if error]
    found = daemon.instance.get_run_by_id(run.run_id)
    assert found is not None
    return found.status


def test_a_run_whose_process_was_killed_is_ended(daemon: Daemon, store: Store) -> None:
    """While it lives nothing happens; then Dagster and the history say that it failed, and the workspace is free."""
    run = started(daemon, heard_s_ago=3600)
    process = working(Home.from_environment().state_url, run.run_id)
    assert Run.STARTED is monitored(daemon, run)
    process.kill()
    process.communicate()
    assert Run.FAILURE is monitored(daemon, run)
    ended, in_dagster = find_run(store, run.run_id), daemon.instance.get_run_by_id(run.run_id)
    assert ended is not None
    assert in_dagster is not None
    assert "failed" == in_dagster.tags["reverse_etl/status"]
    assert (Status.FAILED, None) == (ended.status, workspace_lease.holder(store, "main"))
    assert "process ended before the run did" in ended.message


def test_a_run_on_a_machine_that_went_down_is_ended(daemon: Daemon, store: Store) -> None:
    """After three minutes without a sign of life, by whoever looks: here by `history`, before the daemon."""
    run = started(daemon)
    process = working(Home.from_environment().state_url, run.run_id)
    silenced(store, seconds=60)
    assert Run.STARTED is monitored(daemon, run)
    silenced(store, seconds=130)
    workspace_lease.end_lost(store)
    assert Run.FAILURE is monitored(daemon, run)
    process.kill()
    process.communicate()


@pytest.mark.parametrize(
    ("tags", "heard_s_ago", "status"),
    [
        (SYNC, 60, Run.STARTED),
        (SYNC, 200, Run.FAILURE),
        ({**SYNC, BEGAN_TAG: RUN_ID}, 200, Run.STARTED),
        ({**SYNC, "reverse_etl/began": RUN_ID}, 200, Run.STARTED),
        ({**SYNC, BEGAN_TAG: "that of the run before"}, 200, Run.FAILURE),
        ({}, 7200, Run.STARTED),
    ],
    ids=[
        "starting",
        "died before its first stage",
        "in a state database that this daemon has not",
        "the same, begun before an update",
        "a re-execution that died before its first stage",
        "a user's own job",
    ],
)
def test_a_run_that_has_no_lease_is_judged_by_its_events(
    daemon: Daemon, tags: dict[str, str], heard_s_ago: float, status: dg.DagsterRunStatus
) -> None:
    """Only a sync's run that was silent for three minutes is taken to be dead."""
    assert status is monitored(daemon, started(daemon, tags=tags, heard_s_ago=heard_s_ago))


@pytest.mark.parametrize(
    ("more", "status"), [([], Run.FAILURE), (["model"], Run.STARTED)], ids=["a sync's", "a user's own too"]
)
def test_materialized_assets_are_judged_like_a_job(
    daemon: Daemon, more: list[str], status: dg.DagsterRunStatus
) -> None:
    """Unless a user's own asset, which says nothing while it works, is among them."""
    selection = frozenset({dg.AssetKey(["people", "people_changeset"]), *map(dg.AssetKey, more)})
    run = started(daemon, heard_s_ago=200, job_name="__ASSET_JOB", asset_selection=selection)
    assert status is monitored(daemon, run)
