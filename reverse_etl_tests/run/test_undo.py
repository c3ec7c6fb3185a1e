"""A run is taken back: what stands in the workspace, and what is remembered of it, is what was there before."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reverse_etl.changeset.scope import Scope
from reverse_etl.errors import ConfigError, StateError
from reverse_etl.report import Counts, RunReport, Status
from reverse_etl.run.key_history import history_of_key
from reverse_etl.run.undo import Undo, make_undo
from reverse_etl.state.run_history import find_run
from reverse_etl.state.snapshots import snapshot_of
from reverse_etl_tests.faults.completed import ended
from reverse_etl_tests.faults.runs import Case
from reverse_etl_tests.run.test_compare import ROWS, change, compared, of_rows, plan_of
from reverse_etl_tests.run.test_key_history import history
from reverse_etl_tests.run.test_values import items, remembered, remembering, require_equal, there
from reverse_etl_tests.servers.sandbox import RunningSandbox


def completed(case: Case) -> Case:
    """The same case, after a run in which everybody's plan was free."""
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET plan = 'free', visits = rowid")
    assert Status.COMPLETED is ended(case.run()).status
    return case


@pytest.fixture
def case(tmp_path: Path, sandbox: RunningSandbox) -> Case:
    """A sync of people that remembers values, and has completed once."""
    return completed(remembering(compared(tmp_path, sandbox)))


def undo_of(case: Case, report: RunReport) -> Undo:
    """What would be taken back of a run."""
    return make_undo(case.sync, case.home, case.store, case.database, case.workspace, report)


def undone(case: Case, report: RunReport) -> RunReport:
    """The run that takes another one back."""
    return ended(case.run(scope=Scope(plan=undo_of(case, report).plan_id)))


@pytest.mark.parametrize(
    ("kind", "empty_values"), [("people", "ignore"), ("people", "delete"), ("objects", "ignore"), ("emails", "delete")]
)
def test_after_an_undo_everything_is_as_it_was_before_the_run(
    kind: str, empty_values: str, tmp_path: Path, sandbox: RunningSandbox
) -> None:
    """In the workspace and in what is remembered; only what differs is sent, and the source's rows are sent again."""
    case = remembering(compared(tmp_path, sandbox, kind), empty_values=empty_values)
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET plan = CASE WHEN rowid % 2 THEN 'free' END, visits = rowid")
    assert Status.COMPLETED is ended(case.run()).status
    if empty_values == "ignore":
        with case.shop.changing() as database:
            database.execute("UPDATE shop SET plan = 'was'")
        assert Status.COMPLETED is ended(case.run()).status
    before, known = there(case), remembered(case)
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET plan = 'wröng \"', visits = -1.5 WHERE rowid > 4")
    wrong = ended(case.run())
    many = len(items(case))
    report = undone(case, wrong)
    assert (Status.COMPLETED, ROWS - 4, 0, 0) == of_rows(report), report.message
    assert ("undo", True) == (report.reads, f"The changes of run {wrong.run_id[:8]} were taken back" in report.message)
    assert before == there(case)
    assert known == remembered(case)
    assert all({"plan", "visits"} == set(item["attributes"]) for item in items(case)[many:])
    if kind != "emails":
        require_equal(case)
    assert (Status.COMPLETED, ROWS - 4, 0, 4) == of_rows(ended(case.run()))


def test_the_next_run_sends_nothing_where_the_source_was_corrected(case: Case) -> None:
    """What is remembered after an undo is what a reading of the earlier values is compared with."""
    change(case, 3, "wrong")
    undone(case, ended(case.run()))
    change(case, 3, "free")
    assert (Status.COMPLETED, 0, 0, ROWS) == of_rows(ended(case.run()))


def test_what_a_later_run_changed_or_nobody_of_ours_wrote_stays(case: Case) -> None:
    """It is counted, and so are people whom the run added."""
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET plan = 'wrong', visits = 0 WHERE rowid IN (3, 4)")
        database.execute("INSERT INTO shop (id, email, plan, visits) VALUES ('new', 'new@example.com', 'pro', 1)")
    wrong = ended(case.run())
    change(case, 4, "later")
    ended(case.run())
    found = undo_of(case, wrong).undone
    assert (2, {"plan": 1, "visits": 2}, 1, 1, 0, 0) == (
        found.rows,
        found.attributes,
        found.added,
        found.changed_since,
        found.in_doubt,
        found.never_ours,
    )
    undone(case, wrong)
    assert ("free", "later", "pro") == (plan_of(case, 3), plan_of(case, 4), there(case)['"new"']["plan"].strip('"'))
    require_equal(case)


