"""A run that waits for the workspace reports for whom and for how long, and holds the lease when the other run ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from reverse_etl.config.loader import load_project
from reverse_etl.errors import WorkspaceBusyError
from reverse_etl.plugins import load
from reverse_etl.progress import Waiting, listening
from reverse_etl.report import Status
from reverse_etl.run.attend import attend
from reverse_etl.run.lease import note_wait, take_lease
from reverse_etl.run.record import SyncRun
from reverse_etl.state import workspace_lease
from reverse_etl.state.home import Home
from reverse_etl.state.run_history import list_runs
from reverse_etl.state.store import open_store
from reverse_etl.workers import heartbeat
from reverse_etl_tests.project import Project, people


@pytest.fixture
def run(project: Project) -> Iterator[SyncRun]:
    """A run of a sync that waits; another run holds the lease."""
    project.write("people.yaml", people().replace("manual", "{every: 1h, overlap: wait}"))
    sync = load_project(project.folder / "syncs").syncs["people"]
    home = Home.at(project.folder / "home")
    store = open_store(home.state_url)
    heartbeat.start("elsewhere", lambda: True)
    assert workspace_lease.take(store, "main", run_id="elsewhere", sync="orders") is None
    yield SyncRun(sync, "r1", "r1", home, store, datetime.now(UTC))
    heartbeat.stop("elsewhere")
    heartbeat.stop("r1")


def test_it_says_so_at_once_and_every_minute(run: SyncRun) -> None:
    """Both in Dagster's log, by the run's own way, and to who watches; then it holds the lease."""
    logged: list[str] = []
    watched: list[object] = []
    looks = 0

    def pause(seconds: float) -> None:
        nonlocal looks
        looks += 1
        assert 1.0 == seconds
        if looks == 125:
            workspace_lease.give_back(run.store, "elsewhere")

    turn = workspace_lease.holder(run.store, "main")
    assert turn is not None
    with listening(watched.append):
        take_lease(replace(run, waits=logged.append), pause)
    other = f"run elsewher of orders is in progress in workspace main since {turn.taken_at:%H:%M:%S} UTC."
    assert [
        f"Waits for the workspace: {other}",
        f"Waits for the workspace, for 1 min so far: {other}",
        f"Waits for the workspace, for 2 min so far: {other}",
    ] == logged
    assert [Waiting(said) for said in logged] == watched
    mine = workspace_lease.holder(run.store, "main")
    assert mine is not None
    assert ("r1", 125) == (mine.run_id, looks)


def test_a_destination_that_is_no_workspace_is_not_called_one(run: SyncRun) -> None:
    """By the word that its own entry in ``connections.yaml`` has."""
    basic = {"database": "shop", "destination": "main", "schedule": "manual", "query": "SELECT 1 AS id"}
    rows = {"rows": {"table": "people", "identify_by": "id"}}
    sync = load("reverse_etl.destinations", "postgres").Sync.model_validate({"name": "people", **basic, **rows})
    with pytest.raises(WorkspaceBusyError, match="run elsewher of orders is in progress in destination main since"):
        take_lease(replace(run, sync=sync))
    assert "workspace" not in list_runs(run.store)[0].message


@pytest.mark.parametrize(
    ("where", "shown"), [("workspace main", True), ("destination main", True), ("workspace other", False), ("", False)]
)
def test_a_wait_for_its_destination_is_shown_to_others(run: SyncRun, where: str, shown: bool) -> None:
    """Of whatever kind; not that of another run in this process, nor one for the lease."""
    workspace_lease.give_back(run.store, "elsewhere")
    heartbeat.start("r1", lambda: True)
    assert workspace_lease.take(run.store, "main", run_id="r1", sync="people") is None
    before = set(threading.enumerate())
    note_wait(run, Waiting("Waits.", where=where, why="because it asked for it", lasts_s=240))
    for thread in set(threading.enumerate()) - before:
        thread.join()
    holder = workspace_lease.holder(run.store, "main")
    assert holder is not None
    assert shown == holder.waits.endswith("because it asked for it")


def test_who_interrupts_the_waiting_finds_it_canceled(run: SyncRun) -> None:
    """The turn stays the other's; the history says that nothing was done."""

    def interrupted(said: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), attend(replace(run, waits=interrupted)):
        pytest.fail("it has the lease")
    (canceled,) = list_runs(run.store, "people")
    assert (Status.CANCELED, 130) == (canceled.status, canceled.exit_code)
    assert canceled.message.endswith("the run was canceled while waiting for the workspace. Nothing was read or sent.")
    turn = workspace_lease.holder(run.store, "main")
    assert turn is not None
    assert "elsewhere" == turn.run_id
