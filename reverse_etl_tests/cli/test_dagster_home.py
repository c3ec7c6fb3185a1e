"""Dagster's folder: made once, by whoever comes first, under a name that Dagster can use."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from importlib.resources import files
from pathlib import Path

import dagster as dg
import pytest

from reverse_etl.cli.dagster_home import dagster_folder, dagster_instance, for_one_run, shipped_file, why_failed
from reverse_etl.cli.dagster_settings import SHIPPED, missing_settings, whose_settings
from reverse_etl.defs.failure import StepFailedError
from reverse_etl.errors import StateError
from reverse_etl.state.home import Home
from reverse_etl_tests.project import SHOP, Project, people
from reverse_etl_tests.servers.sandbox import RunningSandbox, wait_until

ODD_NAMES = [
    "what? # 100% [a]* it's ünïcode",
    pytest.param("a?b=c&d", marks=pytest.mark.thorough),
    pytest.param("%3F", marks=pytest.mark.thorough),
]


@pytest.fixture(autouse=True)
def _no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.delenv("REVERSE_ETL_STATE_URL", raising=False)


@pytest.fixture
def project(new_project: Project) -> Project:
    """Here it matters how the home folder is made."""
    return new_project


def test_a_runs_own_process_keeps_dagsters_files_open_and_leaves_a_server_alone(
    made_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files that lie in the home folder; what its settings name besides is used as they say."""
    home = Home.at(shutil.copytree(made_home, tmp_path / "home"))
    monkeypatch.setenv("DAGSTER_HOME", str(home.dagster))
    with dagster_instance(home, for_one_run()) as instance:
        assert "_Events" == type(instance.event_log_storage).__name__
    (home.dagster / "dagster.yaml").write_text(f"storage: {{sqlite: {{base_dir: {tmp_path / 'named'}}}}}")
    with dagster_instance(home, for_one_run()) as instance:
        assert "SqliteEventLogStorage" == type(instance.event_log_storage).__name__
    assert (tmp_path / "named").is_dir()


@pytest.mark.thorough
def test_first_runs_at_once_all_work(project: Project) -> None:
    """Three commands on a home folder that does not exist yet: one makes what is missing, and none fails."""
    for name in ("one", "two", "three"):
        project.write(f"{name}.yaml", people().replace("schedule: manual", "schedule: {every: 1d, overlap: wait}"))
    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda sync: project.reverse_etl("run", sync), ("one", "two", "three")))
    assert [0, 0, 0] == [each.returncode for each in done], [each.stderr for each in done]
    dagster = project.folder / "home" / "dagster"
    assert not list(dagster.glob(".new-*"))
    with closing(sqlite3.connect(dagster / "history" / "runs.db")) as database:
        assert [("SUCCESS", 3)] == database.execute("SELECT status, count(*) FROM runs GROUP BY 1").fetchall()


@pytest.mark.thorough
@pytest.mark.parametrize("name", ODD_NAMES)
def test_any_name_of_the_home_folder_works(
    name: str, tmp_path: Path, sandbox: RunningSandbox, project: Project
) -> None:
    """A run, its failed rows, a retry and the status, in a folder whose name means something to URLs and globs."""
    home = tmp_path / name
    project = Project(project.folder, {"REVERSE_ETL_HOME": str(home)})
    project.connections(SHOP, sandbox.url)
    project.write("people.yaml", people(more="checks: [{accepted_values: {column: plan, values: [pro]}}]\n"))
    assert 7 == project.run("people")[0]
    assert 7 == project.reverse_etl("retry", "people").returncode
    assert "some_rows_failed" in project.reverse_etl("status").stdout
    assert (home / "state.db").is_file()
    assert (home / "dagster" / "history" / "runs.db").is_file()
    assert {"home", "syncs", "shop.db", name} >= {path.name for path in tmp_path.iterdir()}


def test_a_dagster_home_that_is_not_there_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable and what to do are named."""
    for named in (str(tmp_path / "gone"), "relative"):
        monkeypatch.setenv("DAGSTER_HOME", named)
        with pytest.raises(StateError, match=f"DAGSTER_HOME is {named}") as caught:
            dagster_folder(Home.at(tmp_path / "home"))
        assert caught.value.hint


def test_a_users_own_settings_stay(tmp_path: Path) -> None:
    """A dagster.yaml that is there is not overwritten."""
    home = Home.at(tmp_path / "home")
    (home.dagster / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    assert "telemetry: {enabled: false}\n" == shipped_file(home, "dagster.yaml").read_text()


def test_an_earlier_version_is_brought_up_to_date(tmp_path: Path) -> None:
    """The one before today's, byte for byte; one edited line makes it the user's own."""
    home = Home.at(tmp_path / "home")
    now = (files("reverse_etl.defs") / "dagster.yaml").read_text()
    before = now
    for added in (
        "    dequeue_use_threads: true\n    dequeue_num_workers: 4\n",
        "# Due syncs are looked at side by side: each opens its own connections to the storage.\n"
        "schedules: {use_threads: true, num_workers: 8, num_submit_workers: 4}\n\n",
    ):
        assert added in before
        before = before.replace(added, "")
    path = home.dagster / "dagster.yaml"
    path.write_text(before)
    assert "as an earlier release shipped them" == whose_settings(home.dagster)
    assert now == shipped_file(home, "dagster.yaml").read_text()
    path.write_text(before.replace("max_concurrent_runs: 10", "max_concurrent_runs: 11"))
    assert "max_concurrent_runs: 11" in shipped_file(home, "dagster.yaml").read_text()
    assert () == missing_settings(home.dagster)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_version_of_a_shipped_file_is_known(name: str) -> None:
    """Whoever has today's file, unedited, is brought up to date when it changes: an edit adds its hash at the end."""
    now = hashlib.sha256((files("reverse_etl.defs") / name).read_bytes()).hexdigest()
    assert now == SHIPPED[name][-1], f"{name} was edited: add {now} to SHIPPED, after those that are there"
    assert len(set(SHIPPED[name])) == len(SHIPPED[name])


