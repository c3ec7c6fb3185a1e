"""A plan says what the next run sends, sends nothing itself, and is sent exactly, or not at all."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from reverse_etl.changeset.scope import Scope
from reverse_etl.config.inline import parse_sync
from reverse_etl.errors import ConfigError, ReverseEtlError, StateError
from reverse_etl.report import RunReport, Status
from reverse_etl.run.plan import make_plan
from reverse_etl.run.planned import Plan
from reverse_etl.state.run_history import list_runs
from reverse_etl_tests.faults.completed import ended
from reverse_etl_tests.faults.runs import Case
from reverse_etl_tests.faults.shop import KINDS
from reverse_etl_tests.faults.shop import compared as compared_settings
from reverse_etl_tests.run.test_compare import ROWS, change, compared, plan_of, sent
from reverse_etl_tests.servers.sandbox import RunningSandbox


@pytest.fixture
def case(tmp_path: Path, sandbox: RunningSandbox) -> Case:
    """A sync of people that compares, and has completed once."""
    case = compared(tmp_path, sandbox)
    assert Status.COMPLETED is ended(case.run()).status
    return case


def planned(case: Case, *, full: bool = False) -> Plan:
    """The plan of the case's next run."""
    return make_plan(case.sync, case.home, case.store, case.database, case.workspace, scope=Scope(full=full))


def send(case: Case, plan: Plan) -> RunReport:
    """Runs a plan."""
    return ended(case.run(scope=Scope(plan=plan.plan_id)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_plan_is_what_the_next_run_sends(kind: str, tmp_path: Path, sandbox: RunningSandbox) -> None:
    """Rows and requests, of a first run and of a later one; nothing is sent, and the history has no run of it."""
    case = compared(tmp_path, sandbox, kind)
    for number in (3, 5):
        runs, before = len(list_runs(case.store, case.name)), len(sent(case))
        plan = planned(case)
        assert (runs, before) == (len(list_runs(case.store, case.name)), len(sent(case)))
        report = ended(case.run())
        assert plan.to_send == report.total.delivered
        assert sum(each.unchanged or 0 for each in plan.streams.values()) == report.total.unchanged
        assert sum(each.requests for each in plan.streams.values()) == len(sent(case)) - before
        change(case, number, "gold")


def test_a_plan_is_sent_exactly(case: Case) -> None:
    """Not what changed after it: that is for the next run."""
    change(case, 3, "gold")
    plan = planned(case)
    stream = plan.streams["rows"]
    assert (1, 0, 0, ROWS - 1) == (stream.changed, stream.added, stream.in_doubt, stream.unchanged)
    change(case, 3, "silver")
    change(case, 4, "gold")
    report = send(case, plan)
    assert (Status.COMPLETED, 1, "gold") == (report.status, report.total.delivered, plan_of(case, 3))
    assert 2 == ended(case.run()).total.delivered
    assert ("silver", "gold") == (plan_of(case, 3), plan_of(case, 4))


def test_a_plan_says_that_a_mirrored_segment_loses_people(case: Case) -> None:
    """As long as no row fails: then it is left as it is."""
    segment = {"people": {"identify_by": "id", "segment": {"name": "all", "mirror": True}}}
    basic = {"database": "shop", "workspace": "main", "schedule": "manual"}
    case.sync = parse_sync(case.name, basic | compared_settings("people") | segment)
    assert "Everyone who is not among these rows leaves the segment" in " ".join(planned(case).notes)
    change(case, 3, "x" * 1_001)
    assert "As long as rows fail, no one leaves the segment." in planned(case).notes


@pytest.mark.parametrize("why", ["another run", "changed file", "no such plan", "too old", "damaged"])
def test_a_plan_that_is_overtaken_is_not_sent(case: Case, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run came between, the file changed, it is an hour old, or there is none: a sentence, and nothing is sent."""
    change(case, 3, "gold")
    plan = planned(case)
    if why == "another run":
        case.run()
    elif why == "changed file":
        case.sync = case.sync.model_copy(update={"version": "another"})
    elif why == "damaged":
        for part in case.home.run_folder(case.name, plan.plan_id).path.glob("rows/part-*.parquet"):
            part.write_bytes(part.read_bytes()[:-9])
    elif why == "too old":
        monkeypatch.setattr("reverse_etl.run.planned_run.GOOD_FOR", -timedelta(days=1))
    before = len(sent(case))
    wanted = Scope(plan="plan-00000000") if why == "no such plan" else Scope(plan=plan.plan_id)
    run = case.run(scope=wanted)
    assert isinstance(run.error, ConfigError if why == "no such plan" else StateError)
    assert "reverse-etl plan" in run.error.hint
    assert before == len(sent(case))


def test_a_plan_beside_a_run_that_stopped_while_it_sent_waits_for_the_next_run(case: Case) -> None:
    """Its rows without an answer come first: the plan says so, and a run with it sends nothing."""
    change(case, 3, "gold")
    with case.store.writing() as connection:
        connection.exec_driver_sql("UPDATE reverse_etl_snapshot SET sending = '0123456789'")
    plan = planned(case)
    assert "0123456789" == plan.after
    assert "Run 01234567 is still sending, or stopped" in " ".join(plan.notes)
    run = case.run(scope=Scope(plan=plan.plan_id))
    assert isinstance(run.error, StateError)
    assert f"reverse-etl run {case.name}" in run.error.hint
    assert Status.COMPLETED is ended(case.run()).status
    assert not planned(case).after


def test_gone_rows_are_counted_and_left_as_they_are(case: Case) -> None:
    """Where all rows were read: a plan counts whom no row names any more."""
    with case.shop.changing() as database:
        database.execute("DELETE FROM shop WHERE rowid = 3")
    assert 1 == planned(case).streams["rows"].gone
    ended(case.run())
    assert ROWS == len(case.sandbox.people())


def test_without_comparing_it_counts_what_is_to_send(case: Case) -> None:
    """And leaves open what it does not know."""
    case.sync = case.sync.model_copy(update={"changes": case.sync.changes.model_copy(update={"by": "last_sync_time"})})
    stream = planned(case).streams["rows"]
    assert (ROWS, None, None) == (stream.to_send, stream.added, stream.gone)


def test_scope_takes_a_plan_alone() -> None:
    """What it read is decided."""
    with pytest.raises(ReverseEtlError, match="--full and --plan exclude each other"):
        Scope.of(full=True, plan="plan-1", mark="--")
