"""`pieces:` everything is read by one run a piece: what they remember between them, and what keeps them from moving."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from reverse_etl.changeset.scope import Scope
from reverse_etl.config.inline import parse_sync
from reverse_etl.errors import ReverseEtlError
from reverse_etl.report import PieceOf, RunReport, Status
from reverse_etl.run.plan import make_plan
from reverse_etl.state.pieces import reading_under_way
from reverse_etl.state.schema import PIECES
from reverse_etl.state.syncs import sync_state
from reverse_etl_tests.faults.completed import ended
from reverse_etl_tests.faults.kills import Lines, kill, lines_of_a_whole_run
from reverse_etl_tests.faults.runs import Case, World, new_world
from reverse_etl_tests.faults.shop import settings

BATCH = {"path": "/api/v2/batch"}
PLANS = {"accepted_values": {"column": "plan", "values": ["a", "b", "c"]}}
"""The check of these syncs: a plan `bad` is rejected."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A workspace that answers as often as it is asked."""
    with new_world(tmp_path_factory.mktemp("pieces")) as world:
        yield world


def in_pieces(world: World, *, rows: int = 10, of: int = 4, **keys: Any) -> Case:
    """A sync of rows with plan `a`, read in pieces of so many rows by their number of visits: 1 to ``rows``."""
    case = world.case("people", random.Random(1), rows=rows, items=3)  # noqa: S311 - repeatable
    case.workspace = case.workspace.model_copy(update={"app_api_key": None})
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET plan = 'a', visits = rowid")
    ask(case, pieces={"by": "visits", "rows": of}, **keys)
    return case


def ask(case: Case, **keys: Any) -> None:
    """Changes the sync's file."""
    asked = {**settings(case.kind), "checks": [PLANS], "failed_rows": "carry", **keys}
    case.sync = parse_sync(case.name, {"database": "shop", "workspace": "main", "schedule": "manual", **asked})


def put(case: Case, plans: dict[int, str], at: str = "unixepoch()") -> None:
    """Gives rows another plan, as of now."""
    with case.shop.changing() as database:
        for number, plan in plans.items():
            database.execute(f"UPDATE shop SET plan = ?, updated_at = {at} WHERE rowid = ?", [plan, number])


def run(case: Case, **options: Any) -> RunReport:
    """One run, as it ended."""
    return ended(case.run(**options))


def read(report: RunReport) -> tuple[Status, PieceOf | None, int]:
    """How a run ended, which piece it read, and how many rows."""
    return report.status, report.piece, report.rows.extracted


def arrived(case: Case) -> dict[str, str]:
    """What is in the workspace."""
    return {person["id"]: person["attributes"].get("plan") for person in case.sandbox.people()}


def everyone(rows: int, **others: str) -> dict[str, str]:
    """What is there once everything is."""
    return {f"p{number}": "a" for number in range(1, rows + 1)} | others


def last_sync_time(case: Case) -> int:
    """What the next run would read from, as far as that is known."""
    return sync_state(case.store, case.name).last_sync_time


def began_at(case: Case, seconds: int) -> None:
    """Lets the reading that is under way have begun at a time, Unix seconds."""
    with case.store.writing() as connection:
        [text] = connection.execute(sa.select(PIECES.c.piece).where(PIECES.c.sync == case.name)).scalars()
        begun = json.dumps({**json.loads(text), "started_at": seconds, "reaches_to": seconds})
        connection.execute(sa.update(PIECES).where(PIECES.c.sync == case.name).values(piece=begun))


