"""What a sync's query no longer returns is removed as its file says, and never because something is unknown."""

from __future__ import annotations

import random
import shutil
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from reverse_etl.changes.gone import GONE_FILE
from reverse_etl.changeset.scope import Scope
from reverse_etl.config.changes import ChangesConfig
from reverse_etl.config.inline import parse_sync
from reverse_etl.report import Counts, Status
from reverse_etl.run import changes
from reverse_etl.run.key_history import history_of_key
from reverse_etl.run.plan import make_plan
from reverse_etl.run.record import SyncRun
from reverse_etl.state.home import Home
from reverse_etl_tests.faults.completed import ended
from reverse_etl_tests.faults.runs import Case, World
from reverse_etl_tests.faults.shop import compared as compared_settings
from reverse_etl_tests.fresh_store import fresh_store
from reverse_etl_tests.servers.sandbox import RunningSandbox

ROWS = 30
_KEEPS = ChangesConfig(by="compare", keep=timedelta(days=30))


def world(folder: Path, sandbox: RunningSandbox) -> World:
    """Where cases are made."""
    home = Home.at(folder / "home")
    return World(folder, sandbox, home, fresh_store(home))


def compared(at: World, kind: str = "people", **section: Any) -> Case:
    """A sync that compares, with keys in its section; it has never run."""
    return at.case(
        kind,
        random.Random(1),  # noqa: S311 - repeatable
        rows=ROWS,
        items=5,
        in_flight=1,
        compare=True,
        section={"gone": "delete"} | ({"gone_wait": "0s"} if kind in ("people", "emails", "related") else {}) | section,
    )


@pytest.fixture
def case(tmp_path: Path, sandbox: RunningSandbox) -> Case:
    """A sync of people that deletes who is gone, at once, and has completed once."""
    case = compared(world(tmp_path, sandbox))
    assert Status.COMPLETED is ended(case.run()).status
    return case


def remove(case: Case, *numbers: int) -> None:
    """Takes rows out of the table."""
    with case.shop.changing() as database:
        database.executemany("DELETE FROM shop WHERE rowid = ?", [(number,) for number in numbers])


def ids(case: Case) -> set[str]:
    """Who is in the workspace."""
    return {person["id"] for person in case.sandbox.people()}


def everybody(*without: int) -> set[str]:
    """The ids of all rows but some."""
    return {f"p{number}" for number in range(1, ROWS + 1) if number not in without}


def test_who_is_gone_is_deleted_and_counted(case: Case) -> None:
    """Once; the next run has nothing to do."""
    remove(case, 3, 5)
    report = ended(case.run())
    assert Status.COMPLETED is report.status, report.message
    assert {"rows": Counts(ROWS - 2, unchanged=ROWS - 2), "gone_rows": Counts(2, delivered=2)} == report.streams
    assert everybody(3, 5) == ids(case)
    assert {"rows": Counts(ROWS - 2, unchanged=ROWS - 2)} == ended(case.run()).streams


def test_who_left_before_the_store_was_lost_stays_and_the_run_says_so(case: Case) -> None:
    """Nobody is removed because something is unknown; a sync that removes nobody has nothing to say."""
    remove(case, 3)
    shutil.rmtree(case.home.snapshots / case.name)
    report = ended(case.run())
    assert (["rows"], everybody()) == ([*report.streams], ids(case))
    assert "missing or damaged, so every row is sent. What left the query since then is not known" in report.message
    assert "stays in the workspace." in report.message
    shutil.rmtree(case.home.snapshots / case.name)
    stays = ended(with_section(case).run())
    assert ("missing or damaged" in stays.message, "What left" in stays.message) == (True, False)


def test_nothing_is_deleted_by_default(tmp_path: Path, sandbox: RunningSandbox) -> None:
    """Without the key, everybody stays."""
    case = with_section(compared(world(tmp_path, sandbox)))
    case.run()
    remove(case, 3)
    assert ["rows"] == [*ended(case.run()).streams]
    assert everybody() == ids(case)


def test_who_comes_back_is_sent_whole(case: Case) -> None:
    """A deleted person's key is forgotten, so that the row is new."""
    remove(case, 3)
    case.run()
    with case.shop.changing() as database:
        database.execute("INSERT INTO shop (rowid, id, email, plan, visits) VALUES (3, 'p3', 'p3@example.com', 'x', 1)")
    assert 1 == ended(case.run()).rows.delivered
    assert everybody() == ids(case)


