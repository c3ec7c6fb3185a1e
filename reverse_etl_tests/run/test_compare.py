"""A sync that compares sends what differs from what was acknowledged, and nothing else."""

from __future__ import annotations

import json
import random
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from reverse_etl.changeset.scope import Scope
from reverse_etl.config.inline import parse_sync
from reverse_etl.report import Counts, RunReport, Status
from reverse_etl.run.attend import attend
from reverse_etl.run.stages import compare_changeset, deliver_changeset, extract_changeset, validate_changeset
from reverse_etl.state.home import Home
from reverse_etl.state.run_history import find_run
from reverse_etl.state.snapshots import forget_snapshot, snapshot_of
from reverse_etl_tests.destinations.scripted import FastClock
from reverse_etl_tests.faults.completed import ended
from reverse_etl_tests.faults.runs import Case, World
from reverse_etl_tests.faults.shop import KINDS, settings
from reverse_etl_tests.faults.shop import compared as compared_settings
from reverse_etl_tests.fresh_store import fresh_store
from reverse_etl_tests.servers.sandbox import RunningSandbox

ROWS = 9


def compared(folder: Path, sandbox: RunningSandbox, kind: str = "people") -> Case:
    """A sync that has never run."""
    home = Home.at(folder / "home")
    world = World(folder, sandbox, home, fresh_store(home))
    return world.case(kind, random.Random(1), rows=ROWS, items=2, in_flight=1, compare=True)  # noqa: S311 - repeatable


@pytest.fixture
def case(tmp_path: Path, sandbox: RunningSandbox) -> Case:
    """A sync of people that compares, and has completed once."""
    case = compared(tmp_path, sandbox)
    assert Status.COMPLETED is ended(case.run()).status
    return case


def sent(case: Case) -> list[Any]:
    """The bodies of the batches that the workspace has taken."""
    return [request["body"] for request in case.sandbox.requests() if request["path"] == "/api/v2/batch"]


def change(case: Case, number: int, plan: str) -> None:
    """Gives a row another plan."""
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET plan = ? WHERE rowid = ?", [plan, number])


def plan_of(case: Case, number: int) -> str | None:
    """A person's plan in the workspace."""
    [person] = [each for each in case.sandbox.people() if each["id"] == f"p{number}"]
    plan: str | None = person["attributes"].get("plan")
    return plan


def of_rows(report: RunReport) -> tuple[Status, int, int, int]:
    """How it ended, and how many rows were delivered, failed and unchanged."""
    return report.status, report.total.delivered, report.total.failed, report.total.unchanged


@pytest.mark.parametrize("kind", KINDS)
def test_a_second_run_sends_no_row(kind: str, tmp_path: Path, sandbox: RunningSandbox) -> None:
    """Of every kind, relationships and events among them."""
    case = compared(tmp_path, sandbox, kind)
    first = ended(case.run())
    assert (Status.COMPLETED, 0) == (first.status, first.total.unchanged)
    before = len(sent(case))
    second = ended(case.run())
    assert (Status.COMPLETED, 0, 0, first.total.delivered) == of_rows(second), second.message
    assert before == len(sent(case))


def test_only_what_differs_is_sent(case: Case) -> None:
    """A changed row and a new one; the others are counted as unchanged."""
    change(case, 3, "gold")
    with case.shop.changing() as database:
        database.execute("INSERT INTO shop (id, email, plan, visits) VALUES ('new', 'new@example.com', 'pro', 1)")
    report = ended(case.run())
    assert {"rows": Counts(ROWS + 1, delivered=2, unchanged=ROWS - 1)} == report.streams
    assert "gold" == plan_of(case, 3)
    assert (Status.COMPLETED, 0, 0, ROWS + 1) == of_rows(ended(case.run()))


def test_a_refused_row_comes_again_until_it_is_accepted(case: Case) -> None:
    """Its value was never acknowledged; afterwards it is not sent again."""
    change(case, 3, "gold")
    refused = {"match": {"path": "/api/v2/batch"}, "always": True, "do": {"refuse_items": {"ids": ["p3"]}}}
    case.sandbox.faults([refused])
    for _ in range(2):
        assert (Status.SOME_ROWS_FAILED, 0, 1, ROWS - 1) == of_rows(ended(case.run()))
    case.sandbox.clear_faults()
    assert (Status.COMPLETED, 1, 0, ROWS - 1) == of_rows(ended(case.run()))
    assert "gold" == plan_of(case, 3)


