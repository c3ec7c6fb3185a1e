"""Syncs that are due together share their workspace's runs; the share is what weeks of due times come to."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reverse_etl.config.inline import parse_sync
from reverse_etl.config.schedule import ScheduleConfig
from reverse_etl.config.syncs import SyncConfig
from reverse_etl.schedule.cadence import Cadence
from reverse_etl.schedule.cron_times import next_cron_time
from reverse_etl.schedule.same_minute import DAYS, same_minute

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)


def project(**schedules: Any) -> dict[str, SyncConfig]:
    """Syncs by name, of the workspace that their name begins with: `main_a`."""
    rows = {"database": "shop", "people": {}, "query": "SELECT id FROM customers"}
    return {
        name: parse_sync(name, {**rows, "workspace": name.partition("_")[0], "schedule": schedule})
        for name, schedule in schedules.items()
    }


def every(interval: str, start_at: str = "2026-01-05T00:10:00Z", **more: str) -> dict[str, str]:
    """A schedule of an interval."""
    return {"every": interval, "start_at": start_at, **more}


def test_what_is_due_alone_is_not_named() -> None:
    """Other minutes, other workspaces, by hand, and an interval whose start the file does not have."""
    apart = project(
        main_a=every("1h"),
        main_b=every("1h", "2026-01-05T00:20:00Z"),
        other_a=every("1h"),
        main_c={"every": "1h"},
        main_d={"every": "1h"},
        main_e="manual",
        main_f={"cron": "30 * * * *"},
    )
    assert {} == same_minute(apart)


def test_thirty_hourly_syncs_of_a_workspace_run_about_once_a_day() -> None:
    """Each of 30 that are due in the same minute has its turn once in 30 hours."""
    found = same_minute(project(**{f"main_{number:02}": every("1h") for number in range(30)}))
    assert 30 == len(found)
    one = found["main_07"]
    assert (DAYS * 24, DAYS * 24 / 30, 29) == (one.due, one.runs, len(one.others))
    assert "about 22 of its 672 runs in four weeks" == one.in_words


def test_a_rarer_one_is_in_the_way_of_some_runs_alone() -> None:
    """Four of 24 a day are shared; a cron expression of other hours is in nobody's way."""
    found = same_minute(
        project(main_a=every("1h"), main_b=every("6h"), main_c={"cron": "10 3 * * *"}, main_d={"cron": "20 * * * *"})
    )
    words = {name: (each.others, each.in_words) for name, each in found.items()}
    assert {
        "main_a": (["main_b", "main_c"], "about 22 of its 24 runs a day"),
        "main_b": (["main_a"], "about 2 of its 4 runs a day"),
        "main_c": (["main_a"], "about 14 of its 28 runs in four weeks"),
    } == words


def test_one_that_waits_is_in_the_way_and_is_not_skipped() -> None:
    """It runs after the others; they are skipped for it."""
    found = same_minute(project(main_a=every("1h", overlap="wait"), main_b=every("1h")))
    assert {"main_b": ["main_a"]} == {name: each.others for name, each in found.items()}


@pytest.mark.parametrize("seed", range(3))
def test_due_times_are_those_of_the_scheduler(seed: int) -> None:
    """Counted over the same four weeks by the grids of `cadence` and `cron_times`, each sync running in its turn."""
    chance = random.Random(seed)  # noqa: S311 - reproducible, not secret
    schedules: dict[str, Any] = {
        f"main_{number}": every(f"{chance.choice([60, 90, 120, 360, 1440])}m", f"2026-01-05T0{number % 3}:30:00Z")
        for number in range(4)
    }
    schedules |= {"main_x": {"cron": "30 */3 * * 1-5"}, "main_y": {"cron": "30 6 13 * 5"}}
    syncs = project(**schedules)
    due = {name: set(_due(sync.schedule)) for name, sync in syncs.items()}
    at_once = Counter(moment for moments in due.values() for moment in moments)
    for name, found in same_minute(syncs).items():
        assert len(due[name]) == found.due
        assert found.runs == pytest.approx(sum(1 / at_once[moment] for moment in due[name]))
    shared = {name for name, moments in due.items() if any(at_once[moment] > 1 for moment in moments)}
    assert shared == same_minute(syncs).keys()


def _due(schedule: ScheduleConfig) -> list[datetime]:
    found, end = [], MONDAY + timedelta(days=DAYS)
    moment = MONDAY - timedelta(minutes=1)
    while True:
        if schedule.cron is not None:
            moment = next_cron_time(schedule.cron, moment)
        else:
            assert schedule.every is not None
            start = datetime(2020, 1, 1, tzinfo=UTC)
            assert schedule.start_at is not None
            start += (schedule.start_at - start) % schedule.every
            moment = Cadence(start, schedule.every).next_due(moment)
        if moment >= end:
            return found
        found.append(moment)