def test_who_is_gone_is_waited_for(tmp_path: Path, sandbox: RunningSandbox) -> None:
    """A person who is back in time was never deleted; another one is, once the time is over."""
    case = compared(world(tmp_path, sandbox), gone_wait="24h")
    case.run()
    remove(case, 3, 4)
    assert ["rows"] == [*ended(case.run()).streams]
    with case.shop.changing() as database:
        database.execute("INSERT INTO shop (rowid, id, email, plan, visits) VALUES (3, 'p3', 'p3@example.com', 'x', 1)")
    case.run()
    assert everybody(4) == ids(case) - {"p4"}
    # The same sync that waits less: p4 has been gone for long enough.
    short = with_section(case, gone="delete", gone_wait="0s")
    assert Counts(1, delivered=1) == ended(short.run()).streams["gone_rows"]
    assert everybody(4) == ids(case)


@pytest.mark.parametrize("removed", [range(1, 12), range(1, ROWS + 1)], ids=["too_many", "all"])
def test_more_than_may_be_gone_stops_the_run_before_anything_is_sent(case: Case, removed: range) -> None:
    """Ten of thirty may go, eleven may not; `--gone-max` lets them pass once."""
    remove(case, *removed)
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET plan = 'changed'")
    before = len(case.sandbox.requests())
    report = ended(case.run())
    assert (Status.FAILED, 4) == (report.status, report.exit_code)
    assert "nothing was sent" in report.message
    assert f"--gone-max {len(removed)}" in report.message
    assert everybody() == ids(case)
    batches = [each for each in case.sandbox.requests()[before:] if each["path"] == "/api/v2/batch"]
    assert not batches
    again = ended(case.run(scope=Scope(gone_max="39%" if len(removed) < ROWS else "100%")))
    assert Status.COMPLETED is again.status, again.message
    assert everybody(*removed) == ids(case)


def test_a_person_under_another_id_is_not_deleted(case: Case) -> None:
    """The e-mail address is still there: the delete would hit the same person."""
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET id = 'p3b' WHERE rowid = 3")
    report = ended(case.run())
    assert ["rows"] == [*report.streams]
    assert "p3" in ids(case)


def test_a_row_without_an_identifier_leaves_it_open_who_is_gone(case: Case) -> None:
    """It may be of anybody."""
    remove(case, 3)
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET id = '' WHERE rowid = 4")
    report = ended(case.run())
    assert "it is not known who is gone" in report.message
    assert everybody() == ids(case)


def test_who_was_never_acknowledged_is_not_deleted(tmp_path: Path, sandbox: RunningSandbox) -> None:
    """A person who was refused, and a person of whom nothing is known."""
    case = compared(world(tmp_path, sandbox))
    sandbox.faults([{"match": {"path": "/api/v2/batch"}, "always": True, "do": {"refuse_items": {"ids": ["p3"]}}}])
    case.run()
    sandbox.clear_faults()
    remove(case, 3)
    assert ["rows"] == [*ended(case.run()).streams]


@pytest.mark.parametrize("scope", [Scope(limit=3), Scope(only="")], ids=["limit", "plain"])
def test_a_part_of_the_rows_says_nothing_of_the_others(case: Case, scope: Scope) -> None:
    """`--limit` deletes nobody."""
    assert everybody() == ids(case)
    case.run(scope=scope)
    assert everybody() == ids(case)


def beside_each_other(case: Case, other: Case) -> tuple[Case, Case]:
    """Two syncs that know of each other."""
    one, two = (
        replace(each, sync=each.sync.model_copy(update={"beside": (("rows", beside.name, "rows"),)}))
        for each, beside in ((case, other), (other, case))
    )
    return one, two


@pytest.mark.thorough
def test_another_sync_that_still_sends_a_person_keeps_them(tmp_path: Path, sandbox: RunningSandbox) -> None:
    """Whoever both sent stays until both let go; while the other one is not known, no one is deleted."""
    at = world(tmp_path, sandbox)
    case = compared(at)
    one, two = beside_each_other(case, with_section(replace(case, name="other"), gone="delete", gone_wait="0s"))
    one.run()
    remove(case, 3)
    unknown = ended(one.run())
    assert "sync other" in unknown.message
    assert everybody() == ids(case)
    _put_back(case, 3)
    two.run()
    remove(case, 3)
    one.run()
    assert everybody() == ids(case)
    two.run()
    one.run()
    assert everybody(3) == ids(case)