@pytest.mark.parametrize(("continued", "folder_is_left"), [(True, True), (False, True), (False, False)])
def test_a_value_that_changes_and_comes_back_around_a_lost_answer_is_sent_again(
    case: Case, continued: bool, folder_is_left: bool
) -> None:
    """What was applied and never acknowledged is in doubt: the row is sent though it is as it was acknowledged."""
    change(case, 3, "silver")
    case.run()
    change(case, 3, "gold")
    batch = {"path": "/api/v2/batch"}
    lost = {"match": batch, "times": 1, "do": {"status": 500, "apply": True}}
    case.sandbox.faults([lost, {"match": batch, "always": True, "do": {"status": 401}}])
    stopped = case.run()
    assert (Status.FAILED, "gold") == (ended(stopped).status, plan_of(case, 3))
    case.sandbox.clear_faults()
    change(case, 3, "silver")
    if not continued:
        # Rows that were read for another version of the file are not sent.
        case.sync = case.sync.model_copy(update={"version": "another"})
    if not folder_is_left:
        shutil.rmtree(case.home.run_folder(case.name, stopped.root_run_id).path)
    for _ in range(2):
        assert Status.COMPLETED is ended(case.run()).status
    assert "silver" == plan_of(case, 3)
    assert (Status.COMPLETED, 0, 0, ROWS) == of_rows(ended(case.run()))


def test_a_refusal_after_an_attempt_without_an_answer_leaves_the_row_in_doubt(case: Case) -> None:
    """The first attempt may have been applied: when the old value is back, it is sent, though it was acknowledged."""
    change(case, 3, "silver")
    case.run()
    change(case, 3, "gold")
    batch = {"path": "/api/v2/batch"}
    lost = {"match": batch, "times": 1, "do": {"status": 500, "apply": True}}
    case.sandbox.faults([lost, {"match": batch, "always": True, "do": {"refuse_items": {"ids": ["p3"]}}}])
    assert (Status.SOME_ROWS_FAILED, 0, 1, ROWS - 1) == of_rows(ended(case.run()))
    assert "gold" == plan_of(case, 3)
    case.sandbox.clear_faults()
    change(case, 3, "silver")
    assert (Status.COMPLETED, 1, 0, ROWS - 1) == of_rows(ended(case.run()))
    assert "silver" == plan_of(case, 3)


def test_rows_that_were_delivered_are_compared_again_as_the_checks_left_them(case: Case) -> None:
    """The step of a run that has ended, executed again by hand: its rows are what was acknowledged."""
    change(case, 3, "gold")
    run, clock = case.start(), FastClock().clock()
    with attend(run):
        extract_changeset(run, case.database, case.workspace, clock=clock)
        validate_changeset(run)
    for changed in (1, 0):
        with attend(run):
            found = compare_changeset(run).streams["rows"]
            report = deliver_changeset(run, case.workspace, clock=clock)
        assert (changed, ROWS - changed) == (found.to_send, found.unchanged)
        assert (Status.COMPLETED, changed, 0, ROWS - changed) == of_rows(report)
    assert "gold" == plan_of(case, 3)


def test_a_run_that_stopped_counts_in_the_shape_that_it_sent_in(case: Case) -> None:
    """Its file got a segment before the next run, which everybody joins."""
    change(case, 3, "gold")
    case.sandbox.faults([{"match": {"path": "/api/v2/batch"}, "always": True, "do": {"status": 401}}])
    assert Status.FAILED is ended(case.run()).status
    case.sandbox.clear_faults()
    segment = {"people": {"identify_by": "id", "segment": {"name": "all"}}}
    basic = {"database": "shop", "workspace": "main", "schedule": "manual"}
    case.sync = parse_sync(case.name, basic | compared_settings("people") | segment)
    case.sync = case.sync.model_copy(update={"version": "another"})
    assert (Status.COMPLETED, ROWS, 0, 0) == of_rows(ended(case.run()))


