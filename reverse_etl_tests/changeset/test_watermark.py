"""From when a run reads, as plain arithmetic: open transactions, replicas, margins, clocks that were set back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from reverse_etl.changeset.watermark import Watermark, warning, watermark
from reverse_etl.sources.base import Start

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def unix(at: datetime) -> int:
    """Unix seconds."""
    return int(at.timestamp())


def told(at: datetime = NOON, *, open_since: datetime | None = None, prepared: datetime | None = None) -> Start:
    """A primary whose server tells which transactions are open."""
    return Start(clock=at, data_at=at, reaches_to=open_since or at, begun_by=prepared)


def silent(at: datetime = NOON) -> Start:
    """A database that tells only its time."""
    return Start(clock=at, data_at=at)


@pytest.mark.parametrize(
    ("start", "late", "reach"),
    [
        (told(), None, NOON),
        (told(open_since=NOON - 3 * HOUR), None, NOON - 3 * HOUR),
        (told(open_since=NOON - MINUTE), timedelta(0), NOON),
        (told(open_since=NOON - MINUTE), 5 * MINUTE, NOON - 5 * MINUTE),
        (told(open_since=NOON - HOUR), 5 * MINUTE, NOON - HOUR),
        (told(prepared=NOON - HOUR), None, NOON - HOUR - 10 * MINUTE),
        (told(prepared=NOON - HOUR), 30 * MINUTE, NOON - HOUR - 30 * MINUTE),
        (silent(), None, NOON - 10 * MINUTE),
        (silent(), timedelta(0), NOON),
        (silent(), HOUR, NOON - HOUR),
        (Start(clock=NOON, data_at=NOON - HOUR), None, NOON - HOUR - 10 * MINUTE),
    ],
)
def test_the_next_run_reaches_back_as_far_as_rows_may_become_visible(
    start: Start, late: timedelta | None, reach: datetime
) -> None:
    """To the oldest open transaction, or by the margin; ``0s`` is the last sync time itself."""
    mark = watermark(start, late, NOON)
    assert unix(start.data_at or NOON) == mark.last_sync_time
    assert unix(reach) == mark.read_from(silent(NOON + HOUR), late, NOON + HOUR)


@pytest.mark.parametrize("late", [None, timedelta(0), HOUR])
def test_before_the_first_completed_run_everything_is_read(late: timedelta | None) -> None:
    """Nothing is subtracted from 0, and nothing is ever negative."""
    assert 0 == Watermark().read_from(silent(), late, NOON)
    assert 0 <= Watermark(100).read_from(silent(), late, NOON) <= 100


def test_what_an_older_release_remembered_is_read_again_by_the_margin() -> None:
    """Nothing is known of it but its last sync time."""
    assert unix(NOON - 10 * MINUTE) == Watermark(unix(NOON)).read_from(silent(NOON + HOUR), None, NOON + HOUR)


def test_a_clock_that_jumped_ahead_for_one_run_and_came_back_skips_nothing() -> None:
    """The next run reads from where the clock would have been at that run."""
    ahead = watermark(told(NOON + 3 * HOUR), None, NOON)
    assert unix(NOON) == ahead.read_from(told(NOON + MINUTE), None, NOON + MINUTE)
    assert unix(NOON) == ahead.read_from(told(NOON + 5 * HOUR), None, NOON + 5 * HOUR), "also once the time has passed"


def test_a_clock_that_was_set_back_a_little_is_followed() -> None:
    """A failover to a server that is 30 s behind: its first rows have earlier times than the last sync time."""
    mark = watermark(told(NOON), None, NOON)
    later = NOON + HOUR
    assert unix(NOON) - 30 == mark.read_from(told(later - timedelta(seconds=30)), None, later)
    assert unix(NOON) == mark.read_from(told(later - timedelta(seconds=1)), None, later), "clocks drift by so much"


def test_a_clock_that_is_behind_for_no_known_reason_means_everything() -> None:
    """This machine's clock went back too, as where the database is a file here: nothing says by how much."""
    mark = watermark(silent(NOON + 3 * HOUR), None, NOON + 3 * HOUR)
    assert 0 == mark.read_from(silent(NOON), None, NOON)
    assert 0 == Watermark(unix(NOON)).read_from(silent(NOON - MINUTE), None, NOON - MINUTE)


def test_a_replica_that_is_older_than_the_last_sync_time_is_no_clock_set_back() -> None:
    """Another replica answered: what it has not replayed was read from the first one, or is read once it is there."""
    mark = watermark(silent(NOON), None, NOON)
    lagging = Start(clock=NOON + MINUTE, data_at=NOON - HOUR)
    assert unix(NOON - 10 * MINUTE) == mark.read_from(lagging, None, NOON + MINUTE)
    assert unix(NOON - HOUR) == watermark(lagging, None, NOON).last_sync_time


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (told(), ""),
        (told(open_since=NOON - 59 * MINUTE), ""),
        (told(open_since=NOON - HOUR), "open since 2026-11-27 11:00 UTC"),
        (told(prepared=NOON - 2 * HOUR), "open since 2026-11-27 10:00 UTC"),
        (Start(clock=NOON, data_at=None), "replication stands still"),
    ],
)
def test_what_holds_the_next_run_back_is_worth_a_sentence(start: Start, words: str) -> None:
    """A transaction that has been open for an hour, and replication that does not run."""
    assert words in warning(start)
    assert bool(words) == bool(warning(start))
