"""`failed_rows: carry`: rows that fail hold nothing back, and are read again until they are delivered or gone."""

from __future__ import annotations

import csv
import random
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reverse_etl.changeset.carried import MOST_CARRIED
from reverse_etl.changeset.scope import Scope
from reverse_etl.config.connections import RetentionConfig
from reverse_etl.config.inline import parse_sync
from reverse_etl.config.loader import load_project
from reverse_etl.files.storage import Storage
from reverse_etl.report import Carried, RunReport, Status
from reverse_etl.run import carry as carry_module
from reverse_etl.state.home import Home
from reverse_etl.state.retention import prune
from reverse_etl.state.syncs import sync_state
from reverse_etl_tests.faults.completed import ended
from reverse_etl_tests.faults.kills import Lines, kill, lines_of_a_whole_run
from reverse_etl_tests.faults.runs import Case, World, new_world
from reverse_etl_tests.faults.shop import settings
from reverse_etl_tests.project import SHOP, Project, people

BATCH = {"path": "/api/v2/batch"}
LONG_AGO = 100
PLANS = {"accepted_values": {"column": "plan", "values": ["a", "b", "c", "d", "e", "f"]}}
"""The check of these syncs: a plan `bad` is rejected."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A workspace that answers as often as it is asked."""
    with new_world(tmp_path_factory.mktemp("carry")) as world:
        yield world


def carrying(world: World, kind: str = "people", *, failed_rows: str = "carry", rows: int = 5) -> Case:
    """A sync of rows with plan `a`."""
    case = world.case(kind, random.Random(1), rows=rows, items=3)  # noqa: S311 - repeatable
    if kind != "related":
        # Nothing is read back then, which is not what these tests are about.
        case.workspace = case.workspace.model_copy(update={"app_api_key": None})
    put(case, dict.fromkeys(range(1, rows + 1), "a"))
    ask(case, failed_rows)
    return case


def ask(case: Case, failed_rows: str, **keys: Any) -> None:
    """Changes the sync's file."""
    keys = {**settings(case.kind), "checks": [PLANS], "failed_rows": failed_rows, **keys}
    case.sync = parse_sync(case.name, {"database": "shop", "workspace": "main", "schedule": "manual", **keys})


def put(case: Case, plans: dict[int, str | None]) -> None:
    """Gives rows another plan, as of now; None deletes one."""
    with case.shop.changing() as database:
        for number, plan in plans.items():
            if plan is None:
                database.execute("DELETE FROM shop WHERE rowid = ?", [number])
                continue
            database.execute(
                "UPDATE shop SET plan = ?, updated_at = unixepoch() WHERE rowid = ?",
                [plan, number],
            )


def run(case: Case, **options: Any) -> RunReport:
    """One run; then time passes, so that no row is one that changed."""
    report = ended(case.run(**options))
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET updated_at = ?", [LONG_AGO])
    return report


def plans(case: Case) -> dict[str, str]:
    """What has arrived."""
    return {person["id"]: person["attributes"].get("plan") for person in case.sandbox.people()}


def moved(case: Case) -> bool:
    """Whether last sync time is no longer 0."""
    return sync_state(case.store, case.name).last_sync_time > 0


def test_failed_rows_are_read_again_until_they_are_delivered(world: World) -> None:
    """With their newest values, whenever they changed, and beside what changed; last sync time moves all the while."""
    case = carrying(world)
    put(case, {2: "bad", 4: "bad"})
    report = run(case)
    assert (Status.SOME_ROWS_FAILED, 5, 3, 2) == (report.status, *counts(report))
    assert Carried(left=2) == report.carried
    assert moved(case)
    assert "2 of 5 rows failed, 3 were delivered; each run reads those that failed again until" in report.message
    report = run(case)
    assert (Status.SOME_ROWS_FAILED, 2, 0, 2) == (report.status, *counts(report))
    assert ["2", "2"] == attempts(report)
    assert Carried(read=2, left=2) == report.carried
    put(case, {1: "b", 2: "c"})
    report = run(case)
    assert (Status.SOME_ROWS_FAILED, 3, 2, 1) == (report.status, *counts(report))
    assert ["3"] == attempts(report)
    assert Carried(read=2, delivered=1, left=1) == report.carried
    assert "2 rows had failed in earlier runs: 1 of them was delivered." in report.message
    put(case, {4: "d"})
    report = run(case)
    assert (Status.COMPLETED, 1, 1, 0) == (report.status, *counts(report))
    assert Carried(read=1, delivered=1) == report.carried
    assert {"p1": "b", "p2": "c", "p3": "a", "p4": "d", "p5": "a"} == plans(case)
    assert (0, "") == (run(case).rows.extracted, sync_state(case.store, case.name).carried)
    assert [] == files(case)


