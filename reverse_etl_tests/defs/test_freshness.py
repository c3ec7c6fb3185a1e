"""A delivery is stale after two intervals of its sync."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from reverse_etl.config.loader import load_project
from reverse_etl.config.syncs import ProjectConfig, ScheduleConfig
from reverse_etl.definitions import build_definitions
from reverse_etl.defs.freshness import longest_interval
from reverse_etl_tests.project import Project, people

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("schedule", "longest"),
    [
        (ScheduleConfig(every=6 * HOUR), 6 * HOUR),
        (ScheduleConfig(cron="15 * * * *"), HOUR),
        (ScheduleConfig(cron="0 9 * * 1-5"), 72 * HOUR),
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
