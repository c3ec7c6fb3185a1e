"""Whether what a sync waits for has come: its marks, compared with those of the sync's last start.

A mark is any text that differs whenever the thing was made again; what marks are made of is the caller's.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reverse_etl.config.schedule import ScheduleConfig


def has_come(marks: Mapping[str, str], seen: Mapping[str, str], *, each: bool) -> bool:
    """Whether what a sync waits for is there.

    Args:
        marks: By name, of what was ever made; without an entry of what never was, which is an empty text.
        seen: Those that the sync's last start knew.
        each: Whether everything must be new, or one of it is enough.
    """
    new = [bool(mark) and mark != seen.get(name) for name, mark in marks.items()]
    return bool(new) and (all(new) if each else any(new))


def used_up(made_at: Mapping[str, datetime], began_at: datetime | None) -> set[str]:
    """What a run has seen: the names of what was made before it began, or at that moment.

    Args:
        made_at: By name, when it was made, aware.
        began_at: When the run began, aware; None: there is none.
    """
    return set() if began_at is None else {name for name, at in made_at.items() if at <= began_at}


def at_the_latest(
    schedule: ScheduleConfig, last_start_at: datetime | None, first_seen_at: datetime | None
) -> datetime | None:
    """When a sync that waits runs whether or not anything came; None where it has no longest wait, or no start.

    Args:
        schedule: The sync's, with ``after``.
        last_start_at: When its last run started, aware; None before the first.
        first_seen_at: When it was first seen, aware; None before.
    """
    since = last_start_at or first_seen_at
    return None if schedule.every is None or since is None else since + schedule.every