def counts(report: RunReport) -> tuple[int, int, int]:
    """Rows that were read, delivered, failed."""
    return report.rows.extracted, report.rows.delivered, report.rows.failed


def attempts(report: RunReport) -> list[str]:
    """Which attempt at each failed row it was."""
    with Path(report.failed_rows_csv).open(newline="") as file:
        return [row["attempt"] for row in csv.DictReader(file)]


def files(case: Case) -> list[Path]:
    """Those of carried rows."""
    return sorted(case.home.carried.glob(f"{case.name}/*"))


def test_a_row_that_is_gone_is_carried_no_further(world: World) -> None:
    """It is no failed row; the run's message says so."""
    case = carrying(world)
    put(case, {2: "bad"})
    run(case)
    put(case, {2: None})
    report = run(case)
    assert (Status.COMPLETED, 0, Carried(gone=1)) == (report.status, report.rows.extracted, report.carried)
    assert "1 failed row of an earlier run is gone." in report.message
    assert "" == sync_state(case.store, case.name).carried


def test_a_row_without_an_identifier_holds_nothing_back(world: World) -> None:
    """No run can ask for it, which the message says; it is counted apart."""
    case = carrying(world)
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET id = NULL, updated_at = unixepoch() WHERE rowid < 3")
    put(case, {3: "bad"})
    report = run(case)
    assert (Status.SOME_ROWS_FAILED, Carried(left=1, unidentified=2)) == (report.status, report.carried)
    assert "2 failed rows have no identifier, so no run can read them again" in report.message
    assert moved(case)


def test_the_file_is_private_and_the_only_one(world: World) -> None:
    """Its owner alone can read it; each run leaves one of its own and removes the one before."""
    case = carrying(world)
    put(case, {2: "bad"})
    for _ in range(3):
        report = run(case)
        (file,) = files(case)
        assert (0o600, f"{report.run_id}.parquet") == (stat.S_IMODE(file.stat().st_mode), file.name)


def test_a_lost_file_makes_the_next_run_read_everything(world: World) -> None:
    """It is not known which rows failed: all are read."""
    case = carrying(world)
    put(case, {2: "bad"})
    run(case)
    files(case)[0].unlink()
    report = run(case)
    assert (Status.SOME_ROWS_FAILED, 5, Carried(left=1)) == (report.status, report.rows.extracted, report.carried)
    assert "The list of the failed rows of earlier runs is gone, so everything was read again." in report.message
    assert 1 == run(case).rows.extracted


def test_a_run_that_stops_leaves_what_was_carried(world: World) -> None:
    """Stopped before or in its delivery, continued or not."""
    case = carrying(world)
    put(case, {2: "bad", 3: "bad"})
    run(case)
    put(case, {2: "c", 5: "bad"})
    case.sandbox.faults([{"match": BATCH, "always": True, "do": {"status": 401}}])
    assert Status.FAILED is ended(case.run()).status
    case.sandbox.clear_faults()
    report = ended(case.run())
    assert (Status.SOME_ROWS_FAILED, 3, 1, 2) == (report.status, *counts(report))
    assert Carried(read=2, delivered=1, left=2) == report.carried
    put(case, {3: "d", 5: "d"})
    assert Status.COMPLETED is run(case).status
    assert {"p1": "a", "p2": "c", "p3": "d", "p4": "a", "p5": "d"} == plans(case)