@pytest.mark.thorough
def test_what_was_there_before_is_not_known_for_a_new_attribute_or_after_a_lost_answer(case: Case) -> None:
    """A value that was never ours stays; so does one of a row whose earlier request had no answer."""
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET plan = NULL WHERE rowid = 3")
        database.execute("INSERT INTO shop (id, email, plan, visits) VALUES ('new', 'new@example.com', NULL, 1)")
    assert Status.COMPLETED is ended(case.run()).status
    change(case, 4, "lost")
    batch = {"path": "/api/v2/batch"}
    case.sandbox.faults([{"match": batch, "always": True, "do": {"status": 401, "apply": True}}])
    case.run()
    case.sandbox.clear_faults()
    case.sync = case.sync.model_copy(update={"version": "another"})
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET plan = 'wrong' WHERE id = 'new' OR rowid IN (4, 5)")
    wrong = ended(case.run())
    found = undo_of(case, wrong).undone
    assert (1, 1, 1) == (found.rows, found.never_ours, found.in_doubt)
    undone(case, wrong)
    assert ("wrong", "wrong", "free") == (there(case)['"new"']["plan"].strip('"'), plan_of(case, 4), plan_of(case, 5))


def test_an_undo_is_a_run_that_can_be_taken_back(case: Case) -> None:
    """It is in the history of a row, and leaves last sync time."""
    change(case, 3, "gold")
    first = ended(case.run())
    taken = undone(case, first)
    assert [(taken.run_id, {"plan": ('"gold"', '"free"')}), (first.run_id, {"plan": ('"free"', '"gold"')})] == [
        (each.run_id, each.attributes) for each in history(case)[:2]
    ]
    assert Status.COMPLETED is undone(case, taken).status
    assert "gold" == plan_of(case, 3)


@pytest.mark.parametrize("by_plan", [False, True])
def test_an_undo_that_stops_goes_on(case: Case, by_plan: bool) -> None:
    """Its re-execution sends the rest, and what was refused is counted as any failed row; so does a run of its plan."""
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET plan = 'wrong'")
    wrong = ended(case.run())
    batch = {"path": "/api/v2/batch"}
    case.sandbox.faults([{"match": batch, "skip": 1, "always": True, "do": {"status": 401}}])
    plan = Scope(plan=undo_of(case, wrong).plan_id)
    stopped = case.run(scope=plan)
    assert Status.FAILED is ended(stopped).status
    case.sandbox.clear_faults()
    with pytest.raises(StateError, match=f"run {case.name} --plan {plan.plan}"):
        undo_of(case, wrong)
    goes_on = case.run(scope=plan) if by_plan else case.run(root=stopped.root_run_id)
    assert Status.COMPLETED is ended(goes_on).status
    assert {"free"} == {plan_of(case, number) for number in range(1, ROWS + 1)}
    require_equal(case)


@pytest.mark.parametrize("why", ["another run", "half sent", "not kept", "no values", "other keys", "first"])
def test_what_cannot_be_taken_back_is_not(case: Case, why: str) -> None:
    """Another run between, one that is not accounted for, values that are not there: nothing is sent."""
    first = snapshot_of(case.store, case.name).made_by
    change(case, 3, "wrong")
    wrong = ended(case.run())
    many = len(items(case))
    if why == "another run":
        plan = undo_of(case, wrong).plan_id
        change(case, 4, "later")
        case.run()
        many = len(items(case))
        assert isinstance(case.run(scope=Scope(plan=plan)).error, StateError)
    elif why == "half sent":
        with case.store.writing() as connection:
            connection.exec_driver_sql("UPDATE reverse_etl_snapshot SET sending = '0123456789'")
        with pytest.raises(StateError, match="still sending, or stopped"):
            undo_of(case, wrong)
    elif why == "not kept":
        (case.home.snapshots / case.name / "g000001" / "rows.values.parquet").unlink()
        with pytest.raises(StateError, match="missing or damaged"):
            undo_of(case, wrong)
        with pytest.raises(StateError, match="missing or damaged"):
            history_of_key(case.sync, case.home, case.store, "p3")
    elif why == "other keys":
        case.sync = remembering(case, identify_by="email").sync
        with pytest.raises(StateError, match="what identifies rows"):
            undo_of(case, wrong)
    elif why == "no values":
        case.sync = case.sync.model_copy(update={"changes": case.sync.changes.model_copy(update={"keep": None})})
        with pytest.raises(ConfigError, match="remembers no values"):
            undo_of(case, wrong)
    else:
        report = find_run(case.store, first)
        assert report is not None
        found = undo_of(case, report).undone
        assert (0, ROWS) == (found.rows, found.added)
    assert many == len(items(case))


