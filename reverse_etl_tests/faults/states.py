"""Our own disk and state database: full, locked, gone, shared by two runs."""

from __future__ import annotations

import random
import resource
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Final

import pytest

from reverse_etl.errors import StateError
from reverse_etl.files.private import partial_of
from reverse_etl.report import Status
from reverse_etl.state.home import Home
from reverse_etl.state.store import open_store
from reverse_etl.state.syncs import last_sync_time
from reverse_etl_tests.faults.catalogue import family
from reverse_etl_tests.faults.refusals import BATCH
from reverse_etl_tests.faults.runs import STAGES, Ended, World
from reverse_etl_tests.faults.shop import KINDS
from reverse_etl_tests.faults.truth import a_clean_run_mends_everything, everything_arrived


def _says_so(error: BaseException | None) -> None:
    """A run that could not write says so: exit code 6, a sentence, and what to do."""
    assert isinstance(error, StateError), repr(error)
    assert error.exit_code == 6
    assert error.message.endswith(".")
    assert error.hint


_FULL: Final = Path("/dev/full")
_EVERYTHING: Final = "*"
_WRITTEN: Final = (
    ("extract", _EVERYTHING),
    ("validate", "rows/outcomes.npy.partial"),
    ("validate", _EVERYTHING),
    ("deliver", _EVERYTHING),
    ("deliver", "rows/outcomes.npy.partial"),
    ("deliver", "rows/failed-delivery.parquet.partial"),
)
"""Files of a run's folder, or all of our files, with the stage that writes them."""


@family(30, at_once=10)
def full_disks(world: World, chance: random.Random, seed: int) -> None:
    """The disk is full when parts, outcomes, failed rows, the journal or the failed-rows CSV are written."""
    case = world.case(KINDS[seed % len(KINDS)], chance, rows=chance.randint(20, 60))
    rows = case.shop.rows()
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET plan = ? WHERE rowid = 1", ["x" * 1001])
    refused = {row.identifier(case.kind) for row in rows if chance.random() < 0.5}
    rule = {"refuse_items": {"ids": sorted(refused)}}
    case.sandbox.faults([{"match": BATCH, "always": True, "do": rule}])
    run = case.start()
    csv = case.home.failed_rows_csv(case.name, run.run_id)
    moment, file = (*_WRITTEN, ("deliver", str(partial_of(csv))))[seed % 7]

    with ExitStack() as stage_before:

        def before(stage: str) -> None:
            stage_before.close()
            if stage == moment and file == _EVERYTHING:
                stage_before.enter_context(_no_file_beyond(0))
            elif stage == moment:
                path = run.folder.path / file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.symlink_to(_FULL)

        with pytest.raises(StateError) as raised:
            case.through(run, before)
    _says_so(raised.value)
    assert last_sync_time(case.store, case.name) == 0
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET plan = 'mended' WHERE rowid = 1")
    for path in (partial_of(csv), *run.folder.path.rglob("*")):
        if path.is_symlink():
            path.unlink()
    a_clean_run_mends_everything(case)


@contextmanager
def _no_file_beyond(file_bytes: int) -> Iterator[None]:
    """No file of this process grows beyond so many bytes; writing more fails as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@family(16, at_once=8)
def state_database_locked(world: World, chance: random.Random, seed: int) -> None:
    """Another process holds the state database from one of the stages on."""
    folder = world.folder / f"locked_{seed}"
    home = Home.at(folder)
    url = f"sqlite:///{home.path / 'state.db'}?timeout=0.05"
    case = world.case(KINDS[seed % len(KINDS)], chance, home=home)
    case.store = open_store(url)
    moment = STAGES[seed % 3]
    with closing(sqlite3.connect(home.path / "state.db", isolation_level=None)) as other:

        def before(stage: str) -> None:
            if stage == moment:
                other.execute("BEGIN IMMEDIATE")

        ended = case.run(before=before)
        other.execute("ROLLBACK")
    _says_so(ended.error)
    assert last_sync_time(case.store, case.name) == 0
    a_clean_run_mends_everything(case)


@family(8, at_once=8)
def state_database_gone(world: World, chance: random.Random, seed: int) -> None:
    """The state database is deleted between two stages: last sync time starts again from 0, and nothing is lost."""
    home = Home.at(world.folder / f"gone_{seed}")
    case = world.case(KINDS[seed % len(KINDS)], chance, home=home)
    moment = STAGES[1 + seed % 2]

    def before(stage: str) -> None:
        if stage == moment:
            for path in home.path.glob("state.db*"):
                path.unlink()

    with suppress(StateError):
        ended = case.run(before=before)
        _says_so(ended.error)
    case.store = open_store(home.state_url)
    assert last_sync_time(case.store, case.name) == 0
    a_clean_run_mends_everything(case)


@family(16, at_once=8)
def two_runs_at_once(world: World, chance: random.Random, seed: int) -> None:
    """The same sync is run twice at the same time: from the same moment on, or the second between two stages."""
    case = world.case(KINDS[seed % len(KINDS)], chance)
    ended: list[Ended] = []
    gate = threading.Barrier(2)
    moment = STAGES[seed % 3]

    def before(stage: str) -> None:
        if stage == moment == STAGES[0]:
            gate.wait(30)
        elif stage == moment:
            ended.append(case.run())

    both = [threading.Thread(target=lambda: ended.append(case.run(before=before))) for _ in range(2)]
    for each in both if moment == STAGES[0] else both[:1]:
        each.start()
        each.join(0 if moment == STAGES[0] else None)
    for each in both if moment == STAGES[0] else []:
        each.join()
    statuses = [each.report.status for each in ended if each.report]
    # Of two that begin at once, one may have ended when the other one looks.
    assert statuses in ([Status.SKIPPED, Status.COMPLETED], [Status.COMPLETED] * 2), [each.error for each in ended]
    assert moment == STAGES[0] or Status.SKIPPED in statuses
    assert all(each.report and each.report.rows.balanced for each in ended)
    everything_arrived(case)
    a_clean_run_mends_everything(case)
