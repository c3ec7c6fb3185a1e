"""The values that a destination acknowledged are those that it has, and a plan names the attributes that differ."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from reverse_etl.changes import enter_values
from reverse_etl.changes.compare import parquet
from reverse_etl.changes.generation import Generations, Made
from reverse_etl.changes.values import UNKNOWN, columns, latest_values
from reverse_etl.changeset.scope import Scope
from reverse_etl.config.inline import parse_sync
from reverse_etl.errors import ConfigProblemsError
from reverse_etl.files.scratch import scratch_in
from reverse_etl.report import Status
from reverse_etl.run.acknowledged import remembered_streams
from reverse_etl.run.plan import make_plan
from reverse_etl.run.planned import Plan
from reverse_etl.state.snapshots import snapshot_of
from reverse_etl_tests.faults.completed import ended
from reverse_etl_tests.faults.runs import Case
from reverse_etl_tests.faults.shop import compared as compared_settings
from reverse_etl_tests.run.test_compare import ROWS, change, compared, of_rows, plan_of, sent
from reverse_etl_tests.servers.sandbox import RunningSandbox

PLACES = {"database": "shop", "workspace": "main", "schedule": "manual"}


def remembering(case: Case, **people: Any) -> Case:
    """The same case with a sync that remembers values."""
    settings = compared_settings(case.kind)
    section = "objects" if case.kind == "objects" else "people"
    changes = {"changes": {"by": "compare", "keep": "30d"}}
    case.sync = parse_sync(case.name, PLACES | settings | changes | {section: settings[section] | people})
    return case


@pytest.fixture
def case(tmp_path: Path, sandbox: RunningSandbox) -> Case:
    """A sync of people that remembers values, and has completed once."""
    case = remembering(compared(tmp_path, sandbox))
    assert Status.COMPLETED is ended(case.run()).status
    return case


def planned(case: Case, *, values: bool = False, full: bool = False) -> Plan:
    """The plan of the case's next run."""
    scope = Scope(full=full)
    return make_plan(case.sync, case.home, case.store, case.database, case.workspace, scope=scope, with_values=values)


def made_of(case: Case) -> tuple[Generations, Made]:
    """The files that count, and what they are of."""
    generations = Generations(case.home.snapshots / case.name)
    snapshot = snapshot_of(case.store, case.name)
    made = generations.made(snapshot.generation, snapshot.made_by)
    assert made is not None
    return generations, made


def remembered(case: Case) -> dict[str, dict[str, str | None]]:
    """What is remembered of each row, by its key: the JSON text of each attribute."""
    generations, made = made_of(case)
    names = made.attributes["rows"]
    files = generations.needed_values(made, "rows")
    assert files
    with scratch_in(case.home.path / "looked") as database:
        chosen = ", ".join(("key", *columns(names)))
        there_now = parquet(generations.stream(snapshot_of(case.store, case.name).generation, "rows"))
        known = f"{latest_values(files, names, database)} SEMI JOIN {there_now} USING (kh, kl)"
        found = database.execute(f"SELECT {chosen} FROM {known}").fetchall()
    return {key: dict(zip(names, texts, strict=True)) for key, *texts in found}


def there(case: Case) -> dict[str, dict[str, str]]:
    """What the workspace has of each row, by its key, as JSON text."""
    if case.kind == "objects":
        held = {f'1 "{each["object_id"]}"': each["attributes"] for each in case.sandbox.objects()}
    else:
        known = {each["id"]: {"email": each["email"], **each["attributes"]} for each in case.sandbox.people()}
        held = {json.dumps(key): attributes for key, attributes in known.items()}
    return {
        key: {name: json.dumps(value, ensure_ascii=False) for name, value in attributes.items() if value is not None}
        for key, attributes in held.items()
    }


def items(case: Case) -> list[dict[str, Any]]:
    """The items of the batches that the workspace was sent."""
    return [
        item for request in case.sandbox.requests() if "batch" in request["path"] for item in request["body"]["batch"]
    ]