@pytest.mark.parametrize("text", ["", "telemetry: {enabled: false}\n"])
def test_settings_that_lack_all_are_named(tmp_path: Path, text: str) -> None:
    """In the order in which the docs have them."""
    (tmp_path / "dagster.yaml").write_text(text)
    wanted = ("run_coordinator", "run_launcher", "concurrency", "run_monitoring", "python_logs")
    assert wanted == missing_settings(tmp_path)


@pytest.mark.parametrize(
    ("edit", "whose"),
    [(("", ""), "as shipped"), (("max_concurrent_runs: 10", "max_concurrent_runs: 11"), "your own")],
)
def test_settings_are_called_shipped_only_where_they_are(tmp_path: Path, edit: tuple[str, str], whose: str) -> None:
    """One edited number makes them the user's own, though nothing is missing."""
    text = (files("reverse_etl.defs") / "dagster.yaml").read_text()
    (tmp_path / "dagster.yaml").write_text(text.replace(*edit))
    assert (whose, ()) == (whose_settings(tmp_path), missing_settings(tmp_path))


def test_a_named_folder_without_settings_lacks_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written into a DAGSTER_HOME of the user's own; into the home folder the first run writes them."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    assert "as shipped, from the first run on" == whose_settings(tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    assert "none" == whose_settings(tmp_path)
    assert "run_launcher" in missing_settings(tmp_path)


def is_a_sentence(done: subprocess.CompletedProcess[str], *named: str) -> None:
    """Exit code 6 and an error for people: what it names, and no trace of the program."""
    assert 6 == done.returncode, done.stderr
    assert "Traceback" not in done.stderr
    assert "Error: " in done.stderr
    for name in named:
        assert name in done.stderr.replace("\n", " "), done.stderr


def test_a_home_that_cannot_be_made_is_a_sentence(project: Project) -> None:
    """A file where a folder should be."""
    project.environment["REVERSE_ETL_HOME"] = str(project.folder / "shop.db" / "home")
    is_a_sentence(project.reverse_etl("run", "people"), "home folder", "cannot be made")


@pytest.mark.thorough
def test_a_full_disk_at_the_start_is_a_sentence(project: Project) -> None:
    """No file grows: neither Dagster's storage nor the state database can be written, before the first run or later."""
    # What measures coverage would report in a traceback that it cannot write either.
    unmeasured = "unset ${!COVERAGE_*} ${!COV_CORE_*}"
    command = f"{unmeasured}; ulimit -f 0; exec {sys.executable} -m reverse_etl.cli.main run people"
    for _ in ("first run", "later run"):
        is_a_sentence(project.command("bash", "-c", command), str(project.folder / "home"))
        assert 0 == project.run("people", "--full")[0]


@pytest.mark.thorough
@pytest.mark.parametrize("gone", ["home", "home/dagster"])
def test_a_folder_that_vanishes_during_a_run_is_a_sentence(
    project: Project, sandbox: RunningSandbox, gone: str
) -> None:
    """While rows are sent, the home folder or Dagster's is deleted; the next run works."""
    batch = {"path": "/api/v2/batch"}
    sandbox.faults([{"match": batch, "times": 1, "do": {"delay_s": 1.0}}])
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(project.reverse_etl, "run", "people")
        wait_until(lambda: any(each["path"] == batch["path"] for each in sandbox.requests()), timeout_s=60)
        shutil.rmtree(project.folder / gone)
        is_a_sentence(running.result(), "gone")
    assert 0 == project.run("people")[0]
    assert 3 == len(sandbox.people())


@pytest.mark.parametrize("gone", ["home", "home/dagster"])
def test_a_folder_that_is_gone_before_its_instance_is_opened_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    """Removed after it was made: no error of Dagster's own."""
    home = Home(tmp_path / "home")
    monkeypatch.setenv("DAGSTER_HOME", str(home.path / "dagster"))
    (home.path / "dagster").mkdir(parents=True)
    shutil.rmtree(tmp_path / gone)
    with pytest.raises(StateError, match="is gone"), dagster_instance(home, {}):
        pass


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (StepFailedError("the state database cannot be reached.", {}), "the state database cannot be reached."),
        (ValueError("x"), ""),
    ],
)
def test_what_ended_a_run_before_its_row_was_written_is_found(error: Exception, said: str) -> None:
    """In our words, for whoever ran the sync without Dagster's log; of a defect nothing, whose text may have values."""

    @dg.op
    def reads() -> None:
        raise error

    @dg.job
    def syncs() -> None:
        reads()

    assert said == why_failed(syncs.execute_in_process(raise_on_error=False))
