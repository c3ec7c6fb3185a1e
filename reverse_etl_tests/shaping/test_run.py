"""Rows that are shaped on their way to the workspace: counts, outcomes, failed rows, whichever way they are read."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from reverse_etl.changeset.aside import complete
from reverse_etl.changeset.parts import ROW_NUMBER, Parts
from reverse_etl.changeset.scope import Scope
from reverse_etl.config.inline import parse_sync
from reverse_etl.exclusions import ExcludedRows
from reverse_etl.report import Counts, RunReport, Status
from reverse_etl.run.plan import make_plan
from reverse_etl_tests.faults.completed import ended
from reverse_etl_tests.faults.runs import Case, World, new_world
from reverse_etl_tests.faults.shop import settings


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A workspace that answers as often as it is asked."""
    with new_world(tmp_path_factory.mktemp("shaping")) as world:
        yield world


def shaped(world: World, kind: str = "people", *, rows: int = 6, **keys: Any) -> Case:
    """A sync of rows whose plans are a, b, a, b …, with keys of its file added."""
    case = world.case(kind, random.Random(1), rows=rows, items=2)  # noqa: S311 - repeatable
    case.workspace = case.workspace.model_copy(update={"app_api_key": None})
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET plan = CASE rowid % 2 WHEN 1 THEN 'a' ELSE 'b' END, visits = rowid")
    return ask(case, **keys)


def ask(case: Case, **keys: Any) -> Case:
    """Changes the sync's file."""
    keys = {**settings(case.kind), **keys}
    case.sync = parse_sync(case.name, {"database": "shop", "workspace": "main", "schedule": "manual", **keys})
    return case


def people(case: Case) -> dict[str, Any]:
    """Everyone in the workspace, with one attribute."""
    return {person["id"]: person["attributes"].get("plan") for person in case.sandbox.people()}


def counts(report: RunReport) -> Counts:
    """Of the rows."""
    return report.streams["rows"]


def test_rows_that_where_leaves_out_are_excluded(world: World) -> None:
    """Counted, no failed rows, and not there; the run is completed."""
    case = shaped(world, where={"plan": {"is_not": "a"}, "visits": {"at_least": 3}})
    report = ended(case.run())
    assert (Status.COMPLETED, Counts(6, delivered=2, excluded=4)) == (report.status, counts(report))
    assert (ExcludedRows("filtered", 4, "it does not meet `where`."),) == report.excluded_by
    assert {"filtered": 4} == report.as_json()["excluded_by"]
    assert {"p4": "b", "p6": "b"} == people(case)


def test_no_row_is_kept(world: World) -> None:
    """Nothing is sent."""
    case = shaped(world, where={"plan": "c"})
    report = ended(case.run())
    assert (Status.COMPLETED, Counts(6, excluded=6)) == (report.status, counts(report))
    assert {} == people(case)


def test_checks_do_not_see_rows_that_are_left_out(world: World) -> None:
    """Neither checks of a row nor those across rows: a row that is left out is no duplicate."""
    case = shaped(world, where={"plan": "a"}, checks=[{"accepted_values": {"column": "plan", "values": ["a"]}}])
    with case.shop.changing() as database:
        database.execute("INSERT INTO shop (id, email, plan, visits) VALUES ('p1', 'other@example.com', 'b', 9)")
        database.execute("INSERT INTO shop (id, email, plan, visits) VALUES (NULL, 'none@example.com', 'b', 9)")
    report = ended(case.run())
    assert (Status.COMPLETED, Counts(8, delivered=3, excluded=5)) == (report.status, counts(report))


@pytest.mark.parametrize(
    ("check", "message"),
    [
        ({"row_count": {"min": 4}}, "3 rows to check, fewer than 4."),
        ({"max_failed_rows": {"limit": "20%"}}, "1 of 3 rows failed, more than the 20% allowed."),
    ],
)
def test_gates_count_the_rows_that_are_kept(world: World, check: dict[str, Any], message: str) -> None:
    """Neither numbers nor shares have those that are left out."""
    checks = [check, {"in_range": {"column": "visits", "max": 4}}]
    report = ended(shaped(world, where={"plan": "a"}, checks=checks).run())
    assert Status.FAILED is report.status
    assert message in report.message