def require_equal(case: Case, *, may_hold_more: bool = False) -> None:
    """What is remembered is what is there, for every attribute that is not in doubt.

    Args:
        case: Whose.
        may_hold_more: Whether the workspace may have a value where nothing was acknowledged since the key was new.
    """
    held = there(case)
    for key, texts in remembered(case).items():
        known = {name: text for name, text in texts.items() if text != UNKNOWN and not (may_hold_more and text is None)}
        assert {name: text for name, text in known.items() if text not in (None, '""', "null")} == {
            name: text for name, text in held.get(key, {}).items() if name in known
        }, key


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["people", "objects"])
@pytest.mark.parametrize("empty_values", ["ignore", "delete"])
def test_remembered_values_are_those_that_the_workspace_has(
    kind: str, empty_values: str, tmp_path: Path, sandbox: RunningSandbox
) -> None:
    """Over runs with changes to and fro, NULL, refusals and lost answers; in the end nothing is in doubt."""
    case = remembering(compared(tmp_path, sandbox, kind), empty_values=empty_values)
    chance = random.Random(f"{kind} {empty_values}")  # noqa: S311 - repeatable
    batch = {"path": "/api/v2/batch"}
    for _ in range(8):
        for number in chance.sample(range(1, ROWS + 1), 3):
            change(case, number, chance.choice(["free", "pro", None]))
        faults: list[dict[str, Any]] = [
            {"match": batch, "always": True, "do": {"refuse_items": {"ids": ["p2"]}}},
            {"match": batch, "times": 1, "do": {"status": 500, "apply": True}},
            {"match": batch, "skip": 1, "always": True, "do": {"status": 401, "apply": True}},
        ]
        case.sandbox.faults(chance.sample(faults, chance.choice([0, 1, 2])))
        if chance.random() < 0.5:
            case.sync = case.sync.model_copy(update={"version": str(chance.random())})
        case.run()
        if snapshot_of(case.store, case.name).generation and not snapshot_of(case.store, case.name).sending:
            require_equal(case)
    case.sandbox.clear_faults()
    for _ in range(2):
        assert Status.COMPLETED is ended(case.run()).status
    require_equal(case)
    assert (Status.COMPLETED, 0, 0, ROWS) == of_rows(ended(case.run()))


@pytest.mark.parametrize("how", ["changed", "deleted", "gone", "forgotten"])
def test_a_value_from_before_is_sent_where_another_one_or_none_may_be_there(
    how: str, tmp_path: Path, sandbox: RunningSandbox
) -> None:
    """After a change, a deletion by a column or by absence without an answer, and after one that was acknowledged.

    In between the row is sent without the attribute, so that nothing new was acknowledged of it.
    """
    case = compared(tmp_path, sandbox)
    settings = compared_settings("people") | {"changes": {"by": "compare"}}
    settings["people"] |= {"gone": "delete", "gone_wait": "0s", "send": "changed_attributes"}
    settings["query"] = "SELECT id, email, nullif(plan, 'bye') AS plan, visits, plan = 'bye' AS deleted FROM shop"
    case.sync = parse_sync(case.name, PLACES | settings)
    change(case, 3, "silver")
    assert Status.COMPLETED is ended(case.run()).status
    if how in ("gone", "forgotten"):
        with case.shop.changing() as database:
            row = database.execute("SELECT * FROM shop WHERE rowid = 3").fetchone()
            database.execute("DELETE FROM shop WHERE rowid = 3")
    else:
        change(case, 3, "gold" if how == "changed" else "bye")
    if how != "forgotten":
        lost = {"match": {"path": "/api/v2/batch"}, "always": True, "do": {"status": 401, "apply": True}}
        case.sandbox.faults([lost])
        assert Status.FAILED is ended(case.run()).status
        case.sandbox.clear_faults()
        case.sync = case.sync.model_copy(update={"version": "another"})
    else:
        assert Status.COMPLETED is ended(case.run()).status
    assert ('"gold"' if how == "changed" else None) == there(case).get('"p3"', {}).get("plan")
    if how in ("gone", "forgotten"):
        with case.shop.changing() as database:
            database.execute("INSERT INTO shop (rowid, id, email, plan, visits) VALUES (3, ?, ?, NULL, 1)", row[:2])
    else:
        change(case, 3, None)
    assert (Status.COMPLETED, 1) == of_rows(ended(case.run()))[:2]
    require_equal(case)
    change(case, 3, "silver")
    assert (Status.COMPLETED, 1) == of_rows(ended(case.run()))[:2]
    assert "silver" == plan_of(case, 3)
    require_equal(case)


_WAS = "CASE WHEN s.what <> 'added' THEN o.{name} END"