def test_a_sync_that_does_not_compare_is_never_known(case: Case) -> None:
    """Whether it has run or not: the message says what to write, and where."""
    fields = {"beside": (("rows", "other", "rows"),), "uncompared": (("other", "syncs/other.yaml"),)}
    case = replace(case, sync=case.sync.model_copy(update=fields))
    remove(case, 3)
    message = ended(case.run()).message
    assert "Sync other does not compare, so it is never known whom it sends: nothing was removed." in message
    assert "`changes: {by: compare}` in syncs/other.yaml" in message
    assert everybody() == ids(case)


@pytest.mark.parametrize("changed", ["secret", "identifier"])
def test_another_syncs_keys_of_another_kind_tell_nothing(changed: str, tmp_path: Path, sandbox: RunningSandbox) -> None:
    """Made with a secret that was lost, or of another identifier: no one is deleted until that sync has run."""
    case = compared(world(tmp_path, sandbox))
    other = with_section(replace(case, name="other"), gone="delete", gone_wait="0s")
    one, two = beside_each_other(case, other)
    before = with_section(other, gone="delete", gone_wait="0s", identify_by="email") if changed == "identifier" else two
    assert Status.COMPLETED is ended(before.run()).status
    one.run()
    if changed == "secret":
        (case.home.path / "secret").unlink()
        assert "secret" in ended(one.run()).message
    remove(case, 3)
    assert "It is not known whom sync other sends" in ended(one.run()).message
    assert everybody() == ids(case)
    two.run()
    one.run()
    assert everybody(3) == ids(case)


@pytest.mark.thorough
def test_a_resumed_run_removes_nothing(case: Case) -> None:
    """What it did not remove is left for the next run that reads."""
    remove(case, 3, 4)
    sandbox = case.sandbox
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET plan = 'changed'")
    sandbox.faults([{"match": {"path": "/api/v2/batch"}, "skip": 1, "always": True, "do": {"status": 500}}])
    first = case.run()
    sandbox.clear_faults()
    assert everybody() == ids(case)
    resumed = ended(case.resume(first))
    assert Counts(2, excluded=2) == resumed.streams["gone_rows"]
    assert everybody() == ids(case)
    assert Counts(2, delivered=2) == ended(case.run()).streams["gone_rows"]
    assert everybody(3, 4) == ids(case)


def test_a_run_that_continues_a_plans_run_removes_nothing(case: Case) -> None:
    """The run that takes a plan removes whom it names; who is back when another run continues it is left alone."""
    remove(case, 3, 4, 5)
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET plan = 'gold' WHERE rowid = 7")
    plan = make_plan(case.sync, case.home, case.store, case.database, case.workspace)
    batch = {"path": "/api/v2/batch"}
    case.sandbox.faults([{"match": batch, "skip": 1, "always": True, "do": {"status": 401}}])
    assert Status.FAILED is ended(case.run(scope=Scope(plan=plan.plan_id))).status
    case.sandbox.clear_faults()
    assert everybody() == ids(case)
    _put_back(case, 3)
    case.run()
    assert "p3" in ids(case)
    assert Status.COMPLETED is ended(case.run()).status
    assert everybody(4, 5) == ids(case)


def test_whoever_continues_a_plan_that_was_sent_leaves_the_numbers_of_who_was_gone(case: Case) -> None:
    """By them it is known what was answered: the person whose removal was refused does not count as removed."""
    remove(case, 3, 4, 5)
    plan = make_plan(case.sync, case.home, case.store, case.database, case.workspace)
    refuse = {"match": {"path": "/api/v2/batch"}, "always": True, "do": {"refuse_items": {"ids": ["p4"]}}}
    case.sandbox.faults([refuse])
    assert Status.SOME_ROWS_FAILED is ended(case.run(scope=Scope(plan=plan.plan_id))).status
    case.home.continue_changeset(case.sync.name, "again", plan.plan_id)
    run = SyncRun(case.sync, "again", "again", case.home, case.store, datetime.now(UTC))
    facts, numbered = run.folder.facts(), pq.read_table(run.folder.parts("rows").folder / GONE_FILE)
    assert facts is not None
    assert 3 == numbered.num_rows
    changes.compare(run, facts)
    assert numbered == pq.read_table(run.folder.parts("rows").folder / GONE_FILE)