def test_a_row_keeps_the_number_that_it_has_in_the_query(world: World) -> None:
    """Failed rows of the checks and of the workspace, beside rows that are left out."""
    case = shaped(world, where={"plan": "b"}, checks=[{"in_range": {"column": "visits", "max": 5}}])
    case.sandbox.faults([{"match": {"path": "/api/v2/batch"}, "always": True, "do": {"refuse_items": {"ids": ["p4"]}}}])
    report = ended(case.run())
    case.sandbox.clear_faults()
    assert Counts(6, delivered=1, rejected=1, refused=1, excluded=3) == counts(report)
    rows = {(row.row_number, row.identifier, row.stage) for row in _failed(case, report)}
    assert {(6, "p6", "check"), (4, "p4", "customerio")} == rows


def test_relationships_have_conditions_of_their_own(world: World) -> None:
    """Beside those of the rows."""
    keys = settings("related")
    people = {"identify_by": "id"}
    case = shaped(
        world, "related", people=people, relationships={**keys["relationships"], "where": {"object_id": "o1"}}
    )
    report = ended(case.run())
    assert Status.COMPLETED is report.status
    assert Counts(6, delivered=2, excluded=4) == report.streams["relationships"]
    assert Counts(6, delivered=6) == counts(report)


def test_compared_rows_that_no_longer_meet_where_are_not_sent(world: World) -> None:
    """Of what is compared, too; what `where` means now is what the next run sends."""
    keys: dict[str, Any] = {"changes": {"by": "compare"}, "query": "SELECT id, email, plan, visits FROM shop"}
    case = shaped(world, where={"plan": "a"}, **keys)
    assert Counts(6, delivered=3, excluded=3) == counts(ended(case.run()))
    assert Counts(6, unchanged=3, excluded=3) == counts(ended(case.run()))
    ask(case, where={"visits": {"at_least": 2}}, **keys)
    planned = make_plan(case.sync, case.home, case.store, case.database, case.workspace)
    assert (3, 1) == (planned.streams["rows"].to_send, planned.streams["rows"].excluded)
    assert Counts(6, delivered=3, unchanged=2, excluded=1) == counts(ended(case.run()))


def test_nobody_is_gone_because_every_row_is_left_out(world: World) -> None:
    """As where the query returns no row: nothing is sent, and the message says how they may go."""
    gone = {"identify_by": "id", "gone": "delete", "gone_wait": "0s", "gone_max": "100%", "gone_max_rows": 1_000}
    query = "SELECT id, email, plan, visits FROM shop"
    keys: dict[str, Any] = {"changes": {"by": "compare"}, "query": query, "people": gone}
    case = shaped(world, **keys)
    assert Counts(6, delivered=6) == counts(ended(case.run()))
    ask(case, where={"plan": "c"}, **keys)
    report = ended(case.run())
    assert Status.FAILED is report.status
    assert "every row was left out, so 6 of 6 known people are gone" in report.message
    assert 6 == len(case.sandbox.people())


def test_named_rows_are_shaped_too(world: World) -> None:
    """`--only`: one that does not meet `where` is found, and left out."""
    from reverse_etl.run.named_rows import keep_identifiers

    case = shaped(world, where={"plan": "a"})
    chosen = keep_identifiers(case.home, case.store, case.name, ["p1", "p2", "p99"])
    report = ended(case.run(scope=Scope(only=chosen)))
    assert Counts(3, delivered=1, excluded=1, rejected=1) == counts(report)


