from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
from dagster._utils.schedules import schedule_execution_time_iterator
from hypothesis import given, settings
from hypothesis import strategies as st

from reverse_etl.schedule.cadence import Cadence, first_due

HALF_PAST = Cadence(datetime(2026, 1, 5, 1, 30, tzinfo=UTC), timedelta(hours=1))

starts = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
lengths = st.one_of(
    st.integers(1, 20_200),
    st.sampled_from([1, 5, 7, 11, 15, 45, 50, 60, 90, 105, 300, 360, 420, 1440, 2880, 10_080, 20_160]),
).map(lambda minutes: timedelta(minutes=minutes))
cadences = st.builds(Cadence, starts, lengths)


def at(hour: int, minute: int, second: int = 0) -> datetime:
    """A time of the day on which the grid starts."""
    return datetime(2026, 1, 5, hour, minute, second, tzinfo=UTC)


def test_runs_stay_on_the_grid() -> None:
    """Start 1:30, every hour: a run that takes past 2:30 is followed by 3:30, not by an hour after its end."""
    assert HALF_PAST.next_due(at(1, 0)) == at(1, 30)
    assert HALF_PAST.next_due(at(1, 30)) == at(2, 30)
    assert HALF_PAST.next_due(at(2, 45)) == at(3, 30)
    assert HALF_PAST.latest_due(at(2, 45)) == at(2, 30)
    assert HALF_PAST.latest_due(at(1, 29, 59)) is None
    assert [HALF_PAST.is_due(moment) for moment in (at(0, 30), at(1, 30), at(2, 30), at(2, 31), at(2, 30, 1))] == [
        False,
        True,
        True,
        False,
        False,
    ]


def test_the_grid_is_one_of_utc() -> None:
    """A start in another zone is the same moment; seconds are dropped; a clock change shifts nothing."""
    berlin = timezone(timedelta(hours=2))
    cadence = Cadence(datetime(2026, 1, 5, 3, 30, 59, tzinfo=berlin), timedelta(hours=1))

    assert cadence == HALF_PAST
    assert cadence.start_at.tzinfo is UTC
    assert cadence.is_due(datetime(2026, 1, 5, 5, 30, tzinfo=berlin))


@pytest.mark.parametrize(
    ("start_at", "every", "message"),
    [
        (datetime(2026, 1, 5), timedelta(hours=1), "no zone"),  # noqa: DTZ001
        (at(1, 30), timedelta(0), "whole minutes"),
        (at(1, 30), timedelta(seconds=90), "whole minutes"),
        (at(1, 30), timedelta(seconds=30), "whole minutes"),
    ],
)
def test_what_is_no_grid_is_refused(start_at: datetime, every: timedelta, message: str) -> None:
    """Minutes are the finest step, and a moment needs a zone."""
    with pytest.raises(ValueError, match=message):
        Cadence(start_at, every)


@settings(max_examples=100, deadline=None)
@given(cadences, st.timedeltas(timedelta(days=-30), timedelta(days=60)))
def test_next_and_latest_enclose_every_moment(cadence: Cadence, offset: timedelta) -> None:
    """Both are due, the latest is not after the moment, the next is, and nothing is due in between."""
    now = cadence.start_at + offset
    latest, following = cadence.latest_due(now), cadence.next_due(now)

    assert cadence.is_due(following)
    assert following > now
    if latest is None:
        assert now < cadence.start_at == following
    else:
        assert cadence.is_due(latest)
        assert latest <= now
        assert following - latest == cadence.every


def ticks(expressions: list[str], begin: datetime, end: datetime) -> Iterator[datetime]:
    """Dagster's own reading of the expressions."""
    for tick in schedule_execution_time_iterator(begin.timestamp(), expressions, "UTC", ascending=True):
        if tick > end:
            return
        yield tick


@settings(max_examples=80, deadline=None)
@given(cadences)
def test_cron_ticks_that_are_due_are_the_grid(cadence: Cadence) -> None:
    """Three hours around each of the first due times, over up to six weeks, those due are exactly the grid."""
    expressions = cadence.cron_covering()
    due, grid = set(), set()
    for number in range(4):
        begin, end = (cadence.start_at + number * cadence.every + side * timedelta(hours=3) for side in (-1, 1))
        due |= {tick for tick in ticks(expressions, begin, end) if cadence.is_due(tick)}
        most = number + timedelta(hours=3) // cadence.every
        grid |= {at for at in (cadence.start_at + n * cadence.every for n in range(most + 1)) if at >= begin}
    assert due == grid
    assert len(expressions) <= 16


@pytest.mark.parametrize(
    ("minutes", "expressions"),
    [
        (1, ["* * * * *"]),
        (15, ["*/15 * * * *"]),
        (45, ["0 */3 * * *", "15 2-23/3 * * *", "30 1-23/3 * * *", "45 */3 * * *"]),
        (50, ["*/10 * * * *"]),
        (60, ["30 * * * *"]),
        (105, ["*/15 * * * *"]),
        (360, ["30 1-23/6 * * *"]),
        (1440, ["30 1 * * *"]),
        (2880, ["30 1 * * *"]),
        (10_080, ["30 1 * * 1"]),
    ],
)
def test_common_intervals_have_short_expressions(minutes: int, expressions: list[str]) -> None:
    """Exact where the interval divides a week in few expressions; otherwise as seldom as possible."""
    assert Cadence(at(1, 30), timedelta(minutes=minutes)).cron_covering() == expressions


def test_what_no_look_saw_is_missed_once() -> None:
    """Off from 1:40 to 4:35: the tick after that answers 4:30, the next one nothing; a first look misses nothing."""
    assert HALF_PAST.missed(at(1, 40), at(4, 35)) == at(4, 30)
    assert HALF_PAST.missed(at(4, 35), at(4, 40)) is None
    assert HALF_PAST.missed(at(4, 30), at(4, 40)) is None
    assert HALF_PAST.missed(None, at(4, 40)) is None
    assert HALF_PAST.missed(at(1, 0), at(1, 20)) is None


def test_a_sync_without_a_start_begins_soon_after_it_was_first_seen() -> None:
    """At a whole minute, which a daemon that is just starting does not miss."""
    assert first_due(at(1, 30, 59)) == at(1, 32)
    assert first_due(at(1, 30)) == at(1, 32)
