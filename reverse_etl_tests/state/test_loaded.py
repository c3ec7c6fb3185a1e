"""What Dagster has loaded, by what its daemon's sensor notes: as the files are, older, or not; or not known."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from reverse_etl.config.schedule import ScheduleConfig
from reverse_etl.config.syncs import SyncConfig
from reverse_etl.destinations.customerio.sync import Sync
from reverse_etl.state.loaded import loaded, mark, note_loaded
from reverse_etl.state.store import Store
from reverse_etl_tests.state.conftest import NOON

MINUTE = timedelta(minutes=1)


def sync(
    name: str = "people", *, schedule: str = "@daily", destination: str = "main", query: str = "SELECT 1"
) -> SyncConfig:
    """A sync as its file has it."""
    return Sync.model_construct(name=name, workspace=destination, schedule=ScheduleConfig(cron=schedule), query=query)


def seen(store: Store, at: datetime, *syncs: SyncConfig) -> list[str | None]:
    """What a screen says of each."""
    with store.reading() as connection:
        found = loaded(connection, at)
    return [found.has(each) for each in syncs]


def note(store: Store, *syncs: SyncConfig, location: str = "reverse_etl", at: datetime = NOON) -> None:
    """The sensor's look."""
    note_loaded(store, location, {each.name: mark(each) for each in syncs}, at)


def test_nothing_is_known_before_the_first_look(store: Store) -> None:
    """Neither that a sync is loaded nor that it is not."""
    assert [None] == seen(store, NOON, sync())


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        (sync(), "loaded"),
        (sync(query="SELECT 2"), "loaded"),
        (sync(schedule="@hourly"), "older"),
        (sync(destination="other"), "older"),
        (sync("staff"), "not_loaded"),
    ],
)
def test_what_a_run_reads_anew_needs_no_load(store: Store, changed: SyncConfig, found: str) -> None:
    """A query is read by each run; when it starts, and for which workspace, is what Dagster has loaded."""
    note(store, sync())
    assert [found] == seen(store, NOON + MINUTE, changed)


def test_a_look_replaces_the_one_before(store: Store) -> None:
    """After a reload: what is new is there, what is gone is not."""
    note(store, sync(), sync("staff"))
    note(store, sync(schedule="@hourly"), at=NOON + MINUTE)
    assert ["loaded", "not_loaded"] == seen(store, NOON + MINUTE, sync(schedule="@hourly"), sync("staff"))


def test_code_locations_do_not_hide_each_other(store: Store) -> None:
    """One for each workspace: together they are what is loaded."""
    note(store, sync(), location="main")
    note(store, sync("staff", destination="other"), location="other")
    assert ["loaded", "loaded"] == seen(store, NOON, sync(), sync("staff", destination="other"))


def test_a_sign_counts_for_three_minutes(store: Store) -> None:
    """A code server that is gone, or a sensor that is off, says nothing; the same load is a new sign."""
    note(store, sync())
    assert ["loaded"] == seen(store, NOON + 2 * MINUTE, sync())
    assert [None] == seen(store, NOON + 3 * MINUTE, sync())
    note(store, sync(), at=NOON + 4 * MINUTE)
    assert ["loaded"] == seen(store, NOON + 6 * MINUTE, sync())


def test_a_silent_code_location_is_not_one_that_has_nothing(store: Store) -> None:
    """While another gives signs: what the silent one had is not known, and a new sync is not loaded."""
    note(store, sync(), location="main")
    note(store, sync("staff"), location="other", at=NOON + 5 * MINUTE)
    assert [None, "loaded", "not_loaded"] == seen(store, NOON + 5 * MINUTE, sync(), sync("staff"), sync("orders"))