def test_carried_rows_are_shaped_too(world: World) -> None:
    """A row that failed and does not meet `where` any more is carried no longer."""
    checks = [{"accepted_values": {"column": "plan", "values": ["a", "b"]}}]
    keys: dict[str, Any] = {"checks": checks, "failed_rows": "carry", "where": {"visits": {"at_most": 10}}}
    keys["query"] = "SELECT id, email, plan, visits FROM shop WHERE updated_at >= {{last_sync_time}} ORDER BY rowid"
    case = shaped(world, **keys)
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET plan = 'bad' WHERE rowid <= 2")
    assert Counts(6, delivered=4, rejected=2) == counts(ended(case.run()))
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET plan = 'a', updated_at = 0, visits = CASE rowid WHEN 1 THEN 1 ELSE 20 END")
    report = ended(case.run())
    assert (Status.COMPLETED, Counts(2, delivered=1, excluded=1)) == (report.status, counts(report))
    assert report.carried is not None
    assert 0 == report.carried.left


COLUMNS: dict[str, Any] = {
    "id": {"template": "c-{id}"},
    "email": {"column": "email", "then": ["trim", "lower"]},
    "plan": {"column": "plan", "then": "upper"},
    "source": {"value": "shop"},
}


def test_columns_are_what_is_sent(world: World) -> None:
    """And nothing else; the check sees them too."""
    case = shaped(world, columns=COLUMNS, checks=[{"accepted_values": {"column": "plan", "values": ["A", "B"]}}])
    assert Status.COMPLETED is ended(case.run()).status
    [person] = [each for each in case.sandbox.people() if each["id"] == "c-p3"]
    attributes = {key: value for key, value in person["attributes"].items() if not key.startswith("cio")}
    assert {"plan": "A", "source": "shop"} == {key: attributes[key] for key in ("plan", "source")}
    assert ("p3@example.com", False) == (person["email"], "visits" in attributes)


def test_a_value_that_cannot_be_converted_rejects_its_row(world: World) -> None:
    """A failed row with the column, called as the query calls it; last sync time stays; corrected, it arrives."""
    case = shaped(
        world, columns={"id": {"column": "email", "as": "text"}, "visits": {"column": "plan", "as": "integer"}}
    )
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET plan = CASE rowid WHEN 2 THEN 'secret-value' ELSE '7' END")
    report = ended(case.run())
    assert (Status.SOME_ROWS_FAILED, Counts(6, delivered=5, rejected=1)) == (report.status, counts(report))
    [row] = _failed(case, report)
    assert (2, "p2@example.com", "columns") == (row.row_number, row.identifier, row.stage)
    message = "column `visits` cannot be made: the value of `plan` is not a whole number of 64 bits."
    assert ("not_convertible", "visits", message) == row.why
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET plan = '8'")
    assert Counts(1, delivered=1) == counts(ended(case.run(scope=Scope(retry_of=report.run_id))))


@pytest.mark.parametrize(
    "key", [{"column": "id", "then": "upper"}, {"template": "{id}!"}, "email"], ids=["upper", "template", "renamed"]
)
@pytest.mark.parametrize("fails_while", ["shaped", "checked"])
def test_rows_that_failed_are_found_again(world: World, key: Any, fails_while: str) -> None:
    """By what the query has, or by what was made of it; carried and retried."""
    keys: dict[str, Any] = {"failed_rows": "carry", "columns": {"id": key, "plan": "plan"}}
    if fails_while == "shaped":
        keys["columns"]["plan"] = {"column": "plan", "as": "integer"}
    else:
        keys["checks"] = [{"accepted_values": {"column": "plan", "values": ["1", "2"]}}]
    keys["query"] = "SELECT id, email, plan, visits FROM shop WHERE updated_at >= {{last_sync_time}} ORDER BY rowid"
    case = shaped(world, **keys)
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET plan = CASE rowid WHEN 2 THEN 'bad' ELSE '1' END")
    first = ended(case.run())
    assert Counts(6, delivered=5, rejected=1) == counts(first)
    lost = fails_while == "shaped" and isinstance(key, dict) and "template" in key
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET plan = '2', updated_at = 0")
    assert Counts(1, delivered=1) == counts(ended(case.run(scope=Scope(retry_of=first.run_id))))
    if not lost:
        report = ended(case.run())
        assert (Status.COMPLETED, Counts(1, delivered=1)) == (report.status, counts(report))


