"""An undo deletes what its run added only where that is asked for, and only what is certain to be the run's own."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from reverse_etl.changeset.scope import Scope
from reverse_etl.config.inline import parse_sync
from reverse_etl.errors import CheckFailedError, ConfigError
from reverse_etl.report import Counts, RunReport, Status
from reverse_etl.run.undo import Undo, make_undo
from reverse_etl.state.run_history import list_runs
from reverse_etl_tests.faults.completed import ended
from reverse_etl_tests.faults.runs import Case, World
from reverse_etl_tests.run.test_compare import ROWS, change, compared
from reverse_etl_tests.run.test_gone import world
from reverse_etl_tests.run.test_key_history import history
from reverse_etl_tests.run.test_undo import completed, undo_of
from reverse_etl_tests.run.test_values import PLACES, remembering
from reverse_etl_tests.servers.sandbox import RunningSandbox

DELETES = {"gone": "delete", "gone_wait": "0s"}


@pytest.fixture
def case(tmp_path: Path, sandbox: RunningSandbox) -> Case:
    """A sync of people that deletes who is gone, remembers values, and has completed once."""
    return completed(remembering(compared(tmp_path, sandbox), **DELETES))


def add(case: Case, *ids: str, plan: str = "new") -> None:
    """New rows in the source."""
    with case.shop.changing() as database:
        rows = [(each, f"{each}@example.com", plan) for each in ids]
        database.executemany("INSERT INTO shop (id, email, plan, visits) VALUES (?, ?, ?, 1)", rows)


def deleting(case: Case, report: RunReport, gone_max: str = "") -> Undo:
    """What would be taken back of a run, with the rows that it added."""
    return make_undo(
        case.sync, case.home, case.store, case.database, case.workspace, report, delete_added=True, gone_max=gone_max
    )


def there(case: Case) -> set[str]:
    """Who is in the workspace."""
    held = case.sandbox.objects() if case.kind == "objects" else case.sandbox.people()
    return {each["object_id" if case.kind == "objects" else "id"] for each in held}


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["people", "objects"])
def test_who_a_run_added_is_deleted_where_that_is_asked_for(kind: str, tmp_path: Path, sandbox: RunningSandbox) -> None:
    """With what it changed, in one run; without the option they stay. The source's rows are new again."""
    case = completed(remembering(compared(tmp_path, sandbox, kind), **DELETES))
    everybody = there(case)
    add(case, "n1", "n2")
    change(case, 3, "wrong")
    wrong = ended(case.run())
    assert (2, 0) == ((stays := undo_of(case, wrong).undone).added, stays.deleted)
    made = deleting(case, wrong)
    assert (1, 0, 2, 3) == (made.undone.rows, made.undone.added, made.undone.deleted, made.rows)
    report = ended(case.run(scope=Scope(plan=made.plan_id)))
    assert (Status.COMPLETED, Counts(2, delivered=2)) == (report.status, report.streams["gone_rows"]), report.message
    assert everybody == there(case)
    assert [True, False] == [each.removed for each in history(case, "n1")]
    assert 3 == ended(case.run()).rows.delivered
    assert everybody | {"n1", "n2"} == there(case)


@pytest.mark.thorough
def test_what_is_not_certain_to_be_the_runs_own_stays(case: Case) -> None:
    """One that a later run changed stays, and one that is another name of somebody who was there."""
    with case.shop.changing() as database:
        database.execute("INSERT INTO shop (id, email, plan, visits) VALUES ('again', 'p4@example.com', 'x', 1)")
        database.execute("DELETE FROM shop WHERE id = 'p4'")
    case.sync = remembering(case, gone="delete", gone_wait="24h").sync
    add(case, "n1", "n2")
    wrong = ended(case.run())
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET plan = 'later' WHERE id = 'n2'")
    ended(case.run())
    found = deleting(case, wrong).undone
    assert (1, 2) == (found.deleted, found.added)


