"""A source that changes while it is read, and clocks that are wrong."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from time import time
from typing import Any

from reverse_etl.errors import UnauthorizedError
from reverse_etl.report import Status
from reverse_etl.run.remembers import compares
from reverse_etl.state.syncs import last_sync_time
from reverse_etl_tests.faults.answers import spoilt
from reverse_etl_tests.faults.catalogue import family
from reverse_etl_tests.faults.refusals import BATCH
from reverse_etl_tests.faults.runs import STAGES, Case, World
from reverse_etl_tests.faults.shop import KINDS
from reverse_etl_tests.faults.truth import a_clean_run_mends_everything, books_are_true
from reverse_etl_tests.servers.sandbox import wait_until


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


@family(40)
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


@family(16, at_once=4)
def overtaken(world: World, chance: random.Random, seed: int) -> None:
    """A run stops, rows change, a newer run sends them, and the older one is re-executed; some stop again on 401."""
    case = world.case(KINDS[(0, 1, 2, 4)[seed // 4]], chance, rows=chance.randint(12, 40), items=chance.randint(1, 4))
    stops = seed % 4 >= 2
    if seed % 2:
        case.run()
        with case.shop.changing() as database:
            again_at = last_sync_time(case.store, case.name)
            database.execute("UPDATE shop SET visits = visits + 1, updated_at = ?", [again_at])
    withdrawn: dict[str, Any] = {"match": BATCH, "do": {"status": 401}}
    # Each request, so that no row is delivered that the newer run would then continue from.
    case.sandbox.faults([{**withdrawn, "always": True}])
    older = case.run()
    facts = case.home.run_folder(case.name, older.root_run_id).facts()
    assert facts is not None
    case.sandbox.clear_faults()
    _change(case, chance, at=facts.started_at)
    wait_until(lambda: time() >= facts.started_at + 1)
    assert books_are_true(case, case.run()).status is Status.COMPLETED
    if stops:
        case.sandbox.faults([{**withdrawn, "skip": 2}])
    again = case.resume(older)
    if compares(case.sync):
        # What was acknowledged since then may be newer than these rows.
        assert "a later run has sent newer rows" in str(again.error)
    else:
        assert isinstance(again.error, UnauthorizedError) if stops else again.error is None
        assert last_sync_time(case.store, case.name) <= facts.started_at
    if stops:
        # The next run may go on with the older rows: values of in between come with the one after it.
        case.sandbox.clear_faults()
        case.run()
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
