"""Dagster's own scheduler on a sync's schedule: outages, changed and missing files, pausing, and the first run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.test_utils import freeze_time

from reverse_etl.config.syncs import ProjectConfig
from reverse_etl.state.home import Home
from reverse_etl.state.store import Store, open_store
from reverse_etl.state.syncs import first_seen_at, set_paused
from reverse_etl_tests.defs.daemon import Daemon, shipped_instance
from reverse_etl_tests.project import Project, people

pytestmark = pytest.mark.thorough

START = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def instance(loaded: ProjectConfig, project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """An instance as shipped, for a project whose sync is due every 50 minutes: on a grid that cron cannot say."""
    every(project, "50m")
    monkeypatch.setenv("REVERSE_ETL_SYNCS", str(project.folder / "syncs"))
    with shipped_instance() as instance:
        yield instance


@pytest.fixture
def store(instance: dg.DagsterInstance) -> Store:
    """The project's state."""
    return open_store(Home.from_environment().state_url)


def every(project: Project, interval: str) -> None:
    """Writes the sync with another interval."""
    project.write("people.yaml", people().replace("manual", f"{{every: {interval}, start_at: 2026-03-29T01:30:00Z}}"))


def due_runs(instance: dg.DagsterInstance) -> int:
    """How many runs were asked for since the last call; they end at once."""
    runs = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED]))
    for run in runs:
        instance.report_run_canceled(run)
    return len(runs)


def looked(instance: dg.DagsterInstance, minute: int) -> int:
    """The runs asked for when a daemon, just started, looks at a minute after the start."""
    with Daemon.of(instance) as daemon:
        daemon.ticks(START + minute * MINUTE + timedelta(seconds=5))
    return due_runs(instance)


def test_after_an_outage_one_run_is_due(instance: dg.DagsterInstance) -> None:
    """Off from 2:25 to 12:05, eleven due times long: one run at once, the next on the grid, at 12:20."""
    assert [0, 1, 0, 1, 0] == [looked(instance, minute) for minute in (-5, 0, 20, 50, 55)]
    assert [1, 0, 1] == [looked(instance, minute) for minute in (635, 640, 650)]


def test_an_outage_over_the_start_does_not_cost_the_first_run(instance: dg.DagsterInstance) -> None:
    """Seen before its start, back half an hour after it: the first run is due at once."""
    assert [0, 1, 0, 1] == [looked(instance, minute) for minute in (-5, 25, 30, 50)]


def test_a_start_in_the_past_is_no_missed_run(instance: dg.DagsterInstance) -> None:
    """A schedule first seen long after its start waits for its next due time."""
    assert [0, 0, 0, 1] == [looked(instance, minute) for minute in (5, 15, 40, 50)]


def test_a_schedule_that_was_off_in_the_ui_has_missed_nothing(instance: dg.DagsterInstance) -> None:
    """The toggle holds across restarts; switched on again, the next run is the next due one."""
    assert [0, 1] == [looked(instance, minute) for minute in (-5, 0)]
    with Daemon.of(instance) as daemon, freeze_time(START + 10 * MINUTE):
        schedule = daemon.schedule("people")
        instance.stop_schedule(schedule.get_remote_origin_id(), schedule.selector_id, schedule)
    assert [0, 0, 0] == [looked(instance, minute) for minute in (50, 100, 105)]
    with Daemon.of(instance) as daemon, freeze_time(START + 115 * MINUTE):
        instance.start_schedule(daemon.schedule("people"))
    assert [0, 0, 1] == [looked(instance, minute) for minute in (120, 130, 150)]


def test_a_paused_sync_misses_its_intervals(instance: dg.DagsterInstance, store: Store) -> None:
    """`pause` holds across restarts; after `resume` the next run is the next due one."""
    assert [0, 1] == [looked(instance, minute) for minute in (-5, 0)]
    set_paused(store, "people", True)
    assert [0, 0, 0] == [looked(instance, minute) for minute in (50, 60, 100)]
    set_paused(store, "people", False)
    assert [0, 0, 1] == [looked(instance, minute) for minute in (110, 140, 150)]


def test_a_changed_interval_applies_from_its_next_due_time(
    instance: dg.DagsterInstance, project: Project, store: Store
) -> None:
    """From 50 minutes to 25, at minute 45: minute 25 is not taken for missed; what is remembered of the sync stays."""
    assert [0, 1, 0] == [looked(instance, minute) for minute in (-5, 0, 20)]
    seen_at = first_seen_at(store, "people")
    every(project, "25m")
    assert [0, 1, 0, 1] == [looked(instance, minute) for minute in (45, 50, 55, 75)]
    assert seen_at == first_seen_at(store, "people")


def test_a_sync_whose_file_is_gone_stops_running(instance: dg.DagsterInstance, project: Project, store: Store) -> None:
    """Its history stays; when the file is back it goes on at the next due time, still paused if it was."""
    assert [0, 1] == [looked(instance, minute) for minute in (-5, 0)]
    path = project.folder / "syncs" / "people.yaml"
    text = path.read_text()
    path.unlink()
    assert [0, 0] == [looked(instance, minute) for minute in (50, 100)]
    path.write_text(text)
    assert [0, 0, 1] == [looked(instance, minute) for minute in (110, 120, 150)]


def test_a_sync_without_a_start_runs_when_it_is_first_seen(
    instance: dg.DagsterInstance, project: Project, store: Store
) -> None:
    """Within two minutes, and from then on every day."""
    project.write("people.yaml", people().replace("manual", "{every: 1d}"))
    with Daemon.of(instance) as daemon:
        seen_at = first_seen_at(store, "people")
        assert seen_at is not None
        daemon.ticks(seen_at)
        daemon.ticks(seen_at + 2 * MINUTE)
        assert 1 == due_runs(instance)
        daemon.ticks(seen_at + timedelta(days=1) - MINUTE)
        assert 0 == due_runs(instance)
        daemon.ticks(seen_at + timedelta(days=1, minutes=2))
        assert 1 == due_runs(instance)