def test_a_row_that_a_full_run_could_not_send_is_sent_by_a_retry(case: Case) -> None:
    """It did not change, so the next run does not send it, which the message of the full one says."""
    assert Status.COMPLETED is ended(case.run()).status
    case.sandbox.faults([{"match": {"path": "/api/v2/batch"}, "always": True, "do": {"refuse_items": {"ids": ["p1"]}}}])
    full = case.run(scope=Scope(full=True))
    case.sandbox.clear_faults()
    assert (Status.SOME_ROWS_FAILED, ROWS - 1) == of_rows(ended(full))[:2]
    assert "The next run sends only what differs from what the workspace acknowledged: for these" in ended(full).message
    assert 0 == ended(case.run()).rows.delivered
    assert (Status.COMPLETED, 1, 0, 0) == of_rows(ended(case.run(scope=Scope(retry_of=full.run_id))))
    assert 0 == ended(case.run()).rows.delivered


def test_full_sends_everything(case: Case) -> None:
    """Whatever was acknowledged; the run after it sends nothing."""
    run, clock = case.start(), FastClock().clock()
    with attend(run):
        extract_changeset(run, case.database, case.workspace, scope=Scope(full=True), clock=clock)
        validate_changeset(run)
        assert ROWS == compare_changeset(run).streams["rows"].in_doubt
        deliver_changeset(run, case.workspace, clock=clock)
    report = find_run(case.store, run.run_id)
    assert report is not None
    assert (Status.COMPLETED, ROWS, 0, 0) == of_rows(report)
    assert (Status.COMPLETED, 0, 0, ROWS) == of_rows(ended(case.run()))


def test_everything_is_read_when_it_is_due_also_by_a_query_of_what_changed(case: Case) -> None:
    """Without it, such a query returns too little to send everything."""
    where = {"database": "shop", "workspace": "main", "schedule": "manual"}
    case.sync = parse_sync(case.name, {**where, **settings("people"), "changes": {"by": "compare"}})
    assert (Status.COMPLETED, 0, 0, 0) == of_rows(ended(case.run()))
    changes = case.sync.changes.model_copy(update={"full_every": timedelta()})
    case.sync = case.sync.model_copy(update={"changes": changes})
    assert (Status.COMPLETED, ROWS, 0, 0) == of_rows(ended(case.run()))