def test_a_refused_removal_is_a_failed_row_and_comes_again(case: Case) -> None:
    """With its identifier; the next run tries again."""
    remove(case, 3)
    refuse = {"match": {"path": "/api/v2/batch"}, "always": True, "do": {"refuse_items": {"ids": ["p3"]}}}
    case.sandbox.faults([refuse])
    report = ended(case.run())
    case.sandbox.clear_faults()
    assert (Status.SOME_ROWS_FAILED, Counts(1, refused=1)) == (report.status, report.streams["gone_rows"])
    assert "gone_rows,p3,customerio" in Path(report.failed_rows_csv).read_text()
    assert Counts(1, delivered=1) == ended(case.run()).streams["gone_rows"]


@pytest.mark.thorough
def test_a_retry_says_that_it_removes_nothing(case: Case) -> None:
    """What is gone is in no query: a retry leaves it, and the next run tries again."""
    remove(case, 3)
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET plan = 'changed' WHERE rowid = 4")
    refuse = {"match": {"path": "/api/v2/batch"}, "always": True, "do": {"refuse_items": {"ids": ["p3", "p4"]}}}
    case.sandbox.faults([refuse])
    failed = case.run()
    case.sandbox.clear_faults()
    assert 2 == ended(failed).total.failed
    retried = ended(case.run(scope=Scope(retry_of=failed.run_id)))
    assert (Status.COMPLETED, {"rows": Counts(1, delivered=1)}) == (retried.status, retried.streams)
    assert "1 failed row is one that is gone: a retry removes nothing, the next run tries again." in retried.message
    assert Counts(1, delivered=1) == ended(case.run()).streams["gone_rows"]


@pytest.mark.parametrize(
    ("gone", "found"),
    [("suppress", None), ("clear", {}), ({"set": {"is_customer": False}}, {"is_customer": False})],
    ids=["suppress", "clear", "set"],
)
def test_what_becomes_of_who_is_gone(
    tmp_path: Path, sandbox: RunningSandbox, gone: object, found: dict[str, object] | None
) -> None:
    """Suppressed, without this sync's attributes, or with others."""
    case = compared(world(tmp_path, sandbox), gone=gone, gone_wait="1s")
    case.run()
    remove(case, 3)
    case.run()
    people = case.sync.people.model_copy(update={"gone_wait": timedelta()})
    report = ended(replace(case, sync=case.sync.model_copy(update={"people": people})).run())
    assert Counts(1, delivered=1) == report.streams["gone_rows"]
    there = {person["id"]: person["attributes"] for person in sandbox.people()}
    if found is None:
        assert "p3" not in there
    else:
        left = {name: value for name, value in there["p3"].items() if value not in ("", None)}
        assert found.items() <= left.items()
        assert gone != "clear" or "visits" not in left


@pytest.mark.parametrize("marked", ["true", "false"], ids=["gone", "there"])
def test_a_row_that_says_of_itself_that_it_is_gone(tmp_path: Path, sandbox: RunningSandbox, marked: str) -> None:
    """A column `deleted` does at once what `gone` says; it is no attribute."""
    case = compared(world(tmp_path, sandbox))
    query = case.sync.query.replace("SELECT ", "SELECT 0 AS deleted, ", 1)
    with_section(case, query=query, gone="delete").run()
    assert "deleted" not in sandbox.people()[0]["attributes"]
    case = with_section(case, query=query.replace("0 AS", f"(rowid = 3 AND {marked}) AS"), gone="delete")
    report = ended(case.run())
    left = everybody(3) if marked == "true" else everybody()
    assert Counts(ROWS, delivered=ROWS - len(left), unchanged=len(left)) == report.rows
    assert left == ids(case)
    assert 0 == ended(case.run()).rows.delivered


