"""A year of a sync's schedule by a clock of its own, with a machine that is off now and then."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from dagster._utils.schedules import schedule_execution_time_iterator
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reverse_etl.schedule.cadence import Cadence

YEAR = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
START = datetime(2026, 1, 5, 1, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@dataclass(slots=True)
class Machine:
    """Looks at the clock as Dagster's daemon does: each tick while it is on, the latest one when it comes back.

    Attributes:
        looked_at: When it did last, or first knew of the schedule.
        answered: The due times that led to a run, in order.
    """

    cadence: Cadence
    looked_at: datetime | None = None
    answered: list[datetime] = field(default_factory=list)

    def tick(self, at: datetime) -> None:
        """What a schedule's tick decides."""
        due = at if self.cadence.is_due(at) else self.cadence.missed(self.looked_at, at)
        self.looked_at = at
        if due is not None:
            self.answered.append(due)


def ticks(cadence: Cadence, begin: datetime, end: datetime) -> Iterator[datetime]:
    """Dagster's ticks for a schedule, from one moment up to another."""
    for tick in schedule_execution_time_iterator(begin.timestamp(), cadence.cron_covering(), "UTC", ascending=True):
        if tick > end:
            return
        yield tick.astimezone(UTC)


def seen(all_ticks: list[datetime], off: list[tuple[datetime, datetime]]) -> list[datetime]:
    """The ticks that are evaluated: of those of a time that the machine was off, the latest, when it is back."""
    kept: list[datetime] = []
    for tick in all_ticks:
        gap = next((gap for gap in off if gap[0] <= tick < gap[1]), None)
        if gap is not None and kept and gap[0] <= kept[-1] < gap[1]:
            kept[-1] = tick
        else:
            kept.append(tick)
    return kept


@pytest.mark.thorough
@pytest.mark.parametrize("minutes", [15, 45, 50, 60, 105, 2160, 10_080])
def test_a_year_stays_on_the_grid(minutes: int) -> None:
    """Every due time leads to one run, though machines are off: then to the latest one. Clock changes shift nothing."""
    cadence = Cadence(START, timedelta(minutes=minutes))
    chance = random.Random(minutes)  # noqa: S311 - reproducible, not secret
    off = []
    for _ in range(12):
        down = YEAR[0] + timedelta(minutes=chance.randint(10_000, 500_000))
        off.append((down, down + timedelta(minutes=chance.randint(1, 4_000))))
    machine = Machine(cadence)
    for tick in seen(list(ticks(cadence, *YEAR)), off):
        machine.tick(tick)

    grid = [START]
    while grid[-1] + cadence.every <= YEAR[1]:
        grid.append(grid[-1] + cadence.every)
    assert {1} == set(Counter(machine.answered).values())
    assert set(machine.answered) <= set(grid)
    for missing in set(grid) - set(machine.answered):
        down, up = next(gap for gap in off if gap[0] <= missing < gap[1])
        later = [due for due in machine.answered if missing < due]
        assert not later or later[0] < up + cadence.every + MINUTE
        assert down <= missing


def test_a_day_of_23_or_25_hours_has_as_many_runs() -> None:
    """The grid is one of UTC: Berlin's clock moves, the hourly runs do not."""
    machine = Machine(Cadence(START, timedelta(hours=1)))
    for tick in ticks(machine.cadence, *YEAR):
        machine.tick(tick)
    days = Counter(due.astimezone(ZoneInfo("Europe/Berlin")).date().isoformat() for due in machine.answered)
    assert (24, 23, 25) == (days["2026-03-28"], days["2026-03-29"], days["2026-10-25"])


offs = st.lists(st.tuples(st.integers(0, 20_000), st.integers(1, 5_000)), max_size=4)


@pytest.mark.thorough
@settings(max_examples=60, deadline=None)
@example(start=datetime(2020, 1, 1, tzinfo=UTC), minutes=9, down=[(0, 4)])
@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.one_of(st.integers(1, 3_000), st.sampled_from([45, 50, 90, 105, 2160])),
    offs,
)
def test_after_an_outage_one_run_is_due(start: datetime, minutes: int, down: list[tuple[int, int]]) -> None:
    """Whatever the interval, the start and the outages: none is answered twice, and one for each outage at most."""
    cadence = Cadence(start, timedelta(minutes=minutes))
    off = [(cadence.start_at + begin * MINUTE, cadence.start_at + (begin + length) * MINUTE) for begin, length in down]
    end = cadence.start_at + min(5 * cadence.every, timedelta(days=20))
    machine = Machine(cadence, looked_at=cadence.start_at - MINUTE)
    for tick in seen(list(ticks(cadence, cadence.start_at - MINUTE, end)), off):
        machine.tick(tick)
        latest = cadence.latest_due(tick)
        assert latest is None or latest in machine.answered

    assert sorted(set(machine.answered)) == machine.answered