def test_each_run_reads_one_piece_and_last_sync_time_moves_after_the_last(world: World) -> None:
    """To the start of the first piece; from then on runs read what changed."""
    case = in_pieces(world)
    first = run(case)
    assert (Status.COMPLETED, PieceOf(1, 3), 4) == read(first)
    assert "Piece 1 of 3 was read, 4 rows so far. The next run reads piece 2" in first.message
    assert everyone(4) == arrived(case)
    assert (Status.COMPLETED, PieceOf(2, 3), 4) == read(run(case))
    assert 0 == last_sync_time(case)
    under_way = reading_under_way(case.store, case.name)
    assert under_way is not None
    assert 8 == under_way.piece.rows_before
    began_at(case, 1_000)
    last = run(case)
    assert (Status.COMPLETED, PieceOf(3, 3), 2) == read(last)
    assert "Piece 3 of 3 was read, 10 rows so far: everything is." in last.message
    assert everyone(10) == arrived(case)
    assert (1_000, 1_000) == (last_sync_time(case), last.last_sync_time)
    assert reading_under_way(case.store, case.name) is None
    assert (Status.COMPLETED, None, 0) == read(run(case))


def test_what_changed_while_pieces_were_read_is_read_after_them(world: World) -> None:
    """Also in a piece that was read before, and behind it: rows that are newer than the first piece."""
    case = in_pieces(world)
    run(case)
    put(case, {2: "b", 9: "c"})
    with case.shop.changing() as database:
        database.execute("INSERT INTO shop VALUES ('new', 'new@example.com', 'b', 0, unixepoch())")
    run(case)
    run(case)
    assert everyone(10, p9="c") == arrived(case)
    assert (Status.COMPLETED, None, 3) == read(run(case))
    assert everyone(10, p2="b", p9="c", new="b") == arrived(case)


def test_rows_of_one_value_are_in_one_piece_and_those_without_one_in_the_last(world: World) -> None:
    """Whatever is at a piece's edge is read once."""
    case = in_pieces(world)
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET visits = 5 WHERE rowid BETWEEN 3 AND 8")
        database.execute("UPDATE shop SET visits = NULL WHERE rowid > 8")
    assert [(PieceOf(1, 2), 2), (PieceOf(2, 2), 8)] == [read(run(case))[1:] for _ in range(2)]
    assert everyone(10) == arrived(case)


def test_few_rows_are_read_in_one_run(world: World) -> None:
    """Not more than one piece has, and none at all."""
    case = in_pieces(world, rows=4)
    assert (Status.COMPLETED, None, 4) == read(run(case))
    assert last_sync_time(case)
    none = in_pieces(world, rows=1)
    with none.shop.changing() as database:
        database.execute("DELETE FROM shop")
    assert (Status.COMPLETED, None, 0) == read(run(none))


def test_failed_rows_hold_no_piece_back_and_are_carried_past_the_last(world: World) -> None:
    """Those of every piece; the run after the last one reads them by their identifiers."""
    case = in_pieces(world)
    put(case, {2: "bad", 6: "bad"}, at="100")
    assert (Status.SOME_ROWS_FAILED, PieceOf(1, 3), 4) == read(run(case))
    second = run(case)
    assert (Status.SOME_ROWS_FAILED, PieceOf(2, 3), 4) == read(second)
    assert "Piece 2 of 3 was read" in second.message
    assert second.carried is not None
    assert 2 == second.carried.left
    assert (Status.COMPLETED, PieceOf(3, 3), 2) == read(run(case))
    assert last_sync_time(case)
    put(case, {2: "b", 6: "c"}, at="100")
    mended = run(case)
    assert (Status.COMPLETED, None, 2) == read(mended)
    assert everyone(10, p2="b", p6="c") == arrived(case)


def test_a_piece_that_stopped_is_continued_alone(world: World) -> None:
    """What was acknowledged of it is not sent again; earlier pieces are not read again."""
    case = in_pieces(world)
    run(case)
    case.sandbox.faults([{"match": BATCH, "skip": 1, "always": True, "do": {"status": 401}}])
    stopped = run(case)
    assert (Status.FAILED, PieceOf(2, 3), 4) == read(stopped)
    assert "Piece 2 of 3" not in stopped.message
    case.sandbox.clear_faults()
    before = len(case.sandbox.requests())
    continued = run(case)
    assert (Status.COMPLETED, PieceOf(2, 3), 4) == read(continued)
    sent = [request for request in case.sandbox.requests()[before:] if request["path"] == BATCH["path"]]
    assert 1 == sum(request["items"] for request in sent)
    run(case)
    assert everyone(10) == arrived(case)


