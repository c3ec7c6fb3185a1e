"""A gate's number beside those of earlier runs: by how much it differs from their median."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import Field

from reverse_etl.counted import counted

MOST_RUNS: Final = 30
"""How many runs back a gate can look."""

LastRuns = Annotated[
    int, Field(ge=1, le=MOST_RUNS, description="How many completed runs `change` looks back at; their median counts.")
]
"""A pydantic field for the number of runs."""

NOTHING_TO_COMPARE: Final = "No completed run that read the same way to compare with yet."


def changed_by(value: float, past: Sequence[float], last: int) -> tuple[float, float, int] | None:
    """How far a number is from the median of the last runs.

    Args:
        value: The number.
        past: Those of earlier runs, the newest first.
        last: How many of them count.

    Returns:
        The median, the change in percent of it (infinite where it is 0), and how many runs it is of; None without any.
    """
    counting = past[:last]
    if not counting:
        return None
    median = statistics.median(counting)
    if value == median:
        return median, 0.0, len(counting)
    return median, abs(value - median) * 100 / median if median else float("inf"), len(counting)


def of_runs(number: int) -> str:
    """Which runs a median is of, in words."""
    return "the last completed run" if number == 1 else f"the median of the last {counted(number, 'completed run')}"
