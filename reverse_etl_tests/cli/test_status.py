"""`status` shows every sync of the files, joined with what is remembered of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reverse_etl.changeset.scope import Reads
from reverse_etl.cli import words
from reverse_etl.cli.commands.pause import pause
from reverse_etl.cli.commands.plan import plan
from reverse_etl.cli.commands.preview import preview
from reverse_etl.cli.commands.resume import resume
from reverse_etl.cli.commands.retry import retry
from reverse_etl.cli.commands.run import run as run_command
from reverse_etl.cli.commands.status import status
from reverse_etl.cli.project import runnable_project
from reverse_etl.config.schedule import ScheduleConfig
from reverse_etl.errors import ConfigError, ConfigProblemsError
from reverse_etl.report import Status
from reverse_etl.state.runs import begin_run
from reverse_etl.state.syncs import record_seen, set_paused
from reverse_etl.syncs_page.sync_status import next_due
from reverse_etl_tests.cli.remembered import Remembered, run, run_json
from reverse_etl_tests.leaving_out import leaves_out

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Remembered:
    """Two syncs that have not run."""
    return Remembered.at(tmp_path, monkeypatch)


def test_syncs_that_have_not_run_are_listed(project: Remembered) -> None:
    """Both, with what is known: nothing is stale, nothing failed; and a sentence says what to do."""
    people, staff = run_json(status)
    unknown = ("run_id", "status", "started_at", "rows", "failed_rows", "last_sync_at")
    assert ("people", "active", 0) == tuple(people[key] for key in ("sync", "sync_status", "last_sync_time"))
    assert dict.fromkeys(unknown) == {key: people[key] for key in unknown}
    assert (False, "never") == (people["stale"], people["freshness"])
    assert (None, "people", "main") == (staff["next_run"], staff["kind"], staff["workspace"])
    assert "No sync has run yet: start one with `reverse-etl run SYNC`." in run(status).stdout


def test_a_run_is_shown_with_the_keys_of_run_json(project: Remembered) -> None:
    """Its report, and beside it failed rows of both queries, freshness, next due time."""
    report = project.ran("r1", ago=timedelta(minutes=12), status=Status.SOME_ROWS_FAILED)
    people = run_json(status)[0]
    assert {key: value for key, value in report.as_json().items() if key != "last_sync_time"}.items() <= people.items()
    assert (3, 0, "10 minutes ago") == (people["failed_rows"], people["last_sync_time"], people["freshness"])
    next_run = datetime.fromisoformat(people["next_run"])
    assert (30, 0) == (next_run.minute, next_run.second)
    assert timedelta(0) <= next_run - datetime.now(UTC) <= HOUR


def test_a_sync_that_compares_shows_how(project: Remembered) -> None:
    """By what, what is remembered, and what becomes of what is gone; others show nothing of it, in lines of 80."""
    assert {"by": "last_sync_time", "level": None, "gone": {}} == run_json(status)[0]["changes"]
    assert "changes" not in run(status).stdout
    file = project.folder / "syncs" / "staff.yaml"
    plain = file.read_text().replace("{}", "{identify_by: id}")
    for changes, section, shown in (
        ("{by: compare}", "", "by: compare · level: hashes"),
        ("{by: compare}", ", gone: clear", "by: compare · level: identifiers · gone: clear"),
        ("{by: compare, keep: 30d}", ", gone: clear", "by: compare · level: values · gone: clear"),
        ("{by: compare}", ", send: changed_attributes", "by: compare · level: values"),
    ):
        file.write_text(plain.replace("identify_by: id", f"identify_by: id{section}") + f"changes: {changes}\n")
        assert shown in run(status).stdout
        [_, staff] = run_json(status)
        assert shown.split(" · ")[1] == f"level: {staff['changes']['level']}"


def test_in_a_narrow_terminal_how_a_sync_compares_is_below_it(
    project: Remembered, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a line of its own, within 80 columns."""
    file = project.folder / "syncs" / "staff.yaml"
    file.write_text(file.read_text().replace("{}", "{gone: clear}") + "changes: {by: compare, keep: 30d}\n")
    monkeypatch.setenv("COLUMNS", "80")
    lines = run(status).stdout.splitlines()
    assert "  by: compare · level: values · gone: clear" in lines
    assert max(map(len, lines)) <= 80


def test_freshness_counts_from_the_last_delivery(project: Remembered) -> None:
    """A run with failed rows delivered the others; last sync time is that of the completed one all the same."""
    completed = project.ran("r1", ago=5 * HOUR)
    assert ("4 hours ago, stale", True) == tuple(run_json(status)[0][key] for key in ("freshness", "stale"))
    project.ran("r2", ago=timedelta(minutes=5), status=Status.SOME_ROWS_FAILED)
    project.ran("r3", ago=timedelta(minutes=1), status=Status.FAILED)
    people = run_json(status)[0]
    assert (words.iso(completed.started_at), "3 minutes ago", False, "r3") == (
        people["last_sync_at"], people["freshness"], people["stale"], people["run_id"],
    )  # fmt: skip