def test_a_file_that_cannot_be_written_moves_nothing(world: World) -> None:
    """Last sync time stays, so that the next run reads the rows again."""
    case = carrying(world)
    put(case, {2: "bad"})
    case.home.carried.mkdir(exist_ok=True)
    (case.home.carried / case.name).write_text("in the way")
    report = run(case)
    assert (Status.FAILED, 6, False) == (report.status, report.exit_code, moved(case))
    assert "the failed rows that the next run reads again could not be kept" in report.message
    (case.home.carried / case.name).unlink()


def test_too_many_failed_rows_hold_last_sync_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it is not some rows that are wrong: what was carried before stays carried."""
    case = carrying(world)
    put(case, {2: "bad"})
    run(case)
    before = sync_state(case.store, case.name)
    monkeypatch.setattr(carry_module, "MOST_CARRIED", 2)
    put(case, dict.fromkeys(range(1, 6), "bad"))
    report = ended(case.run())
    after = sync_state(case.store, case.name)
    assert (Status.SOME_ROWS_FAILED, before.last_sync_time) == (report.status, after.last_sync_time)
    assert (before.carried, "last sync time stays" in report.message) == (after.carried, True)
    monkeypatch.setattr(carry_module, "MOST_CARRIED", MOST_CARRIED)
    put(case, dict.fromkeys(range(1, 6), "b"))
    assert Status.COMPLETED is run(case).status


def test_with_hold_again_what_is_carried_is_still_read(world: World) -> None:
    """And new failed rows hold last sync time, as ever."""
    case = carrying(world)
    put(case, {2: "bad"})
    run(case)
    ask(case, "hold")
    before = sync_state(case.store, case.name)
    put(case, {3: "bad"})
    report = ended(case.run())
    after = sync_state(case.store, case.name)
    assert (Status.SOME_ROWS_FAILED, Carried(read=1)) == (report.status, report.carried)
    assert (before.carried, before.last_sync_time) == (after.carried, after.last_sync_time)
    put(case, {2: "c", 3: "c"})
    assert (Status.COMPLETED, "c") == (run(case).status, plans(case)["p2"])
    assert "" == sync_state(case.store, case.name).carried


@pytest.mark.parametrize("reading", ["since", "limit", "full", "retry"])
def test_other_readings_add_their_failed_rows(world: World, reading: str) -> None:
    """A reading of some rows lets nothing go that was carried; one of all rows knows all that failed."""
    case = carrying(world)
    put(case, {2: "bad"})
    first = ended(case.run())
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET updated_at = ?", [LONG_AGO])
        database.execute("UPDATE shop SET plan = 'bad' WHERE rowid = 1")
    scopes = {"since": Scope(since=1), "limit": Scope(full=True, limit=1), "full": Scope(full=True)}
    report = run(case, scope=scopes.get(reading, Scope(retry_of=first.run_id)))
    assert Status.SOME_ROWS_FAILED is report.status
    failing = {2} if reading == "retry" else {1, 2}
    assert report.carried is not None
    assert len(failing) == report.carried.left
    put(case, dict.fromkeys(failing, "e"))
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET updated_at = ?", [LONG_AGO])
    assert (Status.COMPLETED, len(failing)) == ((report := run(case)).status, report.rows.delivered)


@pytest.mark.thorough
def test_relationships_are_carried_by_their_person(world: World) -> None:
    """All of that person's come again, each once, and the person does not."""
    case = carrying(world, "related")
    query = """
        SELECT id, 'o' || (rowid % 3) AS object_id, CASE plan WHEN 'bad' THEN 'maybe' END AS deleted FROM shop
        WHERE updated_at >= {{last_sync_time}} UNION ALL
        SELECT id, 'o9', NULL FROM shop WHERE updated_at >= {{last_sync_time}}
    """
    ask(case, "carry", checks=[], relationships={"query": query})
    put(case, {2: "bad"})
    report = run(case)
    assert (Status.SOME_ROWS_FAILED, 0, 1) == (
        report.status,
        report.rows.failed,
        report.streams["relationships"].failed,
    )
    put(case, {2: "bad", 3: "b"})
    report = run(case)
    assert (2, 4, 3) == (report.rows.delivered, *counted(report, "relationships"))
    put(case, {2: "c"})
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET updated_at = ?", [LONG_AGO])
    report = run(case)
    assert (Status.COMPLETED, 0, 2, 2) == (report.status, report.rows.extracted, *counted(report, "relationships"))
    assert Carried(read=2, delivered=2) == report.carried


