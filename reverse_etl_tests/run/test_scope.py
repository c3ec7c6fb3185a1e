"""Runs that read what they are asked for: since a time, the first rows, rows by their identifiers."""

from __future__ import annotations

import random
import stat
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reverse_etl.changeset.scope import WHAT_CHANGED, Reads, Scope
from reverse_etl.config.connections import RetentionConfig
from reverse_etl.config.inline import parse_sync
from reverse_etl.errors import ConfigError, StateError
from reverse_etl.report import Status
from reverse_etl.run.named_rows import keep_identifiers
from reverse_etl.state.home import Home
from reverse_etl.state.retention import prune
from reverse_etl.state.run_history import find_run
from reverse_etl.state.syncs import sync_state
from reverse_etl_tests.faults.completed import ROWS, completed_once, ended
from reverse_etl_tests.faults.kills import kill, lines_of_a_whole_run
from reverse_etl_tests.faults.runs import Case, Ended, World, new_world
from reverse_etl_tests.faults.shop import settings
from reverse_etl_tests.servers.sandbox import RunningSandbox

BATCH = {"path": "/api/v2/batch"}
LONG_AGO = 50
"""Before every row of the shop."""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A workspace that answers as often as it is asked."""
    with new_world(tmp_path) as world:
        yield world


@pytest.fixture
def case(tmp_path: Path, sandbox: RunningSandbox) -> Case:
    """A sync of people that has completed once; then each row got a new plan, without a time of its change."""
    case = completed_once(tmp_path, sandbox)
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET plan = 'new'")
    return case


def newly(case: Case) -> set[str]:
    """Ids of the people whose new plan has arrived."""
    return {person["id"] for person in case.sandbox.people() if person["attributes"].get("plan") == "new"}


def ids(*numbers: int) -> set[str]:
    """Of the rows with these numbers."""
    return {f"p{number}" for number in numbers}


def only(case: Case, *identifiers: str) -> Scope:
    """The scope of rows with these identifiers."""
    return Scope(only=keep_identifiers(case.home, case.store, case.name, identifiers))


def reads(case: Case, run: Ended) -> Reads:
    """What a run read, as its folder says it."""
    facts = case.home.run_folder(case.name, run.root_run_id).facts()
    assert facts is not None
    return facts.reads


def test_since_reads_what_changed_since_and_leaves_last_sync_time(case: Case) -> None:
    """Exactly since then: nothing is added for late rows. What the next run reads stays as it was."""
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET updated_at = 60 + rowid WHERE rowid < 4")
    before = sync_state(case.store, case.name)
    run = case.run(scope=Scope(since=62))
    report = ended(run)
    assert (Status.COMPLETED, ROWS - 1, 62) == (report.status, report.rows.delivered, report.read_from)
    assert {*ids(*range(2, ROWS + 1))} == newly(case)
    assert (Reads.SINCE, before) == (reads(case, run), sync_state_but_run(case, before.last_run_id))
    assert "Only what changed since 1970-01-01 00:01:02 UTC was read: last sync time stays as it is." in report.message


def sync_state_but_run(case: Case, run_id: str) -> Any:
    """What is remembered of the sync, as if another run were its last."""
    return replace(sync_state(case.store, case.name), last_run_id=run_id)


def test_a_limit_reads_the_first_rows(case: Case) -> None:
    """Of what changed, or with full of everything; shares of all rows do not judge it."""
    before = sync_state(case.store, case.name)
    assert 0 == ended(case.run(scope=Scope(limit=2))).rows.extracted
    run = case.run(scope=Scope(limit=2, full=True))
    report = ended(run)
    assert (Status.COMPLETED, 2, ids(1, 2)) == (report.status, report.rows.delivered, newly(case))
    assert (Reads.LIMIT, before) == (reads(case, run), sync_state_but_run(case, before.last_run_id))
    assert "Only the first rows were read, at most 2 rows of each query: last sync time stays" in report.message
    assert 3 == ended(case.run(scope=Scope(limit=3, since=LONG_AGO))).rows.delivered


def test_only_reads_rows_by_their_identifiers(case: Case) -> None:
    """With the values that they have now, however often they are named; one that is not there is a failed row."""
    before = sync_state(case.store, case.name)
    run = case.run(scope=only(case, "p3", "p7", "p3"))
    report = ended(run)
    assert (Status.COMPLETED, 2, ids(3, 7)) == (report.status, report.rows.delivered, newly(case))
    assert (Reads.ONLY, before) == (reads(case, run), sync_state_but_run(case, before.last_run_id))
    assert "Only the rows with the identifiers that were asked for were read: last sync time stays" in report.message
    report = ended(case.run(scope=only(case, "p4", "it's nobody")))
    assert (Status.SOME_ROWS_FAILED, 1, 1) == (report.status, report.rows.delivered, report.rows.rejected)
    assert "no_longer_found" in Path(report.failed_rows_csv).read_text()


def test_relationships_come_with_the_people_who_are_named(world: World) -> None:
    """Somebody without any is no failure."""
    case = world.case("related", random.Random(1), rows=5)  # noqa: S311 - repeatable
    report = ended(case.run(scope=only(case, "p2")))
    assert (Status.COMPLETED, 1, 1) == (report.status, report.rows.delivered, report.streams["relationships"].delivered)
    keys = settings("related")
    keys["relationships"]["query"] = "SELECT id, 'o1' AS object_id FROM shop WHERE id = 'p2'"
    case.sync = parse_sync(case.name, {"database": "shop", "workspace": "main", "schedule": "manual", **keys})
    report = ended(case.run(scope=only(case, "p3")))
    assert (Status.COMPLETED, 1, 0) == (report.status, report.rows.delivered, report.streams["relationships"].extracted)


def test_identifiers_are_in_a_private_file_alone(case: Case) -> None:
    """A file of the home folder that its owner alone can read; without it, the run says how to go on."""
    scope = only(case, "p3")
    path = case.home.run_folder(case.name, scope.only).path / "only.parquet"
    assert (0o600, 0o700) == (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode))
    path.unlink()
    run = case.run(scope=scope)
    assert isinstance(run.error, StateError)
    assert "--only" in str(run.error)


def test_another_machine_finds_the_identifiers(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where machines share their files; they go when a changeset of that age goes."""
    monkeypatch.setenv("REVERSE_ETL_STORAGE_URL", str(tmp_path / "shared"))
    scope = only(case, "p3")
    here, case.home = case.home, Home.at(tmp_path / "another")
    assert (Status.COMPLETED, ids(3)) == (ended(case.run(scope=scope)).status, newly(case))
    for home in (here, case.home):
        prune(case.store, home, RetentionConfig(), datetime.now(UTC) + timedelta(days=400))
    assert [] == [*here.changesets.rglob("only.parquet"), *(tmp_path / "shared").rglob("only.parquet")]


