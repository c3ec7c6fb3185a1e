"""Relationships are taken back like people, and their changes are in a row's history; so are objects of any type."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reverse_etl.config.inline import parse_sync
from reverse_etl.report import Status
from reverse_etl_tests.faults.completed import ended
from reverse_etl_tests.faults.runs import Case
from reverse_etl_tests.run.test_compare import ROWS, compared, of_rows
from reverse_etl_tests.run.test_key_history import history
from reverse_etl_tests.run.test_undo import undo_of, undone
from reverse_etl_tests.run.test_values import PLACES
from reverse_etl_tests.servers.sandbox import RunningSandbox

ENDED = {"gone": "", "deleted": ", plan = 'wrong' AS deleted"}
KEPT = {"by": "compare", "keep": "30d"}


def related(folder: Path, sandbox: RunningSandbox, attribute: str = ", visits", **section: Any) -> Case:
    """People with relationships to objects of two types, of which one has no attribute that changes."""
    case = compared(folder, sandbox, "related")
    where = " WHERE plan = 'free'" if section else ""
    query = f"SELECT id, 'o' || (rowid % 3) AS object_id, 1 + (rowid = 4) AS object_type{attribute} FROM shop{where}"
    relationships = {"identify_by": "id", "query": query, **section}
    rows = {"query": "SELECT id, plan FROM shop", "people": {"identify_by": "id"}, "changes": KEPT}
    case.sync = parse_sync(case.name, PLACES | rows | {"relationships": relationships})
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET plan = 'free', visits = 1")
    assert Status.COMPLETED is ended(case.run()).status
    return case


def change(case: Case, **columns: Any) -> None:
    """Gives the third and the fourth row other values."""
    with case.shop.changing() as database:
        for name, value in columns.items():
            database.execute(f"UPDATE shop SET {name} = ? WHERE rowid IN (3, 4)", [value])


@pytest.mark.thorough
def test_relationships_are_taken_back_with_their_people(tmp_path: Path, sandbox: RunningSandbox) -> None:
    """An attribute that the run changed has the value from before; one that no one changed is not sent."""
    case = related(tmp_path, sandbox)
    before, people = case.sandbox.relationships(), case.sandbox.people()
    change(case, visits=7, plan="wrong")
    wrong = ended(case.run())
    assert before != case.sandbox.relationships()
    found = undo_of(case, wrong)
    assert (2, 2, {"visits": 2}, 4) == (
        found.undone.rows,
        found.further["relationships"].rows,
        found.further["relationships"].attributes,
        found.rows,
    )
    assert () == found.beside
    report = undone(case, wrong)
    assert (Status.COMPLETED, 4, 0, 0) == of_rows(report), report.message
    assert (before, people) == (case.sandbox.relationships(), case.sandbox.people())
    change(case, visits=1, plan="free")
    assert (Status.COMPLETED, 0, 0, 2 * ROWS) == of_rows(ended(case.run()))


@pytest.mark.thorough
@pytest.mark.parametrize(("how", "attribute"), [("gone", ", visits"), ("deleted", "")])
def test_a_relationship_that_a_run_ended_is_there_again(
    how: str, attribute: str, tmp_path: Path, sandbox: RunningSandbox
) -> None:
    """Because the query no longer returned it, or said that it is deleted; with its attributes, and without any."""
    case = related(tmp_path, sandbox, attribute + ENDED[how], **({"gone": "delete"} if how == "gone" else {}))
    before = sorted(case.sandbox.relationships(), key=str)
    change(case, plan="wrong")
    wrong = ended(case.run())
    assert len(before) - 2 == len(case.sandbox.relationships())
    assert 2 == undo_of(case, wrong).further["relationships"].removed
    report = undone(case, wrong)
    assert (Status.COMPLETED, 4, 0) == of_rows(report)[:3], report.message
    assert before == sorted(case.sandbox.relationships(), key=str)
    events = [(each.removed, each.added, each.attributes) for each in history(case) if each.stream == "relationships"]
    there = {"visits": (None, "1")} if attribute else {}
    assert [(False, True, there), (True, False, {}), (False, True, there)] == events


@pytest.mark.thorough
def test_the_history_of_a_person_has_their_relationships(tmp_path: Path, sandbox: RunningSandbox) -> None:
    """Each with its object; no one else's, though their id begins alike."""
    case = related(tmp_path, sandbox)
    with case.shop.changing() as database:
        database.execute("INSERT INTO shop (id, email, plan, visits) VALUES ('p3\" 1', 'x@example.com', 'pro', 1)")
        database.execute("INSERT INTO shop (id, email, plan, visits) VALUES ('p3', 'y@example.com', 'free', 1)")
        database.execute("DELETE FROM shop WHERE rowid = 9")
    ended(case.run())
    change(case, visits=7)
    run = ended(case.run()).run_id
    found = [(each.of, each.attributes) for each in history(case) if each.run_id == run]
    assert [('1 "o0"', {"visits": ("1", "7")})] == found
    assert {'1 "o0"', '1 "o2"'} == {each.of for each in history(case) if each.stream == "relationships"}


@pytest.mark.thorough
def test_objects_of_every_type_are_found_and_taken_back(tmp_path: Path, sandbox: RunningSandbox) -> None:
    """By their id, whatever type the sync's file names."""
    case = compared(tmp_path, sandbox, "objects")
    query = "SELECT id AS object_id, plan, 1 AS object_type FROM shop UNION ALL SELECT id, plan, 2 FROM shop"
    case.sync = parse_sync(case.name, PLACES | {"objects": {"object_type": 1}, "query": query, "changes": KEPT})
    change(case, plan="free")
    assert Status.COMPLETED is ended(case.run()).status
    before = case.sandbox.objects()
    change(case, plan="wrong")
    wrong = ended(case.run())
    assert ["1", "2"] == sorted(each.of for each in history(case) if each.run_id == wrong.run_id)
    assert [] == history(case, "3")
    assert (Status.COMPLETED, 4, 0, 0) == of_rows(undone(case, wrong))
    assert before == case.sandbox.objects()


@pytest.mark.thorough
def test_a_stream_whose_values_were_not_remembered_is_left_as_it_is(tmp_path: Path, sandbox: RunningSandbox) -> None:
    """With `send: changed_attributes` alone, values of relationships are not: they are named as not taken back."""
    case = related(tmp_path, sandbox)
    people = {"people": {"identify_by": "id", "send": "changed_attributes"}, "changes": {"by": "compare"}}
    relationships = case.sync.relationships
    assert relationships is not None
    keys = {"relationships": {"identify_by": "id", "query": relationships.query}, "query": case.sync.query}
    case.sync = parse_sync(case.name, PLACES | people | keys)
    change(case, visits=7, plan="wrong")
    assert Status.COMPLETED is ended(case.run()).status
    change(case, visits=8, plan="worse")
    worse = ended(case.run())
    assert (2, ("relationships",)) == (undo_of(case, worse).undone.rows, undo_of(case, worse).beside)