def test_an_undo_makes_nothing_fresher(project: Remembered) -> None:
    """It takes rows back to what they were."""
    project.ran("r1", ago=5 * HOUR)
    project.ran("r2", ago=timedelta(minutes=5), reads=Reads.UNDO)
    assert "4 hours ago, stale" == run_json(status)[0]["freshness"]


def test_a_sync_that_never_completes_gets_stale(project: Remembered) -> None:
    """It was first seen more than two intervals ago."""
    record_seen(project.store, "people", "main", datetime.now(UTC) - 3 * HOUR)
    assert ("never, stale", True) == tuple(run_json(status)[0][key] for key in ("freshness", "stale"))


def test_a_paused_sync_has_no_next_run(project: Remembered) -> None:
    """It says so in the table, too."""
    set_paused(project.store, "people", True)
    people = run_json(status)[0]
    assert ("paused", None) == (people["sync_status"], people["next_run"])
    assert "paused" in run(status).stdout


@pytest.mark.parametrize(("command", "word"), [(pause, "paused"), (resume, "active")])
def test_pause_and_resume_print_the_sync_as_status_does(
    project: Remembered, monkeypatch: pytest.MonkeyPatch, command: Callable[..., None], word: str
) -> None:
    """With `--json`; the sentence is on stderr all the same."""
    monkeypatch.setenv("REVERSE_ETL_SYNCS", str(project.folder / "syncs"))
    printed = run_json(command, "people")
    assert ("people", word) == (printed["sync"], printed["sync_status"])
    assert printed.keys() == run_json(status)[0].keys()


def test_the_table_is_for_people(project: Remembered) -> None:
    """Counts with separators, times in words, Unix time beside the clock's."""
    report = project.ran("r1", ago=timedelta(minutes=12))
    begin_run(
        project.store,
        "r2",
        root_run_id="r2",
        sync="staff",
        workspace="main",
        started_at=datetime.now(UTC) - HOUR,
        since=0,
    )
    shown = run(status).stdout
    started = words.clock(report.started_at)
    for part in ("1,200 of 1,200", "12 minutes ago", "took 90.0 s", started, "by hand", "running"):
        assert part in shown
    assert str(int(report.started_at.timestamp())) in shown
    assert "No sync has run yet" not in shown


def test_last_sync_time_is_not_when_data_arrived(project: Remembered) -> None:
    """A first run with failed rows delivered data and left last sync time where it was: each has its column."""
    project.ran("r1", ago=timedelta(minutes=5), status=Status.SOME_ROWS_FAILED)
    assert {"data arrived": "3 minutes ago", "last sync time": "none yet"}.items() <= cells("people").items()
    completed = project.ran("r2", ago=timedelta(minutes=4))
    assert str(int(completed.started_at.timestamp())) == cells("people")["last sync time"]


def cells(sync: str) -> dict[str, str]:
    """By column, the first line of a sync's row."""
    headings, *lines = (re.split(r" {2,}", line.strip()) for line in run(status).stdout.splitlines() if line.strip())
    return dict(zip(headings, next(line for line in lines if line[0] == sync), strict=False))


def test_a_faulty_file_hides_no_other_sync(project: Remembered, capsys: pytest.CaptureFixture[str]) -> None:
    """The others are shown, then who is left out and why, then the problem: exit code 2."""
    leaves_out(project.folder / "syncs")
    file = project.folder / "syncs" / "broken.yaml"
    file.write_text((project.folder / "syncs" / "people.yaml").read_text().replace("workspace:", "workspce:"))
    project.write("later", "{after: broken}")
    for as_json in (False, True):
        with pytest.raises(ConfigProblemsError, match=r"syncs/broken\.yaml:2: workspce: unknown key") as ended:
            status(project.folder / "syncs", as_json=as_json)
        assert 2 == ended.value.exit_code
        shown, said = capsys.readouterr()
        assert "broken: left out, its own file is faulty.\nlater: left out, waits for broken.\n" in said
        if not as_json:
            assert re.search(r"later +active .*left out", shown)
            assert not re.search(r"people +active .*left out", shown)
            continue
        found = {each["sync"]: each for each in json.loads(shown)}
        assert ["later", "people", "staff", "broken"] == list(found)
        assert [True, False, False, True] == [each["blocked_by_faulty_file"] for each in found.values()]
        assert found["people"]["next_run"]
        assert ("own_file", "after") == tuple(found[name]["left_out"]["reason"] for name in ("broken", "later"))
        assert "it runs after broken, which is left out: syncs/broken.yaml:2:" in found["later"]["left_out"]["message"]
    (project.folder / "syncs" / "connections.yaml").write_text("databases: 1\n")
    with pytest.raises(ConfigProblemsError):
        status(project.folder / "syncs")
    assert re.search(r"people +active .*left out", capsys.readouterr().out)


