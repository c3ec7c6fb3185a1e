"""Processes that begin on a home folder that is not there yet: its tables are made once, and whole."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import dagster as dg

from reverse_etl.cli.dagster_home import dagster_environment
from reverse_etl.report import Status
from reverse_etl.state.home import Home
from reverse_etl.state.store import open_store
from reverse_etl.state.syncs import every_sync, set_paused
from reverse_etl_tests.faults.catalogue import family
from reverse_etl_tests.faults.runs import Case, World
from reverse_etl_tests.faults.shop import KINDS
from reverse_etl_tests.faults.truth import everything_arrived


@family(24, at_once=5)
def first_runs_at_once(world: World, chance: random.Random, seed: int) -> None:
    """Two to four processes begin at once on a home folder that is not there; each fourth time one is killed."""
    folder = world.folder / f"first_{seed}"
    starts_at = time.monotonic() + 0.05
    children = [_forked(folder, starts_at) for _ in range(chance.randint(2, 4))]
    if seed % 4 == 3:
        time.sleep(0.05 + chance.random() * 0.3)
        os.kill(children[0], signal.SIGKILL)
    ends = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert set(ends[1:]) == {0}
    assert ends[0] in ({0, -signal.SIGKILL} if seed % 4 == 3 else {0})
    home = Home.at(folder)
    with dg.DagsterInstance.from_config(str(home.dagster)) as instance:
        assert instance.get_runs_count() == 0
        assert instance.all_asset_keys() == []
        assert instance.all_instigator_state() == []
    assert len(every_sync(open_store(home.state_url))) >= len(children) - 1
    case = world.case(KINDS[seed % len(KINDS)], chance, home=home)
    assert _completes(case)


def _forked(folder: Path, starts_at: float) -> int:
    """A process that does what every command does first, at a moment that it shares with others."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.environ.pop("DAGSTER_HOME", None)
        time.sleep(max(0.0, starts_at - time.monotonic()))
        home = Home.at(folder)
        dagster_environment(home, folder.parent / "syncs")
        set_paused(open_store(home.state_url), f"sync_{os.getpid()}", True)
        code = 0
    finally:
        os._exit(code)


def _completes(case: Case) -> bool:
    report = case.run().report
    everything_arrived(case)
    return report is not None and report.status is Status.COMPLETED