@pytest.mark.parametrize("reading", ["since", "limit", "only"])
def test_failed_rows_of_such_a_run_are_retried(case: Case, reading: str) -> None:
    """They are not those of the next run, which its message says."""
    scope = {"since": Scope(since=LONG_AGO), "limit": Scope(limit=3, full=True), "only": only(case, "p1", "p2")}[
        reading
    ]
    case.sandbox.faults([{"match": BATCH, "always": True, "do": {"refuse_items": {"ids": ["p1"]}}}])
    run = case.run(scope=scope)
    report = ended(run)
    assert (Status.SOME_ROWS_FAILED, 1) == (report.status, report.rows.refused)
    assert report.message.endswith(f"for these rows, run: reverse-etl retry {case.name}")
    assert f"See: reverse-etl errors {case.name} --run {report.run_id[:8]}. The next run " in report.message
    case.sandbox.clear_faults()
    assert 0 == ended(case.run()).rows.extracted
    retried = ended(case.run(scope=Scope(retry_of=run.run_id)))
    assert (Status.COMPLETED, 1) == (retried.status, retried.rows.delivered)
    assert "p1" in newly(case)


def test_one_that_stopped_is_re_executed_and_no_other_run_continues_it(case: Case) -> None:
    """The re-execution sends the rest of what was read; the sync's next run reads what it would have read."""
    before = sync_state(case.store, case.name)
    case.sandbox.faults([{"match": BATCH, "skip": 1, "always": True, "do": {"status": 401}}])
    stopped = case.run(scope=Scope(since=LONG_AGO))
    assert Status.FAILED is ended(stopped).status
    case.sandbox.clear_faults()
    resumed = case.resume(stopped)
    assert (Status.COMPLETED, ROWS) == (ended(resumed).status, len(newly(case)))
    assert before.last_sync_time == sync_state(case.store, case.name).last_sync_time
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET plan = 'newer'")
    case.sandbox.faults([{"match": BATCH, "skip": 1, "always": True, "do": {"status": 401}}])
    stopped = case.run(scope=Scope(since=LONG_AGO))
    case.sandbox.clear_faults()
    following = case.run()
    assert (Status.COMPLETED, 0) == (ended(following).status, ended(following).rows.extracted)
    assert case.home.changeset_run_id(case.name, following.root_run_id) == following.run_id