_MARKS = ("n ON o.kh = n.kh AND o.kl = n.kl", "n ON o.kh = n.kh AND o.kl = n.kl WHERE false")
"""What notes the rows that a run removed: an earlier release did not."""

RULES = {
    "changed": [(f"THEN {_WAS} ELSE '{UNKNOWN}' END", f"THEN {_WAS} ELSE {_WAS} END")],
    "deleted": [(f"CASE WHEN {_WAS} IS NOT NULL THEN '{UNKNOWN}' END", _WAS)],
    "gone": [("WHERE n.rh IS NULL AND b.rh IS NOT NULL", "WHERE false")],
    "forgotten": [_MARKS, (_WAS, "o.{name}")],
}
"""By the scenario that needs it, the words of the query that are a rule of unknown values, and those without it."""


def leave_out(patch: pytest.MonkeyPatch, rules: list[tuple[str, str]]) -> None:
    """Lets values be entered without some words of the query, of which each has to be there."""
    real = enter_values._entries

    def entries(answered: str, old: str, names: Any, **named: Any) -> str:
        whole = query = real(answered, old, names, **named)
        if named["before"] is None:
            return whole
        # Those that name no attribute are there once.
        words = {(old.format(name=name), new.format(name=name)) for name in names for old, new in rules}
        for with_it, without in words:
            if with_it not in whole:
                raise ValueError(f"the rule is written in other words: {with_it}")
            query = query.replace(with_it, without)
        return query

    patch.setattr(enter_values, "_entries", entries)