@pytest.mark.thorough
def test_a_row_that_cannot_be_shaped_is_not_gone(world: World) -> None:
    """Nobody is while there is one: whose it is may not be known."""
    keys: dict[str, Any] = {"changes": {"by": "compare"}, "query": "SELECT id, email, plan, visits FROM shop"}
    case = shaped(world, columns={"id": "id", "plan": "plan", "n": {"column": "visits", "as": "integer"}}, **keys)
    assert Counts(6, delivered=6) == counts(ended(case.run()))
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET visits = 'many' WHERE rowid = 2")
    assert Counts(6, rejected=1, unchanged=5) == counts(ended(case.run()))
    planned = make_plan(case.sync, case.home, case.store, case.database, case.workspace)
    assert planned.streams["rows"].gone is None
    assert {"not_convertible": 1} == planned.streams["rows"].rejected_by
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET visits = 2 WHERE rowid = 2")
    assert Counts(6, unchanged=6) == counts(ended(case.run()))


PYTHON = """\
def transform(row):
    if row["visits"] == 5:
        raise ValueError(row["id"])
    if row["visits"] == 6:
        return None
    return {"id": "c-" + row["id"], "plan": row["plan"].upper(), "visits": row["visits"] * 2}
"""
JAVASCRIPT = """\
function transform(row) {
  if (row.visits === 5) throw new Error(row.id);
  if (row.visits === 6) return null;
  return { id: "c-" + row.id, plan: row.plan.toUpperCase(), visits: row.visits * 2 };
}
"""


@pytest.mark.thorough
@pytest.mark.parametrize(("name", "source"), [("t.py", PYTHON), ("t.js", JAVASCRIPT)])
def test_rows_go_through_a_function(world: World, tmp_path: Path, name: str, source: str) -> None:
    """After `where`, before `columns`; one that it fails for is a failed row, one without a result is left out."""
    (tmp_path / name).write_text(source)
    columns = {"id": "id", "plan": "plan", "twice": "visits"}
    case = shaped(world, where={"visits": {"more_than": 1}}, transform=str(tmp_path / name), columns=columns)
    report = ended(case.run())
    assert (Status.SOME_ROWS_FAILED, Counts(6, delivered=3, rejected=1, excluded=2)) == (report.status, counts(report))
    found = {each["id"]: (each["attributes"]["plan"], each["attributes"]["twice"]) for each in case.sandbox.people()}
    assert {"c-p2": ("B", 4), "c-p3": ("A", 6), "c-p4": ("B", 8)} == found
    [row] = _failed(case, report)
    assert (5, "p5", "transform", "transform_failed") == (row.row_number, row.identifier, row.stage, row.why.reason)
    line, error = {"t.py": (3, "ValueError"), "t.js": (2, "Error")}[name]
    assert f"{tmp_path / name}:{line}: the transform raised {error}." == row.why.message
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET visits = 9 WHERE rowid = 5")
    assert Counts(1, delivered=1) == counts(ended(case.run(scope=Scope(retry_of=report.run_id))))
    assert 4 == len(case.sandbox.people())


