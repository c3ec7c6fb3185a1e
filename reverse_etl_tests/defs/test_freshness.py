"""A delivery is stale after two intervals of its sync."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.definitions.freshness import FreshnessState, FreshnessStateRecord
from dagster._core.test_utils import freeze_time
from dagster._daemon.freshness import FreshnessDaemon

from reverse_etl.config.loader import load_project
from reverse_etl.config.schedule import ScheduleConfig
from reverse_etl.config.syncs import ProjectConfig
from reverse_etl.definitions import build_definitions
from reverse_etl.schedule.longest_interval import longest_interval
from reverse_etl.state.home import Home
from reverse_etl.state.store import open_store
from reverse_etl.syncs_page.sync_status import statuses
from reverse_etl_tests.defs.daemon import Daemon
from reverse_etl_tests.project import Project, fill, people

HOUR = timedelta(hours=1)
DELIVERY = dg.AssetKey(["people", "people_delivery"])


@pytest.mark.parametrize(
    ("schedule", "longest"),
    [
        (ScheduleConfig(every=6 * HOUR), 6 * HOUR),
        (ScheduleConfig(cron="15 * * * *"), HOUR),
        (ScheduleConfig(cron="0 9 * * 1-5"), 72 * HOUR),
        (ScheduleConfig(cron="*/5 9-17 * * 1-5"), 63 * HOUR + timedelta(minutes=5)),
        (ScheduleConfig(cron="* * * * *"), timedelta(minutes=1)),
        (ScheduleConfig(), None),
    ],
)
def test_the_longest_interval_counts(schedule: ScheduleConfig, longest: timedelta | None) -> None:
    """A weekend without runs makes nothing stale, whatever day it is now; runs by hand have no interval."""
    for day in range(1, 8):
        assert longest == longest_interval(schedule, datetime(2026, 3, day, 10, 30, tzinfo=UTC))


@pytest.mark.parametrize(("schedule", "hours"), [("{every: 6h}", 12), ("manual", None)])
def test_the_delivery_has_the_policy(loaded: ProjectConfig, project: Project, schedule: str, hours: int | None) -> None:
    """That is the node on which Dagster shows it."""
    project.write("people.yaml", people().replace("manual", schedule))
    graph = build_definitions(load_project(loaded.directory)).resolve_asset_graph()
    policy = graph.get(dg.AssetKey(["people", "people_delivery"])).freshness_policy
    assert (None if hours is None else dg.FreshnessPolicy.time_window(hours * HOUR, hours * HOUR * 3 / 4)) == policy


@pytest.mark.parametrize("hours", [1, 13])
def test_status_and_dagster_agree(project: Project, monkeypatch: pytest.MonkeyPatch, hours: int) -> None:
    """After a run with failed rows, which delivered the others, by Dagster's own daemon: fresh, and stale in time."""
    monkeypatch.setenv("REVERSE_ETL_HOME", str(project.folder / "home"))
    monkeypatch.setenv("REVERSE_ETL_SYNCS", str(project.folder / "syncs"))
    fill(project.folder / "shop.db", [("1", "ann@example.com", "a"), ("2", "nope", "b")])
    project.write("people.yaml", people().replace("manual", "{every: 6h}"))
    assert 7 == project.run("people")[0]
    now = datetime.now(UTC) + hours * HOUR
    folder = project.folder / "home" / "dagster"
    with freeze_time(now), dg.DagsterInstance.from_config(str(folder)) as instance, Daemon.of(instance) as daemon:
        list(FreshnessDaemon().run_iteration(daemon.context))
        record = FreshnessStateRecord.blocking_get(daemon.context.create_request_context(), DELIVERY)
    assert record is not None
    (shown,) = statuses(
        load_project(project.folder / "syncs").syncs, open_store(Home.from_environment().state_url), now
    )
    assert (hours > 12, hours > 12) == (shown.stale, record.freshness_state is FreshnessState.FAIL)