def marking(case: Case, marked: str) -> Case:
    """The same sync, which reads what changed and has the mark in its query; everything has just changed."""
    query = case.sync.query.replace("SELECT ", f"SELECT {marked} AS deleted, ", 1)
    query = query.replace(" ORDER BY", " WHERE updated_at >= {{last_sync_time}} ORDER BY")
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET updated_at = ?", [int(time.time()) + 1])
    return with_section(case, query=query, gone="delete")


@pytest.mark.parametrize("marked", [10, 11], ids=["few", "too_many"])
def test_rows_that_are_marked_have_the_limit_in_a_reading_of_what_changed_too(case: Case, marked: int) -> None:
    """A sync that compares and has a placeholder: who else is gone it does not know."""
    marking(case, "0").run()
    before = len(case.sandbox.requests())
    report = ended(marking(case, f"rowid <= {marked}").run())
    if marked == 10:
        assert (Status.COMPLETED, 10) == (report.status, report.rows.delivered), report.message
        return
    assert (4, everybody()) == (report.exit_code, ids(case))
    assert "11 of 30 known people are gone, more than the 10 of `gone_max: 5%`" in report.message
    assert not [each for each in case.sandbox.requests()[before:] if each["path"] == "/api/v2/batch"]


def test_a_row_without_an_identifier_does_not_change_the_limit(tmp_path: Path, sandbox: RunningSandbox) -> None:
    """Twelve of thirty are few enough for half, though it is not known who else is gone."""
    case = compared(world(tmp_path, sandbox))
    query = case.sync.query.replace("SELECT ", "SELECT 0 AS deleted, ", 1)
    with_section(case, query=query, gone="delete", gone_max="50%").run()
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET id = '' WHERE rowid = 30")
    report = ended(
        with_section(case, query=query.replace("0 AS", "rowid <= 12 AS"), gone="delete", gone_max="50%").run()
    )
    assert 12 == report.rows.delivered, report.message
    assert "it is not known who is gone" in report.message


def test_objects_and_relationships_that_are_gone(tmp_path: Path, sandbox: RunningSandbox) -> None:
    """Each by all columns that name it."""
    case = compared(world(tmp_path, sandbox), "objects")
    case.run()
    before = {each["object_id"] for each in sandbox.objects()}
    remove(case, 3)
    assert Counts(1, delivered=1) == ended(case.run()).streams["gone_rows"]
    assert {"p3"} == before - {each["object_id"] for each in sandbox.objects()}


def with_section(case: Case, *, query: str = "", **section: Any) -> Case:
    """The same sync of people with other keys in its section, or another query."""
    settings = {
        "database": "shop",
        "workspace": "main",
        "schedule": "manual",
        "people": {"identify_by": "id", **section},
        "query": query or case.sync.query,
        "changes": {"by": "compare"},
    }
    return replace(case, sync=parse_sync(case.name, settings))


def test_relationships_that_are_gone(tmp_path: Path, sandbox: RunningSandbox) -> None:
    """Before the person whom they are of, where that one is gone too."""
    case = compared(world(tmp_path, sandbox), "related")
    settings = compared_settings("related")
    settings["people"] |= {"gone": "delete", "gone_wait": "0s"}
    settings["relationships"] |= {"gone": "delete"}
    where = {"database": "shop", "workspace": "main", "schedule": "manual"}
    case = replace(case, sync=parse_sync(case.name, where | settings))
    case.run()
    remove(case, 3)
    report = ended(case.run())
    assert {"rows", "relationships", "gone_relationships", "gone_rows"} == set(report.streams), report.message
    assert Counts(1, delivered=1) == report.streams["gone_relationships"]
    bodies = [each["body"] for each in sandbox.requests() if each["path"] == "/api/v2/batch"]
    assert ["delete_relationships", "delete"] == [body["batch"][0]["action"] for body in bodies[-2:]]
    assert everybody(3) == ids(case)