def test_a_run_that_delivered_nothing_changed_nothing(case: Case) -> None:
    """The sentence says so; of one that has not ended, and of one whose values are gone, it says that."""
    same = ended(case.run())
    with pytest.raises(StateError, match="changed nothing, because no row of it was delivered"):
        undo_of(case, same)
    with pytest.raises(StateError, match="has not ended yet"):
        undo_of(case, replace(same, status=Status.RUNNING))
    with pytest.raises(StateError, match="are not kept") as error:
        undo_of(case, replace(same, streams={"rows": Counts(1, delivered=1)}))
    assert "keep: 30d" in error.value.hint


@pytest.mark.thorough
def test_histories_are_taken_back_from_their_end(case: Case) -> None:
    """Runs of random changes: undone one after the other, the newest first, each gives what was there before it."""
    chance = random.Random(5)  # noqa: S311 - repeatable
    states: list[tuple[dict[str, Any], RunReport]] = []
    for _ in range(4):
        before = there(case)
        for number in chance.sample(range(1, ROWS + 1), 3):
            change(case, number, chance.choice(["a", "b", "c"]))
        report = ended(case.run())
        if report.total.delivered:
            states.append((before, report))
    for before, report in reversed(states):
        assert Status.COMPLETED is undone(case, report).status
        assert before == there(case)
        require_equal(case)


def test_a_run_that_only_removed_is_taken_back(tmp_path: Path, sandbox: RunningSandbox) -> None:
    """It has no values of its own, and that is no damage."""
    case = completed(remembering(compared(tmp_path, sandbox), gone="delete", gone_wait="0s"))
    before = there(case)
    with case.shop.changing() as database:
        database.execute("DELETE FROM shop WHERE rowid IN (3, 5)")
    report = undone(case, ended(case.run()))
    assert (Status.COMPLETED, 2) == (report.status, report.total.delivered), report.message
    assert before == there(case)


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["people", "objects"])
def test_who_a_run_removed_is_sent_again(kind: str, tmp_path: Path, sandbox: RunningSandbox) -> None:
    """Whole, as they were acknowledged; once they are back by another way, there is nothing to bring back."""
    case = remembering(compared(tmp_path, sandbox, kind), gone="delete", gone_wait="0s")
    completed(case)
    before = there(case)
    with case.shop.changing() as database:
        database.execute("DELETE FROM shop WHERE rowid IN (3, 5)")
        database.execute("UPDATE shop SET plan = 'wrong' WHERE rowid = 4")
    removed = ended(case.run())
    for plan in "abc":
        # Longer ago than fingerprints are kept; what a later run changed stays.
        change(case, 6, plan)
        case.run()
    before = {**before, **{key: there(case)[key] for key in there(case) if there(case)[key].get("plan") == '"c"'}}
    assert (2, ROWS - 2) == (removed.streams["gone_rows"].delivered, len(there(case)))
    made = undo_of(case, removed).undone
    assert (3, 2) == (made.rows, made.removed)
    report = undone(case, removed)
    assert (Status.COMPLETED, 3) == (report.status, report.total.delivered), report.message
    assert before == there(case)
    assert 0 == undo_of(case, removed).undone.removed


def test_the_history_of_a_row_is_not_empty_where_the_state_database_was_lost(case: Case) -> None:
    """What it counted is still in files, and nothing says which of them are of this sync now."""
    assert [] != history_of_key(case.sync, case.home, case.store, "p3")
    with case.store.writing() as connection:
        connection.exec_driver_sql("DELETE FROM reverse_etl_snapshot")
    with pytest.raises(StateError, match="missing or damaged") as caught:
        history_of_key(case.sync, case.home, case.store, "p3")
    assert "--full" in str(caught.value.hint)
