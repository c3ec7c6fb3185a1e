"""Rows that were read to be compared are not sent once another run has sent newer ones, however the file changed since.

In the middle of each test the sync's file is another one, and afterwards it is again what it was.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from reverse_etl.changeset.scope import WHAT_CHANGED, Scope
from reverse_etl.config.inline import parse_sync
from reverse_etl.errors import StateError
from reverse_etl.report import Status
from reverse_etl.run.attend import attend
from reverse_etl.run.open_runs import end_open
from reverse_etl.run.stages import compare_changeset
from reverse_etl.state.interrupted_runs import newest_run
from reverse_etl.state.snapshots import Snapshot, snapshot_of
from reverse_etl_tests.faults.completed import ended
from reverse_etl_tests.faults.runs import Case, Ended
from reverse_etl_tests.faults.shop import compared as compared_settings
from reverse_etl_tests.faults.shop import settings
from reverse_etl_tests.run.test_compare import ROWS, change, compared, of_rows, plan_of, sent
from reverse_etl_tests.run.test_plan import planned
from reverse_etl_tests.servers.sandbox import RunningSandbox

BASIC = {"database": "shop", "workspace": "main", "schedule": "manual"}
BATCH = {"path": "/api/v2/batch"}
NEWER = "a later run has sent newer rows"


@pytest.fixture
def case(tmp_path: Path, sandbox: RunningSandbox) -> Case:
    """A sync of people that compares, and has never run; everybody's plan is old."""
    case = compared(tmp_path, sandbox)
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET plan = 'old'")
    return case


class ProcessEndedError(Exception):
    """Ends a process between two stages."""


def stopped(case: Case, scope: Scope = WHAT_CHANGED) -> str:
    """The id of a run that has compared its rows and ends before it sends any."""

    def stop(stage: str) -> None:
        if stage == "deliver":
            raise ProcessEndedError

    with pytest.raises(ProcessEndedError):
        case.run(before=stop, scope=scope)
    last = newest_run(case.store, case.name)
    assert last is not None
    end_open(last.run_id)
    return last.run_id


def compared_again(case: Case, run_id: str) -> None:
    """A run is re-executed from its comparison on."""
    run = case.start(root=run_id)
    with attend(run):
        compare_changeset(run)


def sends_without_comparing(case: Case) -> None:
    """A run with another file of the sync, which compares nothing."""
    before = case.sync
    case.sync = parse_sync(case.name, BASIC | settings(case.kind))
    assert Status.COMPLETED is ended(case.run(scope=Scope(full=True))).status
    case.sync = before


def require_overtaken(case: Case, again: Ended) -> None:
    """A run ended with the sentence, and sent nothing: what is newer is still there."""
    assert again.error is not None
    assert NEWER in str(again.error), again.error
    assert isinstance(again.error, StateError)
    assert f"reverse-etl run {case.name}" in again.error.hint
    assert "new" == plan_of(case, 3)


@pytest.mark.thorough
def test_the_first_run_is_overtaken_by_one_that_does_not_compare(case: Case) -> None:
    """It stopped before it sent anything, so nothing of it is remembered; the next run sends what differs from then."""
    first = stopped(case)
    assert Snapshot() == snapshot_of(case.store, case.name)
    change(case, 3, "new")
    sends_without_comparing(case)
    many = len(sent(case))
    require_overtaken(case, case.run(root=first))
    with pytest.raises(StateError, match=NEWER):
        compared_again(case, first)
    assert many == len(sent(case))
    report = ended(case.run())
    assert (Status.COMPLETED, ROWS, 0, 0) == of_rows(report)
    assert "The last run that sent rows did not compare them, so every row is sent." in report.message
    assert (Status.COMPLETED, 0, 0, ROWS) == of_rows(ended(case.run()))
    require_overtaken(case, case.run(root=first))


