"""What earlier runs left behind: by an earlier release, or with other settings. Nothing is lost or sent for nothing."""

from __future__ import annotations

import json
import shutil
import time
from datetime import timedelta
from pathlib import Path

import pytest

from reverse_etl.report import Status
from reverse_etl.state.run_history import list_runs
from reverse_etl.state.store import open_store
from reverse_etl.state.syncs import last_sync_time
from reverse_etl_tests.faults.completed import ROWS, completed_once, ended
from reverse_etl_tests.faults.runs import Case
from reverse_etl_tests.faults.truth import everything_arrived
from reverse_etl_tests.servers.sandbox import RunningSandbox
from reverse_etl_tests.state.aged import make_as_of

BATCH = {"path": "/api/v2/batch"}
FACTS_OF_OLD = ("sync", "since", "started_at", "version")


@pytest.fixture
def case(tmp_path: Path, sandbox: RunningSandbox) -> Case:
    """A sync that has completed once; since then all but one row changed, and a run of these stopped after two."""
    case = completed_once(tmp_path, sandbox)
    change(case, range(2, ROWS + 1), at=int(time.time()))
    sandbox.faults([{"match": BATCH, "skip": 1, "always": True, "do": {"status": 401}}])
    report = ended(case.run())
    assert (Status.FAILED, 2, 8) == (report.status, report.rows.delivered, report.rows.extracted)
    sandbox.clear_faults()
    return case


def change(case: Case, numbers: range, *, at: int) -> None:
    """Some rows change."""
    with case.shop.changing() as database:
        database.executemany(
            "UPDATE shop SET plan = 'changed', updated_at = ? WHERE rowid = ?", [(at, n) for n in numbers]
        )


def items_sent(case: Case) -> int:
    """How many items were sent to the workspace so far, taken or not."""
    return sum(each["items"] for each in case.sandbox.requests() if each["path"] == BATCH["path"])


@pytest.mark.parametrize(
    "revision", ["0003", *(pytest.param(each, marks=pytest.mark.thorough) for each in ("0001", "0008"))]
)
def test_a_home_folder_of_an_earlier_release_is_continued(case: Case, revision: str) -> None:
    """Its last sync time counts, its stopped run is continued, and the history stays."""
    since, runs, before = last_sync_time(case.store, case.name), list_runs(case.store), items_sent(case)
    old = case.home.path.with_name("old")
    make_as_of(f"sqlite:///{old / 'state.db'}", revision, case.store)
    for left in case.home.path.glob("state.db*"):
        left.unlink()
    shutil.copy(old / "state.db", case.home.path / "state.db")
    for path in case.home.path.rglob("facts.json"):
        facts = json.loads(path.read_text())
        known = {name: facts[name] for name in FACTS_OF_OLD}
        path.write_text(json.dumps(known | {"rows": facts["streams"]["rows"]["rows"], "relationships": 0}))
    for path in case.home.path.rglob("recipient.json"):
        path.unlink()
    case.store = open_store(case.home.state_url)
    assert since == last_sync_time(case.store, case.name)

    report = ended(case.run())

    assert (Status.COMPLETED, 8) == (report.status, report.rows.delivered)
    assert items_sent(case) == before + 6
    everything_arrived(case)
    assert [run.run_id for run in runs] == [run.run_id for run in list_runs(case.store)[1:]]
    assert report.last_sync_time >= since


@pytest.mark.thorough
@pytest.mark.parametrize(("late", "rows"), [(None, 8), (timedelta(0), 8), (timedelta(hours=1), 9)])
def test_a_run_is_continued_only_if_it_read_as_far_back_as_a_new_one(
    case: Case, late: timedelta | None, rows: int
) -> None:
    """A row that became visible late is read where `late` now reaches as far as its time."""
    change(case, range(1, 2), at=last_sync_time(case.store, case.name) - 1800)
    before = items_sent(case)
    case.database = case.database.model_copy(update={"late": late})
    report = ended(case.run())
    assert (Status.COMPLETED, rows) == (report.status, report.rows.delivered)
    assert items_sent(case) == before + (6 if rows == 8 else 9)
