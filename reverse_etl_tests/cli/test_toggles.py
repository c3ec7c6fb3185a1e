"""`status` sees a schedule that is off in Dagster's UI, and `resume` turns it on there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._daemon.types import DaemonHeartbeat

from reverse_etl.cli.commands.pause import pause
from reverse_etl.cli.commands.resume import resume
from reverse_etl.cli.commands.status import status
from reverse_etl.errors import ConfigError, ConfigProblemsError
from reverse_etl.state.syncs import set_paused, sync_state
from reverse_etl_tests.cli.remembered import Remembered, run, run_json
from reverse_etl_tests.defs.daemon import Daemon
from reverse_etl_tests.leaving_out import leaves_out

OFF = "off in Dagster's UI"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Remembered:
    """`people` runs every hour, `staff` by hand; there is no Dagster instance yet."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    project = Remembered.at(tmp_path, monkeypatch)
    monkeypatch.setenv("REVERSE_ETL_SYNCS", str(tmp_path / "syncs"))
    return project


@contextmanager
def dagster(project: Remembered) -> Iterator[Daemon]:
    """The instance that `reverse-etl ui` has, as shipped, and its daemon."""
    shutil.copyfile(str(files("reverse_etl.defs") / "dagster.yaml"), project.home.dagster / "dagster.yaml")
    with dg.DagsterInstance.from_config(str(project.home.dagster)) as instance, Daemon.of(instance) as daemon:
        yield daemon


def turn_off(daemon: Daemon, sync: str) -> None:
    """What the toggle in the UI does."""
    schedule = daemon.schedule(sync)
    daemon.instance.stop_schedule(schedule.get_remote_origin_id(), schedule.selector_id, schedule)


def is_on(daemon: Daemon, sync: str) -> bool:
    """What the toggle in the UI shows."""
    schedule = daemon.schedule(sync)
    stored = daemon.instance.get_instigator_state(schedule.get_remote_origin_id(), schedule.selector_id)
    return schedule.get_current_instigator_state(stored).is_running


def people() -> tuple[object, ...]:
    """What `status` says of `people`."""
    found = run_json(status)[0]
    return tuple(found[key] for key in ("sync_status", "off_in_dagster", "next_run"))


def test_a_schedule_that_is_off_shows_in_the_status(project: Remembered) -> None:
    """As `paused`, with where; other syncs stay active; back on it is active."""
    with dagster(project) as daemon:
        assert ("active", False) == people()[:2]
        assert OFF not in run(status).stdout
        turn_off(daemon, "people")
        assert ("paused", True, None) == people()
        assert OFF in run(status).stdout
        assert ["active"] == [each["sync_status"] for each in run_json(status) if each["sync"] == "staff"]
        set_paused(project.store, "people", True)
        assert f"paused, and {OFF}" in run(status).stdout
        daemon.instance.start_schedule(daemon.schedule("people"))
        assert ("paused", False) == people()[:2]


def test_resume_turns_the_schedule_on_again(project: Remembered) -> None:
    """Where the UI shows it on again, and the next due time leads to a run; doing so again changes nothing."""
    with dagster(project) as daemon:
        turn_off(daemon, "people")
        run(pause, "people")
        said = run(resume, "people").stderr
        assert "people is active: it runs at its next due time. Its schedule was off in Dagster's UI, and is on" in said
        assert is_on(daemon, "people")
        assert "active" == people()[0]
        assert "due time.\n" in run(resume, "people").stderr
        daemon.ticks(datetime.now(UTC) + timedelta(hours=1))
        assert ["people"] == [found.job_name for found in daemon.instance.get_runs()]


def test_the_location_that_ticked_last_counts(project: Remembered) -> None:
    """A code location that was renamed leaves the old toggle behind: what it says is over."""
    with dagster(project) as daemon:
        turn_off(daemon, "people")
        (state,) = daemon.instance.all_instigator_state()
        origin = state.origin.repository_origin
        old = origin.code_location_origin._replace(location_name="before")
        before = state.origin._replace(repository_origin=origin._replace(code_location_origin=old))
        daemon.instance.add_instigator_state(state._replace(origin=before))
        assert ("paused", True) == people()[:2]
        run(resume, "people")
        daemon.ticks(datetime.now(UTC) + timedelta(hours=1))
        assert ("active", False) == people()[:2]


def test_a_sync_that_is_run_by_hand_has_no_due_time_to_resume_at(project: Remembered) -> None:
    """It says the command that runs it."""
    run(pause, "staff")
    assert "staff is active. It has no due times; to run it: reverse-etl run staff\n" == run(resume, "staff").stderr


