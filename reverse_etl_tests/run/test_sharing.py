"""What a run puts where all machines find it, and that one without the lease puts nothing there."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from reverse_etl.files.storage import Storage
from reverse_etl.run.attend import attend
from reverse_etl.run.close import close
from reverse_etl.run.record import SyncRun
from reverse_etl.run.sharing import put, put_at_end
from reverse_etl.run.stages import extract_changeset
from reverse_etl.state import workspace_lease
from reverse_etl.workers import heartbeat
from reverse_etl_tests.faults.runs import new_world


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Storage:
    """A shared folder."""
    monkeypatch.setenv("REVERSE_ETL_STORAGE_URL", str(tmp_path / "shared"))
    return Storage(str(tmp_path / "shared"))


@pytest.fixture
def run(tmp_path: Path, storage: Storage) -> Iterator[SyncRun]:
    """A run that has read its rows, and has outcomes that no other machine knows yet."""
    with new_world(tmp_path) as world:
        case = world.case("people", random.Random(1), rows=3)  # noqa: S311 - repeatable, not secret
        run = case.start()
        with attend(run):
            extract_changeset(run, case.database)
        run.folder.parts("rows").write_outcomes(np.ones(3, dtype=np.uint8))
        yield run
        heartbeat.stop(run.lease_id)


def test_the_run_that_has_its_lease_puts_what_it_wrote(run: SyncRun, storage: Storage) -> None:
    """Beside the changeset, which the extraction put there."""
    folder = f"changesets/{run.sync.name}/{run.run_id}"
    assert ["facts.json", "rows/part-000000.parquet"] == storage.names(folder)
    put(run)
    assert "rows/outcomes.npy" in storage.names(folder)


def test_a_run_that_lost_its_lease_puts_nothing(run: SyncRun, storage: Storage) -> None:
    """Whoever has it now may have put newer outcomes there; closing the run does not change that either."""
    workspace_lease.give_back(run.store, run.lease_id, ended=True)
    assert workspace_lease.take(run.store, "main", run_id="another", sync=run.sync.name) is None
    before = storage.names("changesets")
    put(run)
    assert ("", "") == put_at_end(run, None)
    report = close(run, None)
    assert before == storage.names("changesets")
    assert report.rows.delivered == 3


def test_where_rows_are_known_on_one_machine_only_the_run_says_so(run: SyncRun, storage: Storage) -> None:
    """The place is away: a run that would have completed is failed, and last sync time stays."""
    place = Path(storage.address(""))
    place.rename(place.with_name("away"))
    place.touch()
    report = close(run, None)
    assert ("failed", 6, 0) == (report.status.value, report.exit_code, report.last_sync_time)
    assert "what became of the rows is on this machine only" in report.message
    assert "REVERSE_ETL_STORAGE_URL" in report.message
