"""Another workspace behind the same name: before a run, between its stages, while one waits to be continued."""

from __future__ import annotations

import random

from reverse_etl.report import Status
from reverse_etl.run.remembers import compares
from reverse_etl.state.failures import causes_of_run
from reverse_etl_tests.faults.catalogue import family
from reverse_etl_tests.faults.refusals import BATCH
from reverse_etl_tests.faults.runs import STAGES, Case, World
from reverse_etl_tests.faults.shop import KINDS
from reverse_etl_tests.faults.truth import everything_arrived

_LATER = 9_999_999_999
_MOMENTS = ("between two runs", "after a run that stopped", *STAGES[1:])


@family(30)
def exchanged_workspace(world: World, chance: random.Random, seed: int) -> None:
    """Another workspace is behind the name: between two runs, after one that stopped, or between two stages of one."""
    case = world.case(KINDS[seed % len(KINDS)], chance, rows=chance.randint(8, 40))
    moment = _MOMENTS[seed // len(KINDS) % len(_MOMENTS)]
    if chance.random() < 0.7:
        assert _status(case) is Status.COMPLETED
    _change_some(case, chance)
    if moment == "after a run that stopped":
        case.sandbox.faults([{"match": BATCH, "skip": chance.randint(0, 2), "always": True, "do": {"status": 401}}])
        case.run()
    if moment in STAGES:
        _exchanged_before(case, moment)
    else:
        case.sandbox.reset()
    assert _status(case) is Status.COMPLETED
    everything_arrived(case)
    _change_some(case, chance)
    before = len(case.sandbox.requests())
    assert _status(case) is Status.COMPLETED
    everything_arrived(case)
    sent = [each for each in case.sandbox.requests()[before:] if each["path"] == BATCH["path"]]
    # An event that was acknowledged never changes.
    rows = 0 if compares(case.sync) and case.kind == "events" else len(case.shop.rows(_LATER))
    assert sum(each["items"] for each in sent) == rows * (2 if case.kind == "related" else 1)


def _exchanged_before(case: Case, moment: str) -> None:
    """A run in which it happens: nothing of it is in the other workspace, and its rows are failed rows."""
    ended = case.run(before=lambda stage: case.sandbox.reset() if stage == moment else None)
    report = ended.report
    assert report is not None
    total = report.total
    assert (report.status, report.exit_code, total.delivered) == (Status.FAILED, 5, 0)
    assert total.failed == sum(cause.rows for cause in causes_of_run(case.store, ended.run_id)) > 0
    counts = case.sandbox.counts()
    assert (counts["people"], counts["objects"], counts["events"]) == (0, 0, 0)


def _change_some(case: Case, chance: random.Random) -> None:
    """Some rows get new values, and are read by every run from now on; an event is what it was when it happened."""
    more = int(case.kind != "events")
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET updated_at = 100")
        database.execute(
            "UPDATE shop SET visits = visits + ?, updated_at = ? WHERE rowid <= ?", [more, _LATER, chance.randint(1, 5)]
        )


def _status(case: Case) -> Status | None:
    case.sandbox.clear_faults()
    report = case.run().report
    return report.status if report else None
