"""A run that reads everything again, after others have completed, and leaves failed rows behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from reverse_etl.changeset.scope import Scope
from reverse_etl.report import RunReport, Status
from reverse_etl.state.syncs import last_sync_time
from reverse_etl_tests.faults.completed import ROWS, completed_once, ended
from reverse_etl_tests.faults.runs import Case
from reverse_etl_tests.servers.sandbox import RunningSandbox

BATCH = {"path": "/api/v2/batch"}


@pytest.fixture
def case(tmp_path: Path, sandbox: RunningSandbox) -> Case:
    """A sync of people that has completed once."""
    return completed_once(tmp_path, sandbox)


def full(case: Case, *, retry_of: str = "") -> RunReport:
    """A run from last sync time 0, or one of failed rows, as the history has it."""
    return ended(case.run(scope=Scope(full=not retry_of, retry_of=retry_of)))


@pytest.mark.parametrize(
    ("do", "status"),
    [({"refuse_items": {"ids": ["p1"]}}, Status.SOME_ROWS_FAILED), ({"status": 401}, Status.FAILED)],
)
def test_its_failed_rows_are_not_read_by_the_next_run_which_it_says(
    case: Case, do: dict[str, object], status: Status
) -> None:
    """Last sync time stands for earlier runs, so the way back is in the message."""
    before = last_sync_time(case.store, case.name)
    case.sandbox.faults([{"match": BATCH, "always": True, "do": do}])
    report = full(case)
    assert (status, ROWS, before) == (report.status, report.rows.extracted, last_sync_time(case.store, case.name))
    assert "for these rows, run with --full again" in report.message
    assert report.message.endswith(f"reverse-etl retry {case.name}")
    retried = full(case, retry_of=report.run_id)
    assert status is retried.status
    assert "--full" not in retried.message
    case.sandbox.clear_faults()
    for whole in (ended(case.run()), full(case)):
        assert Status.COMPLETED is whole.status
        assert "--full" not in whole.message


def test_before_any_run_has_completed_the_next_one_reads_them_anyway(case: Case) -> None:
    """In another workspace, too."""
    case.sandbox.reset()
    case.sandbox.faults([{"match": BATCH, "always": True, "do": {"refuse_items": {"ids": ["p1"]}}}])
    assert "--full" not in full(case).message
    case.sandbox.clear_faults()
    assert ROWS == ended(case.run()).rows.delivered