def test_rows_of_a_piece_that_stopped_need_no_retry(world: World) -> None:
    """The next run reads them whatever last sync time is, so the message sends nobody to `retry` or to `--full`."""
    case = in_pieces(world)
    for _ in range(3):
        run(case)
    run(case, scope=Scope(full=True))
    case.sandbox.faults([{"match": BATCH, "skip": 1, "always": True, "do": {"status": 401}}])
    stopped = run(case)
    case.sandbox.clear_faults()
    assert (Status.FAILED, PieceOf(2, 3)) == (stopped.status, stopped.piece)
    assert last_sync_time(case)
    assert "retry" not in stopped.message
    assert (Status.COMPLETED, PieceOf(2, 3), 4) == read(run(case))


def test_a_check_that_stops_a_piece_has_it_read_again(world: World) -> None:
    """A share of failed rows is judged piece by piece; a number of all rows is not judged."""
    case = in_pieces(world, checks=[PLANS, {"max_failed_rows": "30%"}, {"row_count": {"min": 10}}])
    put(case, {5: "bad", 6: "bad"}, at="100")
    assert (Status.COMPLETED, PieceOf(1, 3), 4) == read(run(case))
    assert (Status.FAILED, PieceOf(2, 3), 4) == read(run(case))
    put(case, {5: "b", 6: "b"}, at="100")
    assert [(PieceOf(2, 3), 4), (PieceOf(3, 3), 2)] == [read(run(case))[1:] for _ in range(2)]
    assert everyone(10, p5="b", p6="b") == arrived(case)


def test_another_query_begins_with_the_first_piece(world: World) -> None:
    """So does another column to cut by, and the message says so; another number of rows waits for the next reading."""
    case = in_pieces(world)
    run(case)
    ask(case, pieces={"by": "visits", "rows": 2})
    assert (Status.COMPLETED, PieceOf(2, 3), 4) == read(run(case))
    query = settings("people")["query"].replace("visits FROM", "visits, 1 AS added FROM")
    ask(case, pieces={"by": "visits", "rows": 5}, query=query)
    again = run(case)
    assert (Status.COMPLETED, PieceOf(1, 2), 5) == read(again)
    assert f"What {case.name} asks for changed since its first piece was read (query), so the pieces" in again.message
    ask(case, pieces={"by": "id", "rows": 5}, query=query)
    again = run(case)
    assert (Status.COMPLETED, PieceOf(1, 2), 5) == read(again)
    assert "(pieces.by)" in again.message
    run(case)
    assert everyone(10) == arrived(case)
    assert last_sync_time(case)


def test_a_sync_that_reads_in_pieces_no_longer_reads_everything(world: World) -> None:
    """Once, in one run."""
    case = in_pieces(world)
    run(case)
    ask(case)
    assert (Status.COMPLETED, None, 10) == read(run(case))
    assert reading_under_way(case.store, case.name) is None
    assert (Status.COMPLETED, None, 0) == read(run(case))


@pytest.mark.thorough
def test_full_begins_anew_and_is_continued_without_it(world: World) -> None:
    """Last sync time stays where it is until the last piece; what was asked for is sent, changed or not."""
    case = in_pieces(world, changes={"by": "compare"})
    for _ in range(3):
        run(case)
    before = last_sync_time(case)
    assert before
    assert [(PieceOf(1, 3), 4), (PieceOf(1, 3), 4)] == [read(run(case, scope=Scope(full=True)))[1:] for _ in range(2)]
    for number, rows in ((2, 4), (3, 2)):
        report = run(case)
        assert (PieceOf(number, 3), rows, rows) == (report.piece, report.rows.extracted, report.rows.delivered)
        assert "full" == report.reads
    assert last_sync_time(case) >= before
    assert (None, 0) == read(run(case))[1:]