@pytest.mark.parametrize("wrong", ["short file", "no variable"])
def test_a_secret_that_cannot_be_used_ends_the_run_before_it_reads(
    case: Case, wrong: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No row is read, let alone a failed row."""
    if wrong == "short file":
        (case.home.path / "secret").write_bytes(b"short")
    else:
        monkeypatch.setenv("REVERSE_ETL_STORAGE_URL", str(tmp_path / "shared"))
    run = case.run()
    assert run.error is not None
    assert "secret" in str(run.error).lower()
    assert 0 == ended(run).total.extracted


@pytest.mark.parametrize(
    "lost",
    [
        "bytes",
        "secret",
        "state",
        *(pytest.param(each, marks=pytest.mark.thorough) for each in ("made.json", "rows.parquet", "cut")),
    ],
)
def test_without_what_was_acknowledged_everything_is_sent(case: Case, lost: str) -> None:
    """A lost file, a file that was cut short, another secret, a lost pointer: all is sent, and the message says so."""
    generation = case.home.snapshots / case.name / f"g{snapshot_of(case.store, case.name).generation:06d}"
    if lost == "secret":
        (case.home.path / "secret").write_bytes(bytes(32))
    elif lost == "state":
        with case.store.writing() as connection:
            connection.exec_driver_sql("DELETE FROM reverse_etl_snapshot")
    elif lost == "bytes":
        content = (generation / "rows.parquet").read_bytes()
        (generation / "rows.parquet").write_bytes(content[:4] + bytes(60) + content[64:])
    elif lost == "cut":
        content = (generation / "rows.parquet").read_bytes()
        (generation / "rows.parquet").write_bytes(content[: len(content) // 2])
    else:
        (generation / lost).unlink()
    report = ended(case.run())
    assert (Status.COMPLETED, ROWS, 0, 0) == of_rows(report)
    assert "every row is sent" in report.message
    assert (Status.COMPLETED, 0, 0, ROWS) == of_rows(ended(case.run()))


def test_files_of_the_same_number_from_before_all_was_forgotten_do_not_count(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another machine has them still: it fetches those that count, and a value that came back is sent."""
    monkeypatch.setenv("REVERSE_ETL_STORAGE_URL", str(tmp_path / "shared"))
    monkeypatch.setenv("REVERSE_ETL_SECRET", "0123456789abcdef")
    forget_snapshot(case.store, case.name)
    change(case, 3, "silver")
    assert Status.COMPLETED is ended(case.run()).status
    shutil.copytree(case.home.snapshots, tmp_path / "elsewhere")
    forget_snapshot(case.store, case.name)
    change(case, 3, "gold")
    assert Status.COMPLETED is ended(case.run()).status
    shutil.rmtree(case.home.snapshots)
    (tmp_path / "elsewhere").rename(case.home.snapshots)
    change(case, 3, "silver")
    assert (Status.COMPLETED, 1, 0, ROWS - 1) == of_rows(ended(case.run()))
    assert "silver" == plan_of(case, 3)


@pytest.mark.parametrize(("scope", "then"), [(Scope(limit=1), ROWS), (Scope(full=True), 0)], ids=["limit", "full"])
def test_a_run_of_some_rows_leaves_full_every_due(case: Case, scope: Scope, then: int) -> None:
    """Only a run of all rows puts off when everything is sent again."""
    case.sync = case.sync.model_copy(
        update={"changes": case.sync.changes.model_copy(update={"full_every": timedelta(days=7)})}
    )
    made = case.home.snapshots / case.name / "g000001" / "made.json"
    made.write_text(json.dumps(json.loads(made.read_text()) | {"full_at": 0}))
    run, clock = case.start(), FastClock().clock()
    with attend(run):
        extract_changeset(run, case.database, case.workspace, scope=scope, clock=clock)
        validate_changeset(run)
        compare_changeset(run)
        deliver_changeset(run, case.workspace, clock=clock)
    assert (Status.COMPLETED, then, 0, ROWS - then) == of_rows(ended(case.run()))


def test_what_a_newer_release_acknowledged_is_not_read(case: Case) -> None:
    """The run ends with how to go on, and nothing is sent; with that release again, it goes on."""
    made = case.home.snapshots / case.name / "g000001" / "made.json"
    written = made.read_text()
    made.write_text(json.dumps(json.loads(written) | {"format": 99, "other": 1}))
    change(case, 3, "gold")
    before = len(sent(case))
    for run in (case.run(), case.run()):
        assert "was written by a newer release" in str(run.error)
        assert "Upgrade: pip install --upgrade reverse-etl" in str(run.error)
    assert before == len(sent(case))
    made.write_text(written)
    assert (Status.COMPLETED, 1, 0, ROWS - 1) == of_rows(ended(case.run()))


def test_a_damaged_note_of_what_was_acknowledged_counts_as_missing(case: Case) -> None:
    """Whatever JSON it is: all is sent."""
    for number, content in enumerate(["{}", "[]", '{"format": "?"}', '{"other": 1}'], start=1):
        (case.home.snapshots / case.name / f"g{number:06d}" / "made.json").write_text(content)
        report = ended(case.run())
        assert (Status.COMPLETED, ROWS, 0, 0) == of_rows(report), content
        assert "every row is sent" in report.message


@pytest.mark.parametrize("kind", ["related", "emails"])
def test_no_value_and_no_identifier_is_in_what_is_remembered(
    kind: str, tmp_path: Path, sandbox: RunningSandbox
) -> None:
    """In no file of it, unpacked: neither of what was acknowledged nor of what is in doubt."""
    case = compared(tmp_path, sandbox, kind)
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET id = 'planted-id-' || rowid, plan = 'planted-plan-' || rowid")
        database.execute("UPDATE shop SET email = id || '@example.com'")
    assert Status.COMPLETED is ended(case.run()).status
    change(case, 3, "planted-plan-again")
    case.sandbox.faults([{"match": {"path": "/api/v2/batch"}, "always": True, "do": {"status": 401, "apply": True}}])
    case.run()
    case.sandbox.clear_faults()
    case.sync = case.sync.model_copy(update={"version": "another"})
    assert Status.COMPLETED is ended(case.run()).status
    written = ""
    for path in case.home.snapshots.rglob("*.*"):
        unpacked = str(pq.read_table(path).to_pydict()) if path.suffix == ".parquet" else ""
        written += unpacked + path.read_bytes().decode("latin-1")
    assert '"digests"' in written
    assert "planted" not in written
    assert "planted-plan-again" in str(sent(case))


def test_after_runs_that_did_not_compare_everything_is_sent(case: Case) -> None:
    """And the message says why; rows that were compared before they ran are overtaken."""
    comparing = case.sync
    change(case, 3, "gold")
    case.sandbox.faults([{"match": {"path": "/api/v2/batch"}, "always": True, "do": {"status": 401}}])
    stopped = case.run()
    case.sandbox.clear_faults()
    where = {"database": "shop", "workspace": "main", "schedule": "manual"}
    case.sync = parse_sync(case.name, {**where, **settings("people")})
    for _ in range(2):
        assert Status.COMPLETED is ended(case.run(scope=Scope(full=True))).status
    case.sync = comparing
    assert "a later run has sent newer rows" in str(case.run(root=stopped.run_id).error)
    report = ended(case.run())
    assert (Status.COMPLETED, ROWS, 0, 0) == of_rows(report)
    assert "The last run that sent rows did not compare them, so every row is sent." in report.message
    assert (Status.COMPLETED, 0, 0, ROWS) == of_rows(ended(case.run()))


def test_who_comes_back_joins_a_mirrored_segment_again(case: Case) -> None:
    """Who is gone has left it: they are sent once more when they are back, though no value differs."""
    segment = {"people": {"identify_by": "id", "segment": {"name": "all", "mirror": True}}}
    basic = {"database": "shop", "workspace": "main", "schedule": "manual"}
    case.sync = parse_sync(case.name, basic | compared_settings("people") | segment)
    assert Status.COMPLETED is ended(case.run()).status
    with case.shop.changing() as database:
        row = database.execute("SELECT * FROM shop WHERE rowid = 3").fetchone()
        database.execute("DELETE FROM shop WHERE rowid = 3")
    assert (Status.COMPLETED, 0, 0, ROWS - 1) == of_rows(ended(case.run()))
    with case.shop.changing() as database:
        database.execute(f"INSERT INTO shop VALUES ({', '.join('?' * len(row))})", row)
    assert (Status.COMPLETED, 1, 0, ROWS - 1) == of_rows(ended(case.run()))
    assert (Status.COMPLETED, 0, 0, ROWS) == of_rows(ended(case.run()))


def test_an_overtaken_run_sends_nothing(case: Case) -> None:
    """A run that read before another one sent ends with a sentence; the next one reads again."""
    change(case, 3, "old")
    overtaken: list[str] = []

    def meanwhile(stage: str) -> None:
        if stage == "compare" and not overtaken:
            overtaken.append(stage)
            with case.store.writing() as connection:
                connection.exec_driver_sql("UPDATE reverse_etl_snapshot SET generation = generation + 1")

    run = case.run(before=meanwhile)
    assert run.error is not None
    assert "a later run has sent newer rows" in str(run.error)
    assert "old" != plan_of(case, 3)
    assert Status.COMPLETED is ended(case.run()).status
    assert "old" == plan_of(case, 3)


@pytest.mark.thorough
def test_files_that_a_lost_state_database_counted_are_removed_in_time(case: Case) -> None:
    """Those above the number that counts, a month later; what may be asked again, or is not known, stays."""
    for plan in "abc":
        change(case, 3, plan)
        case.run()
    folder = case.home.snapshots / case.name
    assert ["g000003", "g000004"] == sorted(path.name for path in folder.iterdir())
    with case.store.writing() as connection:
        connection.exec_driver_sql("DELETE FROM reverse_etl_snapshot")
    (folder / "g000007").mkdir()
    for name, damaged in (("g000005", "{"), ("g000006", '{"format": 99}')):
        shutil.copytree(folder / "g000004", folder / name)
        (folder / name / "made.json").write_text(damaged)
    shutil.copytree(folder / "g000004", folder / "g000009")
    case.run()
    assert {"g000003", "g000004", "g000009"} <= {path.name for path in folder.iterdir()}
    for name in ("g000003", "g000009"):
        made = folder / name / "made.json"
        made.write_text(json.dumps(json.loads(made.read_text()) | {"made_at": 1_700_000_000}))
    change(case, 3, "d")
    case.run()
    left = ["g000001", "g000002", "g000004", "g000005", "g000006", "g000007"]
    assert left == sorted(path.name for path in folder.iterdir())
    assert (Status.COMPLETED, 0, 0, ROWS) == of_rows(ended(case.run()))