@pytest.mark.parametrize("kind", ["people", "objects"])
def test_who_comes_back_has_their_relationships_again(kind: str, tmp_path: Path, sandbox: RunningSandbox) -> None:
    """The destination removed them with the person or object, though the query returned them all the time."""
    case = compared(world(tmp_path, sandbox), "related")
    identifier = {"identify_by": "id"} if kind == "people" else {"object_type": 1}
    settings = {
        "database": "shop",
        "workspace": "main",
        "schedule": "manual",
        kind: {**identifier, "gone": "delete", "gone_wait": "0s"},
        "query": f"SELECT id{' AS object_id' if kind == 'objects' else ''}, plan FROM shop WHERE plan <> 'away'",
        "changes": {"by": "compare"},
        "relationships": {"identify_by": "id", "query": "SELECT id, id AS object_id, visits FROM shop"},
    }
    case = replace(case, sync=parse_sync(case.name, settings))
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET plan = 'here'")
    assert Status.COMPLETED is ended(case.run()).status
    before = len(sandbox.relationships())
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET plan = 'away' WHERE rowid IN (3, 4)")
    assert Counts(2, delivered=2) == ended(case.run()).streams["gone_rows"]
    assert before - 2 == len(sandbox.relationships())
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET plan = 'here' WHERE rowid = 3")
    report = ended(case.run())
    assert (1, 1) == (report.rows.delivered, report.streams["relationships"].delivered), report.message
    assert before - 1 == len(sandbox.relationships())
    assert 0 == ended(case.run()).total.delivered


def _put_back(case: Case, number: int) -> None:
    with case.shop.changing() as database:
        database.execute(
            "INSERT INTO shop (rowid, id, email, plan, visits) VALUES (?, ?, ?, 'x', 1)",
            [number, f"p{number}", f"p{number}@example.com"],
        )


def test_keys_of_another_kind_are_not_gone(case: Case) -> None:
    """A sync that identifies people by another column, or names its workspace otherwise, starts anew."""
    other = with_section(case, gone="delete", gone_wait="0s", identify_by="email")
    report = ended(other.run())
    assert (["rows"], ROWS) == ([*report.streams], report.rows.delivered), report.message
    assert "What identifies rows is another thing" in report.message
    assert everybody() <= ids(case)
    assert ["rows"] == [*ended(other.run()).streams]
    assert everybody() <= ids(case)


def test_an_object_is_removed_with_the_type_that_it_was_sent_with(tmp_path: Path, sandbox: RunningSandbox) -> None:
    """Also after the sync's default is another: objects of the new type stay."""
    case = compared(world(tmp_path, sandbox), "objects")
    case.run()
    objects = case.sync.objects
    assert objects is not None
    other = objects.model_copy(update={"object_type": 2})
    case = replace(case, sync=case.sync.model_copy(update={"objects": other}))
    case.run(scope=Scope(gone_max="100%"))
    assert {("2", f"p{number}") for number in range(1, ROWS + 1)} == {
        (str(each["object_type_id"]), each["object_id"]) for each in sandbox.objects()
    }


def test_a_plan_says_who_would_go(case: Case) -> None:
    """Counts in any case, names when values are asked for; its run removes them."""
    remove(case, 3, 5)
    plain = make_plan(case.sync, case.home, case.store, case.database, case.workspace).streams["rows"]
    assert (2, 2, (), 1) == (plain.gone, plain.to_remove, plain.first_gone, plain.requests)
    plan = make_plan(case.sync, case.home, case.store, case.database, case.workspace, with_values=True)
    assert {"p3", "p5"} == set(plan.streams["rows"].first_gone)
    assert everybody() == ids(case)
    assert Counts(2, delivered=2) == ended(case.run(scope=Scope(plan=plan.plan_id))).streams["gone_rows"]
    assert everybody(3, 5) == ids(case)


@pytest.mark.thorough
def test_the_history_of_a_row_says_that_it_was_removed(tmp_path: Path, sandbox: RunningSandbox) -> None:
    """By which run; and it starts anew when the row is back."""
    case = compared(world(tmp_path, sandbox))
    case = replace(case, sync=case.sync.model_copy(update={"changes": _KEEPS}))
    case.run()
    remove(case, 3)
    removed = ended(case.run())
    for plan in "abc":
        # Longer ago than fingerprints are kept.
        with case.shop.changing() as database:
            database.execute("UPDATE shop SET plan = ? WHERE rowid = 4", [plan])
        case.run()
    [last, first] = history_of_key(case.sync, case.home, case.store, "p3")
    assert (removed.run_id, True, False) == (last.run_id, last.removed, first.removed)
    _put_back(case, 3)
    case.run()
    [back, *_] = history_of_key(case.sync, case.home, case.store, "p3")
    assert (None, '"x"') == back.attributes["plan"]