@pytest.mark.parametrize("shared", [False, True])
def test_what_the_state_knows_of_a_sync_with_a_faulty_file_is_shown(
    project: Remembered, capsys: pytest.CaptureFixture[str], shared: bool
) -> None:
    """Its pause, its last run, what that delivered, last sync time and where to; with the keys of every other sync."""
    other = run_json(status)[0]
    ran = project.ran("r1", ago=timedelta(hours=1))
    set_paused(project.store, "people", True)
    if shared:
        (project.folder / "syncs" / "connections.yaml").write_text("databases: 1\n")
    else:
        project.write("people", "{every: never}")
    for as_json in (False, True):
        with pytest.raises(ConfigProblemsError):
            status(project.folder / "syncs", as_json=as_json)
    table, entries = capsys.readouterr().out.partition("[\n")[::2]
    line = next(line for line in table.splitlines() if line.startswith("people"))
    last_sync_time = int(ran.started_at.timestamp())
    for words_of_it in ("paused", "completed", "1,200 of 1,200", "left out", str(last_sync_time)):
        assert words_of_it in line
    entry = next(each for each in json.loads(f"[\n{entries}") if each["sync"] == "people")
    assert other.keys() == entry.keys()
    known = {"run_id": "r1", "status": "completed", "sync_status": "paused", "workspace": "main", "next_run": None}
    assert {**known, "last_sync_time": last_sync_time, "stale": None}.items() <= entry.items()
    assert datetime.fromisoformat(entry["last_sync_at"]) == ran.started_at
    assert ("shared_file" if shared else "own_file") == entry["left_out"]["reason"]


@pytest.mark.parametrize("command", [plan, preview, retry, run_command])
def test_a_sync_that_is_asked_for_and_left_out_is_said_once(
    project: Remembered, capsys: pytest.CaptureFixture[str], command: Callable[..., None]
) -> None:
    """As the error; a command about another sync warns of it."""
    leaves_out(project.folder / "syncs")
    project.write("staff", "{every: never}")
    with pytest.raises(ConfigError, match=r"staff is left out: its own file is faulty: syncs/staff\.yaml:3: "):
        run(command, "staff")
    assert "" == capsys.readouterr().err
    runnable_project(project.folder / "syncs", "people")
    assert "Left out until the files are mended: staff." in capsys.readouterr().err


def test_a_faulty_file_that_stops_all_is_said_once(project: Remembered, capsys: pytest.CaptureFixture[str]) -> None:
    """However many syncs there are."""
    for number in range(9):
        project.write(f"s{number}", "manual")
    project.write("broken", "{every: never}")
    with pytest.raises(ConfigProblemsError, match=r"syncs/broken\.yaml:(?s:.*)One faulty file stops every sync"):
        status(project.folder / "syncs")
    said = capsys.readouterr().err
    assert "broken: left out, its own file is faulty.\n" in said
    assert "people, s0, s1, s2, s3 and 6 more: left out, syncs/broken.yaml is faulty.\n" in said


def test_a_sync_without_a_file_that_dagster_still_has_is_named(project: Remembered) -> None:
    """Until Dagster has loaded the files again."""
    project.loads()
    assert "its file is gone" not in run(status).stderr
    (project.folder / "syncs" / "staff.yaml").unlink()
    said = "staff: its file is gone; Dagster still has it until it reloads, and starts no run of it."
    assert said in run(status).stderr
    project.loads()
    assert "its file is gone" not in run(status).stderr


def test_a_folder_without_syncs_is_no_error(project: Remembered) -> None:
    """Only connections so far: an empty list, a sentence."""
    for name in ("people", "staff"):
        (project.folder / "syncs" / f"{name}.yaml").unlink()
    assert [] == run_json(status)
    assert "There are no syncs in" in run(status).stdout


@pytest.mark.parametrize(
    ("schedule", "first_seen_at", "due"),
    [
        (ScheduleConfig(every=HOUR, start_at=NOON + timedelta(minutes=30)), None, NOON + timedelta(minutes=30)),
        (ScheduleConfig(every=HOUR), NOON - timedelta(minutes=10), NOON + timedelta(minutes=52)),
        (ScheduleConfig(every=HOUR), None, None),
        (ScheduleConfig(cron="15 * * * *"), None, NOON + timedelta(minutes=15)),
        (ScheduleConfig(), NOON, None),
    ],
)
def test_the_next_run_follows_the_schedule(
    schedule: ScheduleConfig, first_seen_at: datetime | None, due: datetime | None
) -> None:
    """From its start, else from when it was first seen; by cron; or never by itself."""
    assert due == next_due(schedule, first_seen_at, NOON)


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        (NOON, "now"),
        (NOON - timedelta(seconds=59), "59 seconds ago"),
        (NOON - timedelta(seconds=60), "1 minute ago"),
        (NOON - timedelta(hours=47), "1 day ago"),
        (NOON + timedelta(minutes=119), "in 1 hour"),
        (None, "never"),
    ],
)
def test_times_are_shown_in_their_largest_unit(moment: datetime | None, said: str) -> None:
    """Rounded down, in singular and plural."""
    assert said == words.from_now(moment, NOON)