def counted(report: RunReport, stream: str) -> tuple[int, int]:
    """Rows of a stream that were read, and delivered."""
    return report.streams[stream].extracted, report.streams[stream].delivered


def test_events_are_carried_by_their_person(world: World) -> None:
    """Customer.io discards what it has already."""
    case = carrying(world, "events")
    put(case, {2: "bad"})
    assert (Status.SOME_ROWS_FAILED, 4) == ((report := run(case)).status, report.rows.delivered)
    put(case, {2: "c"})
    assert (Status.COMPLETED, 1) == ((report := run(case)).status, report.rows.delivered)
    assert 5 == len(case.sandbox.events())


def test_machines_share_what_is_carried(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another machine's run finds it; what no run reads again is removed in the shared place, too."""
    monkeypatch.setenv("REVERSE_ETL_STORAGE_URL", str(tmp_path / "shared"))
    case = carrying(world)
    put(case, {2: "bad"})
    run(case)
    case.home = Home.at(tmp_path / "another")
    report = run(case)
    assert (Status.SOME_ROWS_FAILED, 1) == (report.status, report.rows.extracted)
    assert [f"{report.run_id}.parquet"] == Storage(str(tmp_path / "shared")).names(f"carried/{case.name}")
    put(case, {2: "b"})
    assert Status.COMPLETED is run(case).status
    assert [] == Storage(str(tmp_path / "shared")).names(f"carried/{case.name}")


def test_a_re_execution_that_was_overtaken_adds_to_what_is_carried(world: World) -> None:
    """What failed in the newer run stays carried though the older one delivers an older value of it."""
    case = carrying(world)
    put(case, {3: "bad"})
    run(case)
    put(case, {1: "b", 2: "b"})
    case.sandbox.faults([{"match": BATCH, "always": True, "do": {"status": 401}}])
    stopped = case.run()
    case.sandbox.clear_faults()
    put(case, {1: "bad"})
    newer = ended(case.run(scope=Scope(full=True)))
    assert (Status.SOME_ROWS_FAILED, Carried(left=2)) == (newer.status, newer.carried)
    older = ended(case.resume(stopped))
    assert (Status.SOME_ROWS_FAILED, 2) == (older.status, older.carried.left if older.carried else None)
    put(case, {1: "c", 3: "c"})
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET updated_at = ? WHERE rowid IN (1, 3)", [LONG_AGO])
    assert Status.COMPLETED is run(case).status
    assert {"p1": "c", "p2": "b", "p3": "c", "p4": "a", "p5": "a"} == plans(case)


def test_what_a_run_left_is_kept_as_long_as_a_run_may_read_it(world: World) -> None:
    """Whatever its age; what a crash left goes like an old changeset."""
    case = carrying(world)
    put(case, {2: "bad"})
    run(case)
    (file,) = files(case)
    left = file.with_name("crashed.parquet")
    left.write_bytes(file.read_bytes())
    prune(case.store, case.home, RetentionConfig(), datetime.now(UTC) + timedelta(days=400))
    assert [file] == files(case)
    assert 1 == run(case).rows.extracted


def test_validate_says_where_carry_changes_nothing(tmp_path: Path) -> None:
    """A query without a placeholder is read whole anyway; that is no mistake."""
    project = Project(tmp_path)
    project.connections(SHOP)
    project.write("people.yaml", people("SELECT id, email FROM customers", "failed_rows: carry\n"))
    (warning,) = load_project(tmp_path / "syncs").warnings
    assert "failed_rows: carry changes nothing here: no query has a placeholder, so each run reads all rows" in warning
    project.write("people.yaml", people(more="failed_rows: carry\n"))
    assert () == load_project(tmp_path / "syncs").warnings


def test_without_a_placeholder_nothing_is_carried(world: World) -> None:
    """Each run reads all rows anyway."""
    case = carrying(world)
    ask(case, "carry", query="SELECT id, email, plan FROM shop")
    put(case, {2: "bad"})
    report = run(case)
    assert (Status.SOME_ROWS_FAILED, None, False) == (report.status, report.carried, moved(case))
    assert 5 == run(case).rows.extracted


def history(case: Case, chance: random.Random, runs: int) -> None:
    """Random changes, refusals, deletions and stops; each run reads no row twice."""
    for _ in range(runs):
        for number in chance.sample(range(1, 8), chance.randint(0, 4)):
            put(case, {number: chance.choice(["a", "b", "c", "bad", "bad"])})
        if chance.random() < 0.2:
            put(case, {chance.randint(1, 7): None})
        if chance.random() < 0.3:
            refused = [f"p{chance.randint(1, 7)}"]
            case.sandbox.faults([{"match": BATCH, "always": True, "do": {"refuse_items": {"ids": refused}}}])
        elif chance.random() < 0.2:
            case.sandbox.faults([{"match": BATCH, "skip": chance.randint(0, 2), "always": True, "do": {"status": 401}}])
        found = case.run()
        report = ended(found)
        continued = case.home.changeset_run_id(case.name, found.root_run_id) != found.run_id
        if report.status is not Status.FAILED and not continued:
            with case.shop.changing() as database:
                database.execute("UPDATE shop SET updated_at = ?", [LONG_AGO])
        case.sandbox.clear_faults()
        folder = case.home.run_folder(case.name, found.root_run_id)
        read = [text for batch in folder.parts("rows").batches() for text in batch.column("id").to_pylist()]
        assert len(read) == len(set(read))


def try_histories(world: World, seeds: range) -> None:
    """Whatever happened: when nothing is wrong any more, every row is there with its newest value."""
    for seed in seeds:
        chance = random.Random(seed)  # noqa: S311 - repeatable
        case = carrying(world, rows=7)
        history(case, chance, runs=5)
        with case.shop.changing() as database:
            # Corrected without a trace in the time of change: only what is carried is read again.
            database.execute("UPDATE shop SET plan = 'f' WHERE plan = 'bad'")
        assert Status.COMPLETED is ended(case.run()).status
        arrived = plans(case)
        assert {row.id: row.plan for row in case.shop.rows()} == {
            row.id: arrived.get(row.id) for row in case.shop.rows()
        }
        assert (0, "") == (ended(case.run()).total.failed, sync_state(case.store, case.name).carried)


def test_every_row_ends_up_delivered_with_its_newest_value(world: World) -> None:
    """A random history; more are tried with all slow tests."""
    try_histories(world, range(1))


@pytest.mark.thorough
@pytest.mark.parametrize("part", range(16))
def test_a_kill_at_any_line_lets_no_row_go(world: World, part: int) -> None:
    """A row that was carried, and one that failed in the killed run: both arrive, with no new time of change."""

    def prepared() -> Case:
        case = carrying(world)
        put(case, {2: "bad"})
        run(case)
        put(case, {4: "bad", 5: "b"})
        return case

    if not _lines:
        _lines.append(lines_of_a_whole_run(prepared()))
    case = prepared()
    in_close = part >= 4
    most = _lines[0].in_close * (part - 4) / 12 if in_close else _lines[0].before_close * part / 4
    kill(case, case.start(), int(most), in_close=in_close)
    if part % 2:
        run(case)
    else:
        # What was killed before it moved last sync time is read again, with what changed.
        assert ended(case.run()).status is Status.SOME_ROWS_FAILED
    for _ in range(2):
        with case.shop.changing() as database:
            database.execute("UPDATE shop SET plan = 'f', updated_at = ? WHERE plan = 'bad'", [LONG_AGO])
        report = run(case)
    assert (Status.COMPLETED, "") == (report.status, sync_state(case.store, case.name).carried)
    assert {"p1": "a", "p2": "f", "p3": "a", "p4": "f", "p5": "b"} == plans(case)


_lines: list[Lines] = []
"""What a run of that test executes, once it was counted."""


@pytest.mark.thorough
def test_every_row_ends_up_delivered_in_many_histories(world: World) -> None:
    """The same."""
    try_histories(world, range(100, 108))