def test_the_first_run_deletes_no_one(case: Case) -> None:
    """What was there before it is not known."""
    [first] = list_runs(case.store, case.name, limit=1)
    found = deleting(case, first, gone_max="100%").undone
    assert (0, ROWS) == (found.deleted, found.added)


@pytest.mark.thorough
def test_more_than_the_limit_needs_a_word(case: Case) -> None:
    """The limits of what is gone hold, before anything is sent; `--gone-max` lets more pass, and that run too."""
    everybody = there(case)
    add(case, *(f"n{number}" for number in range(11)))
    wrong = ended(case.run())
    with pytest.raises(CheckFailedError, match="11 rows of 20 would be deleted, more than the 10 that") as error:
        deleting(case, wrong)
    assert "--gone-max 11" in error.value.hint
    with pytest.raises(CheckFailedError, match="more than --gone-max 50%"):
        deleting(case, wrong, gone_max="50%")
    report = ended(case.run(scope=Scope(plan=deleting(case, wrong, gone_max="11").plan_id)))
    assert (Status.COMPLETED, 11) == (report.status, report.streams["gone_rows"].delivered), report.message
    assert everybody == there(case)


def test_a_sync_that_deletes_nothing_deletes_nothing(case: Case) -> None:
    """It has no limits for it."""
    add(case, "n1")
    wrong = ended(case.run())
    case.sync = parse_sync(case.name, _without_gone(case))
    with pytest.raises(ConfigError, match="deletes nothing") as error:
        deleting(case, wrong)
    assert "`gone: delete`" in error.value.hint


def _without_gone(case: Case) -> dict[str, Any]:
    kept = {"changes": {"by": "compare", "keep": "30d"}}
    return PLACES | {"query": case.sync.query, "people": {"identify_by": "id"}} | kept


@pytest.mark.thorough
def test_who_another_sync_sends_stays(tmp_path: Path, sandbox: RunningSandbox) -> None:
    """Known of it, they are counted; while it has not run, no one is deleted."""
    at: World = world(tmp_path, sandbox)
    case = at.case("people", random.Random(1), rows=ROWS, compare=True)  # noqa: S311 - repeatable
    other = at.case("people", random.Random(1), rows=ROWS, compare=True)  # noqa: S311 - repeatable
    for each, beside in ((case, other), (other, case)):
        remembering(each, **DELETES)
        each.sync = each.sync.model_copy(update={"beside": (("rows", beside.name, "rows"),)})
    assert Status.COMPLETED is ended(case.run()).status
    add(case, "n1", "n2")
    wrong = ended(case.run())
    made = deleting(case, wrong)
    assert (0, 2, 1) == (made.undone.deleted, made.undone.added, len(made.notes))
    assert f"It is not known whom sync {other.name} sends" in made.notes[0]
    add(other, "n1")
    assert Status.COMPLETED is ended(other.run()).status
    found = deleting(case, wrong).undone
    assert (1, 1, 0) == (found.deleted, found.elsewhere, found.added)
    ended(case.run(scope=Scope(plan=deleting(case, wrong).plan_id)))
    assert ("n1" in there(case), "n2" in there(case)) == (True, False)


@pytest.mark.thorough
def test_a_run_that_continues_the_undo_deletes_no_one(case: Case) -> None:
    """Whoever came back meanwhile would be hit: as with all that is gone, what is left is left."""
    add(case, "n1")
    change(case, 3, "wrong")
    wrong = ended(case.run())
    case.sandbox.faults([{"match": {"path": "/api/v2/batch"}, "always": True, "do": {"status": 401}}])
    stopped = case.run(scope=Scope(plan=deleting(case, wrong).plan_id))
    case.sandbox.clear_faults()
    report = ended(case.run(root=stopped.root_run_id))
    assert (1, Counts(1, excluded=1)) == (report.rows.delivered, report.streams["gone_rows"])
    assert "n1" in there(case)
