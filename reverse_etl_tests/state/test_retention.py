"""Old changesets, runs and CSVs go; what is in use or newest stays."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from reverse_etl.changeset.failed_rows import batches_of
from reverse_etl.changeset.failed_rows_csv import write_failed_rows
from reverse_etl.config.connections import RetentionConfig
from reverse_etl.errors import StateError
from reverse_etl.files.storage import storage_from_environment
from reverse_etl.report import Status
from reverse_etl.state.failures import causes_of_run, failed_rows_of_run
from reverse_etl.state.home import Home
from reverse_etl.state.retention import prune
from reverse_etl.state.run_history import list_runs
from reverse_etl.state.runs import record_skipped
from reverse_etl.state.shared_changesets import unused_since, used
from reverse_etl.state.store import Store
from reverse_etl.state.syncs import last_sync_time
from reverse_etl_tests.state.conftest import NOON, begin, close, failed_row, report

DAY = timedelta(days=1)
KEPT = RetentionConfig(changesets=7 * DAY, history=90 * DAY)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty home folder."""
    return Home.at(tmp_path / "home")


def changeset(home: Home, run: str, at: datetime) -> Path:
    """A run's folder that was last written at a time."""
    folder = home.changesets / "people" / run
    (folder / "rows").mkdir(parents=True)
    (folder / "rows" / "part-000000.parquet").write_bytes(b"rows")
    for path in (folder / "rows", folder):
        os.utime(path, (at.timestamp(), at.timestamp()))
    return folder


def ran(store: Store, run: str, at: datetime, *, root: str = "", status: Status = Status.COMPLETED) -> None:
    """A run that began and ended at a time, with one failed row."""
    begin(store, run, at=at, root=root)
    close(store, report(run, at=at, status=status), failed=(failed_row(1),), root=root)


def test_old_changesets_go_and_young_ones_stay(store: Store, home: Home) -> None:
    """The age counts from the run's end; a folder of an unknown run goes by its own age."""
    for run, days in (("old", 8), ("young", 6)):
        changeset(home, run, NOON - days * DAY)
        ran(store, run, NOON - days * DAY)
    unknown = changeset(home, "unknown", NOON - 8 * DAY)
    prune(store, home, KEPT, NOON)
    assert {"young"} == {path.name for path in (home.changesets / "people").iterdir()}
    assert not unknown.exists()


def test_a_changeset_in_use_stays(store: Store, home: Home) -> None:
    """Its run is still in progress, or was re-executed since, or something was written to it just now."""
    running, reused, written = (changeset(home, run, NOON - 30 * DAY) for run in ("running", "reused", "written"))
    begin(store, "running", at=NOON - 30 * DAY)
    ran(store, "reused", NOON - 30 * DAY)
    ran(store, "again", NOON - DAY, root="reused")
    ran(store, "written", NOON - 30 * DAY)
    os.utime(written / "rows", (NOON.timestamp(), NOON.timestamp()))
    prune(store, home, KEPT, NOON)
    assert running.exists()
    assert reused.exists()
    assert written.exists()


def test_old_history_goes_with_its_failed_rows_and_csv(store: Store, home: Home) -> None:
    """Runs younger than the limit keep theirs."""
    for run, days in (("old", 91), ("young", 89)):
        ran(store, run, NOON - days * DAY)
        write_failed_rows(home.failed_rows_csv("people", run), batches_of([failed_row(1)]))
    prune(store, home, KEPT, NOON)
    assert ["young"] == [run.run_id for run in list_runs(store)]
    assert ([], []) == (list(failed_rows_of_run(store, "old")), causes_of_run(store, "old"))
    assert 1 == len(causes_of_run(store, "young"))
    assert ["young.csv"] == [path.name for path in (home.failed_rows / "people").iterdir()]