@pytest.mark.thorough
def test_rows_that_a_function_renames_are_carried_by_either_name(world: World, tmp_path: Path) -> None:
    """One that it failed for has the query's, one that a check rejected the function's."""
    (tmp_path / "t.py").write_text(PYTHON)
    keys: dict[str, Any] = {"failed_rows": "carry", "transform": str(tmp_path / "t.py")}
    keys["query"] = "SELECT id, email, plan, visits FROM shop WHERE updated_at >= {{last_sync_time}} ORDER BY rowid"
    keys["checks"] = [{"accepted_values": {"column": "plan", "values": ["A", "B"]}}]
    case = shaped(world, **keys)
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET plan = 'bad' WHERE rowid = 1")
    first = ended(case.run())
    assert Counts(6, delivered=3, rejected=2, excluded=1) == counts(first)
    assert {"c-p1", "p5"} == {row.identifier for row in _failed(case, first)}
    assert Counts(2, rejected=2) == counts(ended(case.run()))
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET plan = 'a', visits = 1, updated_at = 0 WHERE rowid IN (1, 5)")
    assert (Status.COMPLETED, Counts(2, delivered=2)) == ((again := ended(case.run())).status, counts(again))


@pytest.mark.thorough
def test_a_changed_file_is_a_changed_sync(world: World, tmp_path: Path) -> None:
    """Its version differs, and the next run says so."""
    (tmp_path / "t.py").write_text("def transform(row):\n    return row\n")
    query = "SELECT id, email, plan, visits FROM shop WHERE updated_at >= {{last_sync_time}} ORDER BY rowid"
    case = shaped(world, transform=str(tmp_path / "t.py"), query=query)
    before = case.sync.version
    assert Status.COMPLETED is ended(case.run()).status
    (tmp_path / "t.py").write_text("def transform(row):\n    return {**row, 'more': 1}\n")
    ask(case, transform=str(tmp_path / "t.py"), query=query)
    assert before != case.sync.version
    assert "transform changed since the last completed run" in ended(case.run()).message


@pytest.mark.thorough
def test_no_row_has_a_result(world: World, tmp_path: Path) -> None:
    """Nothing is sent, and the run says why."""
    (tmp_path / "t.py").write_text("def transform(row):\n    return None\n")
    report = ended(shaped(world, transform=str(tmp_path / "t.py")).run())
    assert (Status.COMPLETED, Counts(6, excluded=6)) == (report.status, counts(report))
    (tmp_path / "t.py").write_text("def transform(row):\n    return row['x']\n")
    report = ended(shaped(world, transform=str(tmp_path / "t.py"), columns={"id": "id", "n": "other"}).run())
    assert Counts(6, rejected=6) == counts(report)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("return {'__left__': 1, **row}", "there is a column named `__left__`"),
        ("return {**row, **{f'k{n}': n for n in range(2001)}}", "more than 2,000 different keys"),
        ("return {'name': row['id']}", "the transform returned no `id` for any row. It returned: name."),
    ],
)
def test_what_a_function_returns_must_be_rows(world: World, tmp_path: Path, source: str, message: str) -> None:
    """Otherwise the run ends before anything is sent."""
    (tmp_path / "t.py").write_text(f"def transform(row):\n    {source}\n")
    report = ended(shaped(world, transform=str(tmp_path / "t.py")).run())
    assert (Status.FAILED, 2) == (report.status, report.exit_code)
    assert message in report.message


def test_keys_that_only_later_rows_have_are_columns_of_all(tmp_path: Path) -> None:
    """Each part has them, in one order, without values where there were none."""
    parts = Parts(tmp_path / "rows", "rows")
    first = pa.record_batch({"id": [1, 2], ROW_NUMBER: [1, 2]})
    second = pa.record_batch({"id": [3], "more": ["x"], ROW_NUMBER: [3]})
    parts.write([first, second])
    complete(parts, ["id", "more"])
    assert [["id", "more", ROW_NUMBER]] * 2 == [batch.schema.names for batch in parts.batches()]
    assert [None, None, "x"] == [value for batch in parts.batches() for value in batch.column("more").to_pylist()]
    assert (schema := parts.schema()) is not None
    assert pa.string() == schema.field("more").type


def _failed(case: Case, report: RunReport) -> list[Any]:
    return list(case.home.run_folder(case.name, report.run_id).failed())