def test_a_sync_that_compares_keeps_what_earlier_pieces_acknowledged(world: World) -> None:
    """A run after the last piece sends none of them again."""
    case = in_pieces(world, changes={"by": "compare"})
    for _ in range(3):
        assert Status.COMPLETED is run(case).status
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET updated_at = unixepoch()")
    put(case, {3: "b"})
    report = run(case)
    assert (10, 1, 9) == (report.rows.extracted, report.rows.delivered, report.rows.unchanged)


def test_everything_that_is_due_again_is_read_in_pieces_once(world: World) -> None:
    """Unchanged rows are sent again; a reading that is under way goes on, whether everything is due or not."""
    case = in_pieces(world, changes={"by": "compare", "full_every": "7d"})
    for _ in range(3):
        run(case)
    assert (None, 0) == read(run(case))[1:]
    changes = case.sync.changes.model_copy(update={"full_every": timedelta()})
    case.sync = case.sync.model_copy(update={"changes": changes})
    reports = [run(case) for _ in range(3)]
    assert [PieceOf(number, 3) for number in (1, 2, 3)] == [report.piece for report in reports]
    assert [4, 4, 2] == [report.rows.delivered for report in reports]


@pytest.mark.parametrize("scope", [Scope(since=0), Scope(limit=2)], ids=["since", "limit"])
def test_other_readings_leave_the_pieces_as_they_are(world: World, scope: Scope) -> None:
    """They are no piece, and the next run reads the one that was next."""
    case = in_pieces(world)
    run(case)
    assert run(case, scope=scope).piece is None
    assert (PieceOf(2, 3), 4) == read(run(case))[1:]


def test_a_plan_is_of_the_next_piece_and_holds_until_that_is_read(world: World) -> None:
    """Sent, it is that piece; after it was read by another run it is refused."""
    case = in_pieces(world)
    run(case)
    plans = [make_plan(case.sync, case.home, case.store, case.database, case.workspace) for _ in range(2)]
    assert [4, 4] == [plan.streams["rows"].to_send for plan in plans]
    assert "These are the rows of piece 2 of 3" in " ".join(plans[0].notes)
    assert (Status.COMPLETED, PieceOf(2, 3), 4) == read(run(case, scope=Scope(plan=plans[0].plan_id)))
    refused = case.run(scope=Scope(plan=plans[1].plan_id))
    assert isinstance(refused.error, ReverseEtlError)
    assert "another piece has been read since the plan was made" in str(refused.error)
    assert (PieceOf(3, 3), 2) == read(run(case))[1:]
    assert everyone(10) == arrived(case)


@pytest.mark.parametrize("full", [False, True])
def test_another_workspace_gets_every_piece(world: World, full: bool) -> None:
    """Also in the middle of `--full`: nothing that the one before acknowledged counts for it."""
    case = in_pieces(world)
    if full:
        for _ in range(3):
            run(case)
    run(case, scope=Scope(full=full))
    case.sandbox.reset()
    reports = [run(case) for _ in range(3)]
    assert [PieceOf(number, 3) for number in (1, 2, 3)] == [report.piece for report in reports]
    assert "is not the one that took the pieces before, so they begin again." in reports[0].message
    assert everyone(10) == arrived(case)
    assert (None, 0) == read(run(case))[1:]


def test_older_rows_that_are_sent_between_pieces_take_the_beginning_back(world: World) -> None:
    """They may have overwritten newer ones: what changed since they were read is read after the last piece."""
    case = in_pieces(world)
    case.sandbox.faults([{"match": BATCH, "always": True, "do": {"status": 401}}])
    stopped = case.run(scope=Scope(limit=2))
    case.sandbox.clear_faults()
    run(case)
    began_at(case, 2**31)
    run(case, root=stopped.root_run_id)
    under_way = reading_under_way(case.store, case.name)
    facts = case.home.run_folder(case.name, stopped.root_run_id).facts()
    assert under_way is not None
    assert facts is not None
    assert (2, facts.started_at) == (under_way.piece.number, under_way.piece.started_at)


def test_a_piece_that_ends_twice_moves_on_once(world: World) -> None:
    """A run of it that is executed again after the next piece was read changes nothing of what is next."""
    case = in_pieces(world)
    first = case.run()
    run(case)
    run(case, root=first.root_run_id)
    assert (PieceOf(3, 3), 2) == read(run(case))[1:]
    assert everyone(10) == arrived(case)