@pytest.mark.thorough
def test_dagster_is_not_imported_where_no_schedule_is_off(project: Remembered) -> None:
    """Neither without an instance nor with one whose schedules are all on; nor is what rows are read with."""
    program = (
        "import sys\nimport reverse_etl.cli.main\nfrom reverse_etl.cli.commands.status import status\n"
        "from pathlib import Path\n"
        "status(Path('syncs'), True)\n"
        "print(*sorted({'dagster', 'httpx', 'pandas', 'pyarrow'} & sys.modules.keys()), file=sys.stderr, sep=',')"
    )

    def imported() -> str:
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        return done.stderr.splitlines()[-1]

    assert ("active", None) == people()[:2]
    assert "due time, if its schedule is on in Dagster's UI." in run(resume, "people").stderr
    assert "" == imported()
    with dagster(project) as daemon:
        assert "" == imported()
        turn_off(daemon, "people")
        assert "dagster" in imported()


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("", id="a variable that is not set"),
        pytest.param(
            "postgresql+psycopg2://planted:secret@127.0.0.1:9/dagster",
            id="a server that is not there",
            marks=pytest.mark.thorough,  # Dagster tries for 12 s
        ),
    ],
)
def test_a_storage_that_does_not_answer_is_reported(
    project: Remembered, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """The rest of the status is shown; no address or password in the warning, which is all there is on stderr."""
    home = project.folder / "elsewhere"
    home.mkdir()
    (home / "dagster.yaml").write_text("storage: {postgres: {postgres_url: {env: PLANTED_URL}}}\n")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    if url:
        monkeypatch.setenv("PLANTED_URL", url)
    shown = run(status, "--json")
    assert [("people", "active", None), ("staff", "active", None)] == [
        (each["sync"], each["sync_status"], each["off_in_dagster"]) for each in json.loads(shown.stdout)
    ]
    (warning,) = shown.stderr.splitlines()
    assert warning.startswith(f"Warning: whether schedules are on in Dagster's UI cannot be read by {home}")
    assert "planted" not in warning
    if not url:
        assert "if its schedule is on in Dagster's UI." in run(resume, "people").stderr


def test_status_says_when_no_daemon_starts_the_due_runs(
    project: Remembered, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before there is an instance, and once its daemon is silent for two minutes; a sync by hand waits for none."""
    monkeypatch.setenv("COLUMNS", "80")

    def shown() -> tuple[bool, bool]:
        """Whether the table says so, and the sentence on stderr."""
        status(project.folder / "syncs")
        table, sentence = capsys.readouterr()
        return "no daemon" in table, "`reverse-etl ui`" in sentence

    def known() -> list[bool | None]:
        return [sync["daemon_running"] for sync in run_json(status)]

    assert ([False, False], (True, True)) == (known(), shown())
    with dagster(project) as daemon:
        assert [False, False] == known()
        for seconds_ago, runs in ((30, True), (150, False)):
            at = datetime.now(UTC) - timedelta(seconds=seconds_ago)
            beat = DaemonHeartbeat(at.timestamp(), "SCHEDULER", "any", None)
            daemon.instance.add_daemon_heartbeat(beat)
            assert ([runs, runs], (not runs, not runs)) == (known(), shown())
    pause("people")
    assert (False, False) == shown()


def facts(entry: dict[str, Any]) -> tuple[str, str, str]:
    """Of an entry of `status --json`: name, whether it is paused, why it is left out."""
    return entry["sync"], entry["sync_status"], entry["left_out"]["reason"]


def test_a_faulty_file_keeps_no_sync_from_being_paused(project: Remembered, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither another sync's, nor its own; one whose own file cannot be used is not resumed."""
    leaves_out(project.folder / "syncs")
    (project.folder / "syncs" / "broken.yaml").write_text("database: shop\nquery: [\n")
    for name in ("people", "broken"):
        warned = run(pause, name).stderr
        assert "Warning: syncs/broken.yaml:3: " in warned
        assert "Left out until the files are mended: broken." in warned
        assert sync_state(project.store, name).paused
    assert "people is active: it runs at its next due time, if" in run(resume, "people").stderr
    assert "staff is active. It has no due times; to run it:" in run(resume, "staff").stderr
    project.write("people", "{after: broken}")
    assert "people is active: it runs at its next due time once the files are mended" in run(resume, "people").stderr
    blocked = run_json(resume, "people")
    assert (True, None, "after") == (
        blocked["blocked_by_faulty_file"],
        blocked["next_run"],
        blocked["left_out"]["reason"],
    )
    assert not sync_state(project.store, "people").paused
    stays = "broken stays paused; resume it once its file is mended: reverse-etl resume broken"
    with pytest.raises(ConfigProblemsError, match=rf"syncs/broken\.yaml:(?s:.*){stays}"):
        run(resume, "broken")
    assert sync_state(project.store, "broken").paused
    assert ("broken", "paused", "own_file") == facts(run_json(pause, "broken"))
    for as_json in (True, False):
        with pytest.raises(ConfigProblemsError):
            status(project.folder / "syncs", as_json=as_json)
    shown, table = capsys.readouterr().out.partition("]\n")[::2]
    assert ("broken", "paused", "own_file") == facts(json.loads(f"{shown}]")[-1])
    assert re.search(r"broken +paused .* left out", table)
    project.write("worse", "manual\nchecks: {row_count: {min: 1}, nothing: {}}")
    set_paused(project.store, "worse", True)
    with pytest.raises(ConfigProblemsError, match="worse stays paused; resume it once its file is mended"):
        run(resume, "worse")
    query = project.folder / "syncs" / "worse.yaml"
    query.write_text(query.read_text().partition("checks")[0] + "people: {}\nquery: DELETE FROM customers\n")
    with pytest.raises(ConfigProblemsError, match="worse stays paused; resume it once its file is mended"):
        run(resume, "worse")
    query.unlink()
    set_paused(project.store, "broken", False)
    with pytest.raises(ConfigProblemsError, match="broken is not paused: there is nothing to resume"):
        run(resume, "broken")
    (project.folder / "syncs" / "connections.yaml").write_text("databases: 1\n")
    assert "paused" == run_json(pause, "people")["sync_status"]
    with pytest.raises(ConfigError, match=r"Did you mean people\?"):
        run(pause, "poeple")
    with pytest.raises(ConfigError, match="no sync named connections"):
        run(pause, "connections")
