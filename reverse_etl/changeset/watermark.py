"""From when a run reads: the last sync time, taken back to where rows may still have become visible after that run.

A row carries the time of its transaction and becomes visible when that commits, or when a replica has replayed it.
What a server reports of both is ``sources.base.Start``; where it reports nothing, ``late`` stands in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from reverse_etl.config.changes import DEFAULT_LATE
from reverse_etl.sources.base import Start

LONG_OPEN: Final = timedelta(hours=1)
"""A transaction that is open for longer is worth a warning."""

CLOCK_NOISE_S: Final = 2.0
"""What two clocks may drift apart between two runs without one having been set back."""


@dataclass(frozen=True, slots=True)
class Watermark:
    """What a completed run leaves for the next one.

    Attributes:
        last_sync_time: Unix seconds; 0 before there was one.
        reaches_to: Unix seconds: rows with an earlier time were visible to that run. None: nothing is known.
        clock_ahead_s: How far the database's clock was ahead of this machine's, seconds; None where nothing is known.
    """

    last_sync_time: int = 0
    reaches_to: int | None = None
    clock_ahead_s: float | None = None

    def reach(self, late: timedelta | None) -> int:
        """From when the next run reads, Unix seconds, as long as no clock was set back; 0 for everything.

        Args:
            late: What was asked for. None: nothing; zero: the last sync time itself.
        """
        if not self.last_sync_time or late == timedelta():
            return self.last_sync_time
        known = self.last_sync_time if self.reaches_to is None else self.reaches_to
        if late is None and self.reaches_to is None:
            late = DEFAULT_LATE
        asked = self.last_sync_time - _seconds(late or timedelta())
        return max(0, min(self.last_sync_time, known, asked))

    def read_from(self, start: Start, late: timedelta | None, here: datetime) -> int:
        """The same for a run that begins now; further back where the database's clock was set back meanwhile.

        A clock that is behind the last sync time for no known reason is of no use: then everything is read.

        Args:
            start: The run's.
            late: As for ``reach``.
            here: This machine's clock, aware.
        """
        back_s = 0
        if self.clock_ahead_s is not None:
            behind_s = self.clock_ahead_s - (start.clock - here).total_seconds()
            back_s = math.ceil(behind_s) if behind_s > CLOCK_NOISE_S else 0
        if self.last_sync_time - back_s > start.clock.timestamp():
            return 0
        return max(0, self.reach(late) - back_s)


def watermark(start: Start, late: timedelta | None, here: datetime) -> Watermark:
    """What a run that begins now leaves for the next one, once it is completed.

    Args:
        start: The run's.
        late: As for ``Watermark.reach``.
        here: This machine's clock, aware.
    """
    at = start.data_at or start.clock
    margin = DEFAULT_LATE if late is None else late
    times = [at]
    if start.reaches_to is None:
        times.append(at - margin)
    else:
        times.append(start.reaches_to)
    if start.begun_by is not None:
        times.append(start.begun_by - margin)
    return Watermark(
        last_sync_time=int(at.timestamp()),
        reaches_to=math.floor(min(times).timestamp()),
        clock_ahead_s=(start.clock - here).total_seconds(),
    )


def warning(start: Start) -> str:
    """A sentence about what holds the next run back; empty where nothing does."""
    if start.data_at is None:
        return (
            "The replica's replication stands still, so it is unknown how old its rows are: last sync time stays. "
            "Start replication there."
        )
    open_since = min((at for at in (start.reaches_to, start.begun_by) if at is not None), default=start.clock)
    if start.clock - open_since < LONG_OPEN:
        return ""
    return (
        f"A transaction in the database has been open since {open_since:%Y-%m-%d %H:%M} UTC: each run reads again what "
        "changed since then. End it there."
    )


def _seconds(length: timedelta) -> int:
    return int(length.total_seconds())