_lines: list[Lines] = []
"""Of a run of the second of three pieces; they are counted once."""


@pytest.mark.thorough
@pytest.mark.parametrize("part", [0.1, 0.35, 0.55, 0.75, 0.95])
@pytest.mark.parametrize("in_close", [False, True], ids=["before", "in_close"])
def test_a_piece_that_is_killed_is_read_once_more_or_was_read(world: World, part: float, in_close: bool) -> None:
    """Before a line of its code: nothing is lost, no piece is left out, and earlier ones are not read again."""

    def prepared() -> Case:
        case = in_pieces(world)
        run(case)
        return case

    if not _lines:
        _lines.append(lines_of_a_whole_run(prepared()))
    case = prepared()
    most = _lines[0].in_close if in_close else _lines[0].before_close
    kill(case, case.start(), int(most * part), in_close=in_close)
    under_way = reading_under_way(case.store, case.name)
    assert under_way is not None
    assert under_way.piece.number in ((2, 3) if in_close else (2,))
    pieces = [(report.piece, report.rows.extracted) for report in _to_the_end(case)]
    assert [(PieceOf(3, 3), 2)] == pieces[-1:]
    assert [(PieceOf(2, 3), 4)] * (3 - under_way.piece.number) == pieces[:-1]
    assert everyone(10) == arrived(case)


def _to_the_end(case: Case) -> Iterator[RunReport]:
    """Runs until no piece is left."""
    while reading_under_way(case.store, case.name) is not None:
        yield run(case)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.thorough) for seed in range(1, 12))])
def test_nothing_is_lost_in_any_history(world: World, seed: int) -> None:
    """Rows come, change and move to other pieces between runs that are refused, stopped, `--full` or re-executed."""
    chance = random.Random(seed)  # noqa: S311 - repeatable
    compare = {"changes": {"by": "compare"}} if chance.random() < 0.5 else {}
    case = in_pieces(world, rows=chance.randint(8, 30), of=chance.randint(2, 9), **compare)
    stopped: list[str] = []
    for _ in range(chance.randint(4, 9)):
        _change(case, chance)
        if chance.random() < 0.3:
            answer = chance.choice([{"status": 401}, {"status": 401, "apply": True}, {"refuse_items": {"ids": ["p3"]}}])
            skip = chance.randint(0, 2)
            case.sandbox.faults([{"match": BATCH, "skip": skip, "always": True, "do": answer}])
        root = stopped.pop() if stopped and chance.random() < 0.4 else ""
        scope = Scope(full=True) if not root and chance.random() < 0.1 else Scope()
        ending = case.run(root=root, scope=scope)
        if ending.report is not None and ending.report.status is Status.FAILED:
            stopped.append(ending.root_run_id)
        case.sandbox.clear_faults()
    while reading_under_way(case.store, case.name) is not None or not last_sync_time(case):
        run(case)
    run(case)
    report = run(case)
    assert (Status.COMPLETED, None) == (report.status, report.piece)
    there = arrived(case)
    assert {row.id: row.plan for row in case.shop.rows()}.items() <= there.items()


def _change(case: Case, chance: random.Random) -> None:
    """Some rows, as of now; some of them have another place among the pieces."""
    rows = case.shop.rows()
    with case.shop.changing() as database:
        for row in chance.sample(rows, min(len(rows), chance.randint(0, 4))):
            number = chance.choice([row.visits, chance.randint(-5, 40), None])
            values = chance.choice("abc"), number, row.number
            database.execute("UPDATE shop SET plan = ?, visits = ?, updated_at = unixepoch() WHERE rowid = ?", values)
        for _ in range(chance.randint(0, 2)):
            new = f"n{chance.randrange(10**9)}"
            values = new, f"{new}@example.com", chance.choice("abc"), chance.randint(-5, 40)
            database.execute("INSERT INTO shop VALUES (?, ?, ?, ?, unixepoch())", values)