def test_each_sync_keeps_its_newest_run(store: Store, home: Home) -> None:
    """However old: with its failed rows, and also when only skips came after it. So does its newest entry."""
    for number in range(3):
        ran(store, f"r{number}", NOON - (200 - number) * DAY)
    record_skipped(store, "people", "main", NOON - 150 * DAY, "r2")
    record_skipped(store, "people", "main", NOON - 140 * DAY, "r2")
    prune(store, home, KEPT, NOON)
    assert [Status.SKIPPED, Status.COMPLETED] == [run.status for run in list_runs(store, "people")]
    assert "r2" == list_runs(store, "people")[1].run_id
    assert 1 == len(causes_of_run(store, "r2"))


def test_a_run_in_progress_stays_in_the_history(store: Store, home: Home) -> None:
    """It is not over, however long ago it began."""
    begin(store, "endless", at=NOON - 100 * DAY)
    ran(store, "later", NOON - 95 * DAY)
    prune(store, home, KEPT, NOON)
    assert {"endless", "later"} == {run.run_id for run in list_runs(store)}


def test_the_last_sync_time_outlives_the_run_that_set_it(store: Store, home: Home) -> None:
    """Forgetting a run never makes the next one read everything again."""
    begin(store, "first", at=NOON - 200 * DAY)
    close(store, report("first", at=NOON - 200 * DAY), moved=500)
    ran(store, "second", NOON - 100 * DAY, status=Status.FAILED)
    prune(store, home, KEPT, NOON)
    assert (500, ["second"]) == (last_sync_time(store, "people"), [run.run_id for run in list_runs(store)])


def test_what_cannot_be_deleted_is_reported(store: Store, home: Home) -> None:
    """A folder lies where the CSV should be; the run stays, so that it is tried again, and all others go."""
    ran(store, "old", NOON - 100 * DAY)
    ran(store, "older", NOON - 101 * DAY)
    ran(store, "oldest", NOON - 102 * DAY)
    write_failed_rows(home.failed_rows_csv("people", "oldest"), batches_of([failed_row(1)]))
    ran(store, "new", NOON)
    (home.failed_rows_csv("people", "old") / "x").mkdir(parents=True)
    with pytest.raises(StateError, match=r"old\.csv is older than it may be kept"):
        prune(store, home, KEPT, NOON)
    assert ["new", "old"] == [run.run_id for run in list_runs(store)]
    assert not home.failed_rows_csv("people", "oldest").exists()


def test_changesets_of_all_machines_go_from_the_place_they_share(
    store: Store, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By when a run used them last, whatever this machine has of them; so do the CSVs of old runs."""
    monkeypatch.setenv("REVERSE_ETL_STORAGE_URL", str(tmp_path / "place"))
    storage = storage_from_environment()
    assert storage is not None
    for run, days in (("old", 8), ("young", 6), ("running", 30), ("ancient", 91)):
        name = f"changesets/people/{run}"
        storage.write(f"{name}/facts.json", b"{}")
        used(store, name, NOON - 200 * DAY)
        used(store, name, NOON - days * DAY)
    begin(store, "running", at=NOON - 30 * DAY)
    for run, days in (("ancient", 91), ("young", 6)):
        ran(store, run, NOON - days * DAY)
        write_failed_rows(home.failed_rows_csv("people", run), batches_of([failed_row(1)]))
        assert home.share_failed_rows("people", run) == storage.address(f"failed_rows/people/{run}.csv")
    prune(store, home, KEPT, NOON)
    assert ["people/running/facts.json", "people/young/facts.json"] == storage.names("changesets")
    assert ["people/young.csv"] == storage.names("failed_rows")
    assert ["changesets/people/running"] == unused_since(store, NOON - 7 * DAY)
    home.failed_rows_csv("people", "young").unlink()
    assert home.has_failed_rows("people", "young")
    assert home.fetch_failed_rows("people", "young").is_file()
    assert not home.has_failed_rows("people", "ancient")
    assert not home.fetch_failed_rows("people", "ancient").exists()
