"""A clock that is set back between two runs costs no row: last sync time never moves past rows that were not sent."""

from __future__ import annotations

import json
import random
import time
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from reverse_etl.report import Status
from reverse_etl.state.schema import RUN, SYNC
from reverse_etl.state.syncs import last_sync_time
from reverse_etl_tests.faults.completed import ROWS, completed_once, ended
from reverse_etl_tests.faults.runs import LATE_S, Case
from reverse_etl_tests.faults.truth import everything_arrived
from reverse_etl_tests.servers.sandbox import RunningSandbox

HOUR_S = 3_600
BATCH = {"path": "/api/v2/batch"}


@pytest.fixture
def case(tmp_path: Path, sandbox: RunningSandbox) -> Case:
    """A sync of people that has completed once, by the clock that all share."""
    return completed_once(tmp_path, sandbox)


def set_back(case: Case, seconds: int, *, database_alone: bool = False) -> None:
    """Makes all that is remembered as much younger: to what comes now, the clock was set back by so many seconds.

    Args:
        case: The sync.
        seconds: How far.
        database_alone: This machine's clock stayed.
    """
    ahead = SYNC.c.clock_ahead_s + (seconds if database_alone else 0)
    younger = timedelta(seconds=0 if database_alone else seconds)
    with case.store.writing() as connection:
        connection.execute(
            sa.update(SYNC).values(
                last_sync_time=SYNC.c.last_sync_time + seconds,
                reaches_to=SYNC.c.reaches_to + seconds,
                clock_ahead_s=ahead,
            )
        )
        for run in connection.execute(sa.select(RUN)).all():
            moved = {"started_at": run.started_at + younger, "finished_at": run.finished_at + younger}
            connection.execute(sa.update(RUN).where(RUN.c.run_id == run.run_id).values(moved))
    for path in case.home.path.rglob("facts.json"):
        facts = json.loads(path.read_text())
        facts |= {name: facts[name] + seconds for name in ("since", "started_at", "read_from", "reaches_to")}
        path.write_text(json.dumps(facts))


def change(case: Case, number: int, plan: str) -> None:
    """Somebody changes a row now, by the clock that was set back."""
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET plan = ?, updated_at = ? WHERE rowid = ?", (plan, int(time.time()), number))


@pytest.mark.parametrize("seconds", [60, 30 * 24 * HOUR_S])
def test_a_clock_behind_the_last_sync_time_reads_everything(case: Case, seconds: int) -> None:
    """And says so; last sync time goes back with the clock, and the next run reads what changed."""
    set_back(case, seconds)
    change(case, 3, "changed while it was early")
    report = ended(case.run())
    assert (Status.COMPLETED, ROWS) == (report.status, report.rows.delivered)
    assert "it was set back, so everything was read again" in report.message
    assert report.last_sync_time <= time.time()
    everything_arrived(case)
    change(case, 4, "changed later")
    report = ended(case.run())
    assert 2 == report.rows.extracted
    assert "set back" not in report.message
    everything_arrived(case)


def test_a_database_whose_clock_alone_was_set_back_is_read_from_as_much_earlier(case: Case) -> None:
    """How far it was ahead of this machine's clock is remembered, so not everything need be read."""
    change(case, 2, "changed before")
    ended(case.run())
    mark = last_sync_time(case.store, case.name)
    set_back(case, HOUR_S, database_alone=True)
    change(case, 3, "changed while it was early")
    report = ended(case.run())
    assert (Status.COMPLETED, 2) == (report.status, report.rows.extracted)
    assert "set back" not in report.message
    assert report.read_from is not None
    assert abs(mark - LATE_S - report.read_from) <= 1
    everything_arrived(case)


def test_a_run_that_was_stopped_is_no_reason_to_lose_what_changed(case: Case) -> None:
    """Its rows are sent, and the rows that changed by the clock that was set back are too."""
    for number in range(1, ROWS):
        change(case, number, "changed before")
    case.sandbox.faults([{"match": BATCH, "skip": 2, "always": True, "do": {"status": 401}}])
    assert 4 == ended(case.run()).rows.delivered
    case.sandbox.clear_faults()
    set_back(case, HOUR_S)
    change(case, 9, "changed while it was early")
    for _ in range(2):
        assert Status.COMPLETED is ended(case.run()).status
    everything_arrived(case)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_to_the_clock_everything_arrives(case: Case, seed: int) -> None:
    """Rows that change, runs that complete or are stopped, and clocks that are set back, in any order."""
    chance = random.Random(seed)  # noqa: S311 - repeatable
    continues = False
    for step in range(5):
        if chance.random() < 0.7:
            set_back(case, chance.choice([1, 30, LATE_S + 1, HOUR_S]), database_alone=chance.random() < 0.3)
        change(case, chance.randint(1, ROWS), f"step {step}")
        if stops := chance.random() < 0.4:
            case.sandbox.faults([{"match": BATCH, "skip": 1, "always": True, "do": {"status": 401}}])
        report = ended(case.run())
        case.sandbox.clear_faults()
        if not stops:
            assert Status.COMPLETED is report.status
        if not stops and not continues:
            everything_arrived(case)
        continues = report.status is not Status.COMPLETED
    for _ in range(2):
        ended(case.run())
    everything_arrived(case)