@pytest.mark.thorough
@pytest.mark.parametrize("how", RULES)
def test_without_any_rule_a_value_from_before_is_taken_for_the_one_that_is_there(
    how: str, tmp_path: Path, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is needed: left out, the scenario that it is for fails."""
    leave_out(monkeypatch, RULES[how])
    with pytest.raises(AssertionError):
        test_a_value_from_before_is_sent_where_another_one_or_none_may_be_there(how, tmp_path, sandbox)


@pytest.mark.thorough
def test_a_key_that_comes_back_starts_from_nothing_in_files_of_an_earlier_release(
    tmp_path: Path, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It did not note which rows a run removed."""
    leave_out(monkeypatch, [_MARKS])
    test_a_value_from_before_is_sent_where_another_one_or_none_may_be_there("forgotten", tmp_path, sandbox)


@pytest.mark.thorough
@pytest.mark.parametrize("gone", ["delete", "clear", {"set": {"visits": 0}}], ids=["delete", "clear", "set"])
def test_values_of_who_is_gone_and_comes_back_are_those_that_the_workspace_has(
    gone: Any, tmp_path: Path, sandbox: RunningSandbox
) -> None:
    """By rows that vanish and by a column `deleted`, with lost answers: what was there before is nothing to rely on."""
    case = compared(tmp_path, sandbox)
    chance = random.Random(f"gone {gone}")  # noqa: S311 - repeatable
    settings = compared_settings("people") | {"changes": {"by": "compare", "keep": "30d"}}
    settings["people"] |= {"gone": gone, "gone_wait": "0s", "send": "changed_attributes"}
    settings["query"] = "SELECT id, email, nullif(plan, 'bye') AS plan, visits, plan = 'bye' AS deleted FROM shop"
    case.sync = parse_sync(case.name, PLACES | settings)
    rows = {row.number: row for row in case.shop.rows()}
    batch = {"path": "/api/v2/batch"}
    for step in range(14):
        with case.shop.changing() as database:
            for number in chance.sample(range(1, ROWS + 1), 3):
                database.execute("DELETE FROM shop WHERE rowid = ?", [number])
                if chance.random() < 0.7:
                    plan, row = chance.choice(["a", "b", None, "bye"]), rows[number]
                    found = (number, row.id, row.email, plan, chance.randint(1, 2))
                    database.execute("INSERT INTO shop (rowid, id, email, plan, visits) VALUES (?, ?, ?, ?, ?)", found)
        faults: list[dict[str, Any]] = [
            {"match": batch, "times": 1, "do": {"status": 500, "apply": True}},
            {"match": batch, "skip": chance.randint(0, 1), "always": True, "do": {"status": 401, "apply": True}},
        ]
        case.sandbox.faults(chance.sample(faults, chance.choice([0, 0, 1])))
        case.sync = case.sync.model_copy(update={"version": str(step)})
        case.run()
        if not snapshot_of(case.store, case.name).sending:
            # `set` leaves the other attributes of who is gone as they are, and nothing is remembered of them.
            require_equal(case, may_hold_more=isinstance(gone, dict))


def test_a_plan_names_the_attributes_that_differ(case: Case) -> None:
    """How many rows each, and the first rows by number; keys and values only where they are wanted."""
    for number in (3, 5):
        change(case, number, "gold")
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET visits = 7 WHERE rowid = 5")
    stream = planned(case).streams["rows"]
    assert ({"plan": 2, "visits": 1}, 2) == (stream.attributes, stream.changed)
    assert [(3, ("plan",), None, {}), (5, ("plan", "visits"), None, {})] == [
        (each.row_number, each.attributes, each.key, each.values) for each in stream.first
    ]
    shown = planned(case, values=True)
    [third, fifth] = shown.streams["rows"].first
    assert ("p3", '"gold"', "7") == (third.key, third.values["plan"][1], fifth.values["visits"][1])
    assert third.values["plan"][0] == there(case)['"p3"'].get("plan")


def test_an_attribute_that_becomes_null_is_left_as_it_is_and_the_row_is_unchanged(case: Case) -> None:
    """Under `empty_values: ignore` nothing is sent; afterwards the row is not looked at again."""
    change(case, 3, "gold")
    case.run()
    change(case, 3, None)
    assert (0, ROWS) == ((stream := planned(case).streams["rows"]).to_send, stream.unchanged)
    assert (Status.COMPLETED, 0, 0, ROWS) == of_rows(ended(case.run()))
    assert ('"gold"', "gold") == (remembered(case)['"p3"']["plan"], plan_of(case, 3))
    generation = snapshot_of(case.store, case.name).generation
    assert (Status.COMPLETED, 0, 0, ROWS) == of_rows(ended(case.run()))
    assert generation == snapshot_of(case.store, case.name).generation
    change(case, 3, "silver")
    assert {"plan": 1} == planned(case).streams["rows"].attributes


def test_values_are_learned_from_unchanged_rows_when_they_are_first_remembered(
    tmp_path: Path, sandbox: RunningSandbox
) -> None:
    """A sync that compared without values sends nothing for it, and knows them after one run."""
    case = compared(tmp_path, sandbox)
    assert Status.COMPLETED is ended(case.run()).status
    remembering(case)
    assert (Status.COMPLETED, 0, 0, ROWS) == of_rows(ended(case.run()))
    assert ROWS == len(remembered(case))
    require_equal(case)
    change(case, 3, "gold")
    assert {"plan": 1} == planned(case).streams["rows"].attributes


@pytest.mark.parametrize("lost", ["gone", "cut"])
def test_without_a_file_of_values_they_are_learned_again(case: Case, lost: str) -> None:
    """Fingerprints still say which rows differ, so that no other row is sent."""
    change(case, 3, "gold")
    case.run()
    oldest = case.home.snapshots / case.name / "g000001" / "rows.values.parquet"
    if lost == "gone":
        oldest.unlink()
    else:
        oldest.write_bytes(oldest.read_bytes()[:-9])
    change(case, 4, "gold")
    assert (Status.COMPLETED, 1, 0, ROWS - 1) == of_rows(ended(case.run()))
    assert ROWS == len(remembered(case))
    require_equal(case)


def test_values_lie_in_few_files(case: Case) -> None:
    """Above a quarter of the rows in newer files, all are written into one; those of one run lie there alone."""
    change(case, 3, "gold")
    case.run()
    assert ["1", "2"] == list(made_of(case)[1].values["rows"])
    for number in (4, 5):
        change(case, number, "gold")
    case.run()
    assert ["3"] == list(made_of(case)[1].values["rows"])
    require_equal(case)
    assert ROWS == len(remembered(case))


def test_a_machine_without_the_files_fetches_them(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where machines share their files, values are among them."""
    monkeypatch.setenv("REVERSE_ETL_STORAGE_URL", str(tmp_path / "shared"))
    monkeypatch.setenv("REVERSE_ETL_SECRET", "0123456789abcdef")
    case.run()
    change(case, 3, "gold")
    case.run()
    shutil.rmtree(case.home.snapshots)
    change(case, 3, "silver")
    assert {"plan": 1} == planned(case).streams["rows"].attributes


def test_an_attribute_that_left_the_query_is_named(case: Case) -> None:
    """It stays in the workspace; the plan says so, and no row is sent for it."""
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET plan = 'gold'")
    case.run()
    settings = compared_settings("people") | {"query": "SELECT id, email, visits FROM shop"}
    case.sync = parse_sync(case.name, PLACES | settings | {"changes": {"by": "compare", "keep": "30d"}})
    stream = planned(case).streams["rows"]
    assert (("plan",), 0, ROWS) == (stream.removed, stream.to_send, stream.unchanged)


@pytest.mark.thorough
@pytest.mark.parametrize(("kind", "send"), [("people", "changed_attributes"), ("objects", "whole_rows")])
def test_an_attribute_that_left_the_query_is_cleared_once_where_that_is_wanted(
    kind: str, send: str, tmp_path: Path, sandbox: RunningSandbox
) -> None:
    """Of rows that have it, changed or not, also after a time of keeping it; a row in doubt is sent whole with it."""
    case = compared(tmp_path, sandbox, kind)
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET plan = CASE WHEN rowid > 2 THEN 'gold' END")
    remembering(case)
    assert Status.COMPLETED is ended(case.run()).status
    columns_ = "id AS object_id, visits" if kind == "objects" else "id, email, visits"
    section = "objects" if kind == "objects" else "people"
    fewer = compared_settings(kind) | {"query": f"SELECT {columns_} FROM shop"}
    fewer["changes"] = {"by": "compare", "keep": "30d"}
    case.sync = parse_sync(case.name, PLACES | fewer)
    assert (Status.COMPLETED, 0, 0, ROWS) == of_rows(ended(case.run()))
    fewer[section] |= {"removed_attributes": "clear", "send": send}
    case.sync = parse_sync(case.name, PLACES | fewer)
    change(case, 3, "silver")
    stream = planned(case).streams["rows"]
    assert (ROWS - 2, {"plan": ROWS - 2}) == (stream.to_send, stream.attributes)
    whole = planned(case, full=True).streams["rows"]
    assert (ROWS, 0, {}) == (whole.in_doubt, whole.changed, whole.attributes)
    batch = {"path": "/api/v2/batch"}
    case.sandbox.faults([{"match": batch, "skip": 1, "always": True, "do": {"status": 401}}])
    many = len(items(case))
    assert Status.FAILED is ended(case.run()).status
    case.sandbox.clear_faults()
    case.sync = case.sync.model_copy(update={"version": "another"})
    assert (Status.COMPLETED, ROWS - 4, 0, 4) == of_rows(ended(case.run()))
    assert not any("plan" in texts for texts in there(case).values())
    first = items(case)[many]["attributes"]
    assert ("" if kind == "people" else None) == first["plan"]
    assert ({"plan"} if send == "changed_attributes" else {"plan", *texts_of(kind)}) == set(first)
    require_equal(case)
    assert (Status.COMPLETED, 0, 0, ROWS) == of_rows(ended(case.run()))
    assert not planned(case).streams["rows"].removed


def texts_of(kind: str) -> set[str]:
    """The attributes that are left in the query."""
    return {"visits"} if kind == "objects" else {"email", "visits"}


def test_the_id_of_a_person_is_not_cleared(tmp_path: Path, sandbox: RunningSandbox) -> None:
    """It was an attribute of people by e-mail: an empty one would be refused."""
    case = compared(tmp_path, sandbox)
    settings = compared_settings("people") | {"changes": {"by": "compare"}}
    settings["people"] = {"identify_by": "email", "removed_attributes": "clear"}
    case.sync = parse_sync(case.name, PLACES | settings)
    assert Status.COMPLETED is ended(case.run()).status
    settings["query"] = "SELECT email, plan, visits FROM shop"
    case.sync = parse_sync(case.name, PLACES | settings)
    assert (Status.COMPLETED, 0, 0, ROWS) == of_rows(ended(case.run()))


def test_without_values_no_value_lies_in_the_store(tmp_path: Path, sandbox: RunningSandbox) -> None:
    """With them, they lie in the files of values alone."""
    case = compared(tmp_path, sandbox)
    change(case, 3, "planted")
    case.run()
    assert not files_with(case, "planted")
    remembering(case)
    change(case, 4, "planted")
    case.run()
    assert {"rows.values.parquet"} == files_with(case, "planted")


def files_with(case: Case, text: str) -> set[str]:
    """The names of the store's files that hold a text, decompressed."""
    found = set()
    for path in (case.home.snapshots / case.name).rglob("*.*"):
        content = str(pq.read_table(path).to_pylist()) if path.suffix == ".parquet" else path.read_text()
        found |= {path.name} if text in content else set()
    return found


@pytest.mark.parametrize("kind", ["people", "objects"])
def test_of_a_changed_row_the_attributes_that_differ_are_sent(
    kind: str, tmp_path: Path, sandbox: RunningSandbox
) -> None:
    """Also after a crash, by the run that goes on; what somebody else wrote into another attribute stays."""
    case = remembering(compared(tmp_path, sandbox, kind), send="changed_attributes")
    assert Status.COMPLETED is ended(case.run()).status
    change(case, 3, "gold")
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET visits = 7 WHERE rowid IN (4, 5)")
    plan = planned(case)
    before, many = len(sent(case)), len(items(case))
    case.sandbox.faults([{"match": {"path": "/api/v2/batch"}, "skip": 1, "always": True, "do": {"status": 401}}])
    stopped = case.run()
    assert (Status.FAILED, before + 2) == (ended(stopped).status, len(sent(case)))
    case.sandbox.clear_faults()
    assert Status.COMPLETED is ended(case.run(root=stopped.root_run_id)).status
    after = items(case)[many:]
    narrowed = [{"plan": "gold"}, {"visits": 7}, {"visits": 7}, {"visits": 7}]
    assert narrowed == [item["attributes"] for item in after]
    assert sum(each.payload_bytes for each in plan.streams.values()) == sum(
        len(json.dumps(item, separators=(",", ":"))) for item in after[:3]
    )
    require_equal(case)
    assert (Status.COMPLETED, 0, 0, ROWS) == of_rows(ended(case.run()))


def test_a_row_in_doubt_is_sent_whole(case: Case) -> None:
    """What arrived of it is not known; afterwards it is known again, and narrowed."""
    remembering(case, send="changed_attributes")
    change(case, 3, "gold")
    batch = {"path": "/api/v2/batch"}
    case.sandbox.faults([{"match": batch, "always": True, "do": {"status": 401, "apply": True}}])
    case.run()
    case.sandbox.clear_faults()
    case.sync = case.sync.model_copy(update={"version": "another"})
    for plan, names in (("silver", {"email", "plan", "visits"}), ("free", {"plan"})):
        change(case, 3, plan)
        assert (Status.COMPLETED, 1, 0, ROWS - 1) == of_rows(ended(case.run()))
        item = items(case)[-1]
        assert names == set(item["attributes"])
        assert plan == plan_of(case, 3)
    require_equal(case)


def test_without_known_values_a_changed_row_is_sent_whole(case: Case) -> None:
    """When the file of values is lost: the run's message says so, and the next run knows them."""
    remembering(case, send="changed_attributes")
    (case.home.snapshots / case.name / "g000001" / "rows.values.parquet").unlink()
    change(case, 3, "gold")
    report = ended(case.run())
    assert (Status.COMPLETED, 1) == (report.status, report.total.delivered)
    assert "rows that changed are sent whole" in report.message
    assert {"email", "plan", "visits"} == set(items(case)[-1]["attributes"])
    change(case, 3, "silver")
    assert "sent whole" not in ended(case.run()).message
    assert {"plan"} == set(items(case)[-1]["attributes"])


def test_a_scope_of_some_rows_keeps_the_values_of_others(case: Case) -> None:
    """`--limit` reads two rows: of the others the values stay."""
    change(case, 1, "gold")
    case.run(scope=Scope(limit=2))
    assert ROWS == len(remembered(case))
    require_equal(case)


def test_what_the_log_names_is_remembered_and_nothing_is_cleared_by_it() -> None:
    """Values and changed attributes go with `by: log`; an attribute that left the query is cleared of everyone."""
    log = {"changes": {"by": "log", "tables": {"shop": "id"}, "keep": "30d"}, "query": "SELECT id, plan FROM shop"}
    sync = parse_sync("people", PLACES | log | {"people": {"identify_by": "id", "send": "changed_attributes"}})
    assert ["rows"] == [*remembered_streams(sync)]
    with pytest.raises(ConfigProblemsError, match="cleared of everyone, and the log names some"):
        parse_sync("people", PLACES | log | {"people": {"identify_by": "id", "removed_attributes": "clear"}})