def test_a_plan_of_the_first_rows_is_overtaken_by_a_run_that_does_not_compare(case: Case) -> None:
    """A plan is not in the history, so its run is the first that knows of it."""
    plan = planned(case, full=True)
    change(case, 3, "new")
    sends_without_comparing(case)
    run = case.run(scope=Scope(plan=plan.plan_id))
    assert "another run has sent rows since the plan was made" in str(run.error)
    assert "new" == plan_of(case, 3)


@pytest.mark.thorough
@pytest.mark.parametrize("reading", ["limit", "full", "retry"])
def test_rows_of_every_reading_are_overtaken(case: Case, reading: str) -> None:
    """Also where nothing was ever compared before: rows of a retry, a few or all of them."""
    scope = Scope(full=reading == "full", limit=ROWS - 1 if reading == "limit" else None)
    if reading == "retry":
        case.sandbox.faults([{"match": BATCH, "always": True, "do": {"refuse_items": {"ids": ["p3"]}}}])
        refused = case.run(scope=Scope(full=True))
        case.sandbox.clear_faults()
        assert (Status.SOME_ROWS_FAILED, 1) == (ended(refused).status, ended(refused).total.failed)
        scope = Scope(retry_of=refused.run_id)
    first = stopped(case, scope)
    change(case, 3, "new")
    sends_without_comparing(case)
    require_overtaken(case, case.run(root=first))


def test_rows_that_were_read_without_comparing_are_not_sent_by_a_sync_that_compares(case: Case) -> None:
    """No other run overtook them, and the sentence does not claim it."""
    comparing = case.sync
    case.sync = parse_sync(case.name, BASIC | settings(case.kind))
    first = stopped(case)
    case.sync = comparing
    for again in (lambda: compared_again(case, first), lambda: raised(case.run(root=first))):
        with pytest.raises(StateError, match="as the sync's file now asks") as refused:
            again()
        assert f"reverse-etl run {case.name}" in refused.value.hint
    assert [] == sent(case)
    assert (Status.COMPLETED, ROWS, 0, 0) == of_rows(ended(case.run()))


@pytest.mark.thorough
def test_the_next_run_reads_again_after_an_overtaken_one_was_refused(case: Case) -> None:
    """While rows fail, last sync time stays; the refused re-execution is the newest run, and no run continues it."""
    case.sandbox.faults([{"match": BATCH, "skip": 1, "always": True, "do": {"status": 401}}])
    first = case.run()
    case.sandbox.clear_faults()
    refused = {"match": BATCH, "always": True, "do": {"refuse_items": {"ids": ["p9"]}}}
    case.sandbox.faults([refused])
    change(case, 3, "new")
    assert Status.SOME_ROWS_FAILED is ended(case.run(scope=Scope(full=True))).status
    require_overtaken(case, case.resume(first))
    report = ended(case.run())
    assert (Status.SOME_ROWS_FAILED, 0, 1, ROWS - 1) == of_rows(report), report.message


def test_a_segment_is_not_mirrored_from_rows_that_were_overtaken(case: Case) -> None:
    """Also where the older run has no row to send: whoever has joined since then stays."""
    people = {"identify_by": "id", "segment": {"name": "all", "mirror": True, "mirror_max_removed": "100%"}}
    case.sync = parse_sync(case.name, BASIC | compared_settings("people") | {"people": people})
    assert Status.COMPLETED is ended(case.run()).status
    older = stopped(case)
    with case.shop.changing() as database:
        database.execute("INSERT INTO shop (id, email, plan, visits) VALUES ('new', 'new@example.com', 'pro', 1)")
    change(case, 3, "new")
    assert (Status.COMPLETED, 2, 0, ROWS - 1) == of_rows(ended(case.run()))
    require_overtaken(case, case.run(root=older))
    [segment] = case.sandbox.segments()
    assert ROWS + 1 == len(segment["people"])


def raised(run: Ended) -> None:
    """Raises what ended a run."""
    if run.error is not None:
        raise run.error
