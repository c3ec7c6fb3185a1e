"""A workspace is one run's at a time, and a dead run's is free."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from reverse_etl.report import Status
from reverse_etl.state import workspace_lease
from reverse_etl.state.run_history import find_run
from reverse_etl.state.schema import LEASE
from reverse_etl.state.store import Store, open_store
from reverse_etl.workers import heartbeat
from reverse_etl_tests.state.conftest import NOON, begin

OTHER = """
import sys
from datetime import UTC, datetime
from functools import partial
from reverse_etl.state import workspace_lease
from reverse_etl.workers import heartbeat
from reverse_etl.state.runs import begin_run
from reverse_etl.state.store import open_store
url, run_id, every_s = sys.argv[1:]
store = open_store(url)
print("ready", flush=True)
sys.stdin.readline()
take = partial(workspace_lease.take, store, "main", run_id=run_id, sync="people")
taken = take() is None
if taken:
    heartbeat.start(run_id, lambda: take() is None, every_s=float(every_s))
    begin_run(
        store, run_id, root_run_id=run_id, sync="people", workspace="main", started_at=datetime.now(UTC), since=0
    )
print(taken, flush=True)
try:
    sys.stdin.readline()
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def other(url: str, run_id: str, *, every_s: float = 60) -> subprocess.Popen[str]:
    """A process that takes the lease of `main` on request, begins a run, and works on it until it is ended."""
    process = subprocess.Popen(
        [sys.executable, "-c", OTHER, url, run_id, str(every_s)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert "ready" == heard(process)
    return process


def heard(process: subprocess.Popen[str]) -> str:
    """The next line that a process prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def told(process: subprocess.Popen[str]) -> None:
    """Lets a process go on."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def working(url: str, run_id: str, *, every_s: float = 60) -> subprocess.Popen[str]:
    """A process that has the lease."""
    process = other(url, run_id, every_s=every_s)
    told(process)
    assert "True" == heard(process)
    return process


def silenced(store: Store, *, seconds: float, machine: str = "elsewhere") -> None:
    """Makes the last sign of life one of another machine, so long ago."""
    with store.writing() as connection:
        beat_at = connection.execute(sa.select(LEASE.c.beat_at)).scalar_one()
        values = {"beat_at": beat_at - timedelta(seconds=seconds), "machine": machine}
        connection.execute(sa.update(LEASE).values(values))


def test_a_workspace_is_one_runs_at_a_time(store: Store) -> None:
    """Others learn which run has it; another workspace is free; what is given back is free."""
    heartbeat.start("r1", lambda: True)
    try:
        assert workspace_lease.take(store, "main", run_id="r1", sync="people") is None
        assert workspace_lease.take(store, "main", run_id="r1", sync="people") is None
        taken = workspace_lease.take(store, "main", run_id="r2", sync="orders")
        assert taken is not None
        assert ("run r1 of people", taken) == (taken.label, workspace_lease.holder(store, "main"))
        assert workspace_lease.take(store, "elsewhere", run_id="r2", sync="orders") is None
        workspace_lease.give_back(store, "r1")
        assert workspace_lease.holder(store, "main") is None
        assert workspace_lease.take(store, "main", run_id="r2", sync="orders") is None
    finally:
        heartbeat.stop("r1")


@pytest.mark.thorough
def test_of_processes_that_come_at_once_one_has_the_lease(state_url: str) -> None:
    """Six, released at the same moment, on a file and on a server."""
    racers = [other(state_url, f"r{number}") for number in range(6)]
    for racer in racers:
        told(racer)
    answers = [heard(racer) for racer in racers]
    for racer in racers:
        racer.communicate("\n")
    assert ["False"] * 5 + ["True"] == sorted(answers)


def test_a_killed_process_holds_no_run_up(store: Store, state_url: str) -> None:
    """While it lives others wait; after SIGKILL, reaped or not, the next one has the lease and its run is failed."""
    process = working(state_url, "r1")
    assert workspace_lease.take(store, "main", run_id="r2", sync="orders") is not None
    os.kill(process.pid, signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert workspace_lease.lives(store, "r1") is False
    assert workspace_lease.take(store, "main", run_id="r2", sync="orders") is None
    process.communicate()
    ended = find_run(store, "r1")
    assert ended is not None
    assert (Status.FAILED, 1) == (ended.status, ended.exit_code)
    assert workspace_lease.was_lost(ended)


@pytest.mark.thorough
@pytest.mark.parametrize(("seconds", "free"), [(170, False), (190, True)])
def test_another_machine_is_given_three_minutes(store: Store, state_url: str, seconds: float, free: bool) -> None:
    """Nobody here can see its processes: only its signs of life count."""
    process = working(state_url, "r1")
    silenced(store, seconds=seconds)
    workspace_lease.end_lost(store)
    process.kill()
    process.communicate()
    assert free == (workspace_lease.holder(store, "main") is None)
    run = find_run(store, "r1")
    assert run is not None
    assert (Status.FAILED if free else Status.RUNNING) is run.status


def test_between_two_stages_the_lease_is_kept(store: Store, state_url: str) -> None:
    """A run whose next stage comes in another process, such as a worker's, keeps its workspace that long."""
    process = working(state_url, "r1")
    workspace_lease.rest(store, "r1")
    process.kill()
    process.communicate()
    assert workspace_lease.take(store, "main", run_id="r2", sync="orders") is not None
    assert workspace_lease.take(store, "main", run_id="r1", sync="people") is None


def test_a_run_that_lost_its_lease_is_interrupted(state_url: str) -> None:
    """A machine that slept through its three minutes finds another run in its place, and stops within a heartbeat."""
    # Rarely enough that it is not put to sleep in the middle of one, with the database locked.
    process = working(state_url, "r1", every_s=1)
    store = open_store(state_url)
    os.kill(process.pid, signal.SIGSTOP)
    silenced(store, seconds=200)
    assert workspace_lease.take(store, "main", run_id="r2", sync="orders") is None
    os.kill(process.pid, signal.SIGCONT)
    assert "interrupted" == heard(process)
    process.communicate()


def test_a_run_without_a_lease_is_ended(store: Store) -> None:
    """One that began before there were turns, say: it must not stay in progress for good."""
    begin(store, "r0", at=NOON)
    assert workspace_lease.take(store, "main", run_id="r1", sync="orders") is None
    run = find_run(store, "r0")
    assert run is not None
    assert Status.FAILED is run.status


def test_a_run_that_waits_says_for_how_long_still_and_why(store: Store) -> None:
    """To whom it is in the way of; not to the next, nor when the time is over."""
    why = "because workspace main asked for it (HTTP 429)"
    heartbeat.start("r1", lambda: True)
    try:
        assert workspace_lease.take(store, "main", run_id="r1", sync="people") is None
        workspace_lease.note_wait(store, "r1", seconds=240, why=why)
        other = workspace_lease.take(store, "main", run_id="r2", sync="orders")
        held = workspace_lease.holder(store, "main")
        assert other is not None
        assert held is not None
        # Each says what is left as of when it was asked.
        assert replace(other, waits="") == replace(held, waits="")
        assert re.fullmatch(rf"waits 2\d\d s {re.escape(why)}", other.waits)
        workspace_lease.note_wait(store, "r1", seconds=-1, why=why)
        assert "" == getattr(workspace_lease.holder(store, "main"), "waits", None)
        workspace_lease.note_wait(store, "r1", seconds=240, why=why)
    finally:
        heartbeat.stop("r1")
    workspace_lease.give_back(store, "r1", ended=True)
    assert workspace_lease.take(store, "main", run_id="r3", sync="orders") is None
    heartbeat.start("r3", lambda: True)
    try:
        assert "" == getattr(workspace_lease.holder(store, "main"), "waits", None)
    finally:
        heartbeat.stop("r3")