@pytest.mark.thorough
def test_a_run_whose_process_is_gone_is_not_said_to_be_read_again(case: Case) -> None:
    """By a run that reads other rows."""
    lines = lines_of_a_whole_run(case).before_close
    gone = case.start()
    kill(case, gone, lines // 2, in_close=False)
    assert Status.COMPLETED is ended(case.run(scope=only(case, "p3"))).status
    report = find_run(case.store, gone.run_id)
    assert report is not None
    assert (Status.FAILED, True) == (report.status, report.message.endswith("reads other rows than this one."))


@pytest.mark.parametrize("reading", ["since", "limit", "only"])
def test_nobody_leaves_a_mirrored_segment_because_a_run_left_them_out(world: World, reading: str) -> None:
    """Only a reading of all rows says who is gone."""
    case = world.case("people", random.Random(1), rows=5)  # noqa: S311 - repeatable
    segment = {"name": "Everyone", "mirror": True, "mirror_max_removed": "100%"}
    keys = {"database": "shop", "workspace": "main", "schedule": "manual", "query": "SELECT id, email FROM shop"}
    case.sync = parse_sync(case.name, {**keys, "people": {"identify_by": "id", "segment": segment}})
    assert Status.COMPLETED is ended(case.run()).status
    if reading == "since":
        (segments,) = world.sandbox.segments()
        assert 5 == len(segments["people"])
        with pytest.raises(ConfigError, match="no query has"):
            Scope(since=LONG_AGO).check(case.sync)
        return
    scope = Scope(limit=2) if reading == "limit" else only(case, "p3")
    assert Status.COMPLETED is ended(case.run(scope=scope)).status
    (segments,) = world.sandbox.segments()
    assert 5 == len(segments["people"])


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-01-05", 1_767_571_200),
        ("2026-01-05T01:30:00Z", 1_767_576_600),
        ("2026-01-05 02:30:00.9+01:00", 1_767_576_600),
        ("2026-01-05T01:30", 1_767_576_600),
        ("1960-01-05", 0),
    ],
)
def test_a_time_is_iso_8601_and_utc_where_it_names_no_zone(text: str, seconds: int) -> None:
    """A date is its midnight; a fraction of a second is left out, so that more is read rather than less."""
    assert Scope(since=seconds) == Scope.of(since=text)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"since": "yesterday"}, "--since is not a time.\nWrite --since 2026-01-05T01:30:00Z, or a date such as"),
        ({"since": "9999-12-31T23:59:59-23:59"}, "--since is"),
        ({"since": "2999-01-01"}, "--since is in the future: nothing has changed since then."),
        ({"full": True, "since": "2026-01-05"}, "--full and --since exclude each other."),
        ({"full": True, "only": "x"}, "--full and --only exclude each other."),
        ({"since": "2026-01-05", "only": "x"}, "--since and --only exclude each other."),
        ({"limit": 1, "only": "x"}, "--limit and --only exclude each other."),
        ({"limit": -1}, "--limit is less than 1."),
        ({"until": "2026-01-05"}, "--until needs --since beside it."),
        ({"since": "2026-01-05", "until": "2026-01-05"}, "--until is not after --since."),
        ({"since": "2026-01-05", "until": "later"}, "--until is not a time."),
        ({"full": True, "until": "2026-01-05"}, "--full and --until exclude each other."),
    ],
)
def test_options_that_exclude_each_other(options: dict[str, Any], sentence: str) -> None:
    """Are a mistake in words, with exit code 2."""
    with pytest.raises(ConfigError) as raised:
        Scope.of(**options, mark="--")
    assert sentence.replace("\n", " ") in str(raised.value).replace("\n", " ")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"full": True},
        {"since": "2026-01-05T01:30:00+00:00"},
        {"since": "2026-01-05T00:00:00+00:00", "until": "2026-01-05T00:00:01+00:00", "limit": 1},
        {"limit": 3, "full": True},
        {"only": "a"},
        {"retry_of": "r"},
    ],
)
def test_options_come_back_as_they_were(options: dict[str, Any]) -> None:
    """Through the configuration of a run in Dagster, too; nothing in it is what changed."""
    scope = Scope.of(**options)
    assert (options, scope) == (scope.as_options(), Scope.of(**scope.as_options()))
    assert (scope == WHAT_CHANGED) == (not options)
    assert scope.reads.is_whole == (not options or options == {"full": True})


def test_a_time_of_now_is_one(case: Case) -> None:
    """By this machine's clock."""
    assert Scope.of(since=datetime.now(UTC).isoformat()).since is not None
