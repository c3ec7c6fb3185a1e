"""A source that changes while it is read, and clocks that are wrong."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from time import time
from typing import Any

from reverse_etl.report import Status
from reverse_etl_tests.faults.answers import spoilt
from reverse_etl_tests.faults.catalogue import family
from reverse_etl_tests.faults.runs import STAGES, Case, World
from reverse_etl_tests.faults.shop import KINDS
from reverse_etl_tests.faults.truth import a_clean_run_mends_everything, books_are_true


def _change(case: Case, chance: random.Random, *, at: float) -> None:
    """Other values in some rows, and new rows; events are never changed, only added."""
    rows = case.shop.rows()
    changed = [] if case.kind == "events" else [row for row in rows if chance.random() < 0.4]
    with case.shop.changing() as database:
        database.executemany(
            "UPDATE shop SET visits = visits + 1, updated_at = ? WHERE rowid = ?", [(at, row.number) for row in changed]
        )
        new = [
            (f"n{len(rows) + n}", f"n{len(rows) + n}@example.com", "new", n, at) for n in range(chance.randint(0, 5))
        ]
        database.executemany("INSERT INTO shop VALUES (?, ?, ?, ?, ?)", new)


@family(50)
def source_changes(world: World, chance: random.Random, seed: int) -> None:
    """Rows are changed and added before, between and after the stages of a run; some runs also meet 503."""
    case = world.case(KINDS[seed % len(KINDS)], chance)
    if chance.random() < 0.4:
        case.sandbox.faults(spoilt(chance, lambda: {"status": 503}))
    moment = chance.choice(STAGES[1:])

    def before(stage: str) -> None:
        if stage == moment:
            _change(case, chance, at=int(time()))

    report = books_are_true(case, case.run(before=before))
    assert report.status is Status.COMPLETED
    _change(case, chance, at=int(time()))
    a_clean_run_mends_everything(case)


@family(16, at_once=16)
def clocks_off(world: World, chance: random.Random, seed: int) -> None:
    """This machine's clock is an hour behind or ahead of the database's, and rows change right after the run."""
    case = world.case(KINDS[seed % len(KINDS)], chance)
    off: Any = timedelta(hours=1) * chance.choice([-1, 1])
    report = books_are_true(case, case.run(began_at=datetime.now(UTC) + off))
    assert report.status is Status.COMPLETED
    assert abs(report.last_sync_time - time()) < 60
    _change(case, chance, at=int(time()))
    a_clean_run_mends_everything(case)
