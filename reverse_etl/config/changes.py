"""How a sync finds out what changed: the section ``changes`` of its file."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from pydantic import Field

from reverse_etl.config.intervals import IntervalOrZero
from reverse_etl.config.model import YamlModel

DEFAULT_LATE: Final = timedelta(minutes=10)
"""How late a row may become visible where neither the server nor a file gives a time."""


class ChangesConfig(YamlModel):
    """How a run finds the rows that changed.

    Attributes:
        late: How long before the last sync time a query starts to read; None: what the database says.
    """

    late: IntervalOrZero | None = Field(
        default=None,
        description="Read again from so long before the last sync time; 0s: from the last sync time itself. "
        "The database's when left out.",
    )


def late_of(changes: ChangesConfig, database: timedelta | None) -> timedelta | None:
    """What was asked for: the sync's own ``late`` beats that of its database."""
    return database if changes.late is None else changes.late
