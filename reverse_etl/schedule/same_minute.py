"""Syncs of one workspace that are due in the same minute: one of them runs, the others are skipped, every time.

Only what the files say is compared: where an interval without ``start_at`` counts from is known to the state alone.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from reverse_etl.config.cron import cron_values

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from reverse_etl.config.schedule import ScheduleConfig
    from reverse_etl.config.syncs import SyncConfig

DAYS: Final = 28
"""How far due times are looked at: four weeks, in which most schedules repeat."""

_DAY: Final = 1440
_MONDAY: Final = datetime(2026, 1, 5, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class SameMinute:
    """A sync that is skipped because others of its workspace are due when it is.

    Attributes:
        others: Their names, in order.
        due: Its due times in four weeks.
        runs: How many of these are likely to become a run, where each of those that are due together has its turn.
    """

    others: Sequence[str]
    due: int
    runs: float

    @property
    def in_words(self) -> str:
        """``about 8 of its 24 runs a day``, or ``in four weeks`` where it is less than one a day."""
        days, period = (DAYS, "a day") if self.runs >= DAYS else (1, "in four weeks")
        return f"about {max(1, round(self.runs / days)):,} of its {round(self.due / days):,} runs {period}"


def same_minute(syncs: Mapping[str, SyncConfig]) -> dict[str, SameMinute]:
    """The syncs that are skipped every time, by name; one with ``overlap: wait`` is not, but keeps others from running.

    Args:
        syncs: Those of a project.
    """
    by_place: dict[str, dict[tuple[int, ...], list[SyncConfig]]] = defaultdict(lambda: defaultdict(list))
    dues: dict[object, tuple[int, ...]] = {}
    for sync in syncs.values():
        known = (sync.schedule.cron, sync.schedule.every, sync.schedule.start_at)
        if known not in dues:
            dues[known] = tuple(_due_minutes(sync.schedule))
        if dues[known]:
            by_place[sync.destination][dues[known]].append(sync)
    return {name: found for together in by_place.values() for name, found in _in_one_place(together)}


def _in_one_place(together: Mapping[tuple[int, ...], list[SyncConfig]]) -> Iterator[tuple[str, SameMinute]]:
    at_once: Counter[int] = Counter()
    for minutes, syncs in together.items():
        at_once.update(dict.fromkeys(minutes, len(syncs)))
    for minutes, syncs in together.items():
        runs = math.fsum(1 / at_once[minute] for minute in minutes)
        if runs == len(minutes):
            continue
        own = set(minutes)
        names = sorted(sync.name for other, each in together.items() if not own.isdisjoint(other) for sync in each)
        for sync in syncs:
            if sync.schedule.overlap == "skip":
                yield sync.name, SameMinute([name for name in names if name != sync.name], len(minutes), runs)


def _due_minutes(schedule: ScheduleConfig) -> Iterable[int]:
    """Minutes of four weeks, as if it had always been due; none where its times are not in the file."""
    if schedule.every is not None and schedule.start_at is not None:
        every = schedule.every // timedelta(minutes=1)
        return range((schedule.start_at - _MONDAY) // timedelta(minutes=1) % every, DAYS * _DAY, every)
    if schedule.cron is None:
        return ()
    minutes, hours, days, months, weekdays = cron_values(schedule.cron)
    either, weekdays = len(days) < 31 and len(weekdays) < 7, {weekday % 7 for weekday in weekdays}
    in_day = sorted(hour * 60 + minute for hour in hours for minute in minutes)
    found: list[int] = []
    for number in range(DAYS):
        day = _MONDAY + timedelta(days=number)
        fits = (day.day in days, day.isoweekday() % 7 in weekdays)
        if day.month in months and (any(fits) if either else all(fits)):
            found += [number * _DAY + minute for minute in in_day]
    return found
