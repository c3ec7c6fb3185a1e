"""Why rows of a run were left out by choice, counted: what every screen shows of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

UNNAMED: Final = "other"
"""Of rows that an earlier release left out, which noted no reason."""


@dataclass(frozen=True, slots=True)
class ExcludedRows:
    """The rows of a run that were left out for one reason.

    Attributes:
        reason: One word: the name of a rule (``event_repeated``), or the destination's own (``already_exists``).
        rows: How many.
        message: Why, a sentence for people; never a row's value. Empty where it is not known.
    """

    reason: str
    rows: int
    message: str = ""


def by_reason(found: Iterable[ExcludedRows], rows: int) -> tuple[ExcludedRows, ...]:
    """One entry a reason, most rows first, that add up to the rows that were left out.

    Args:
        found: In any order, with reasons that repeat.
        rows: How many rows were left out in all.
    """
    counts: dict[str, int] = {}
    messages: dict[str, str] = {}
    for each in found:
        counts[each.reason] = counts.get(each.reason, 0) + each.rows
        messages.setdefault(each.reason, each.message)
    if rows > sum(counts.values()):
        counts[UNNAMED] = counts.get(UNNAMED, 0) + rows - sum(counts.values())
    ordered = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    return tuple(ExcludedRows(reason, count, messages.get(reason, "")) for reason, count in ordered if count)


def as_counts(excluded: Iterable[ExcludedRows]) -> dict[str, int]:
    """How many rows each reason has: ``{"already_exists": 6}``."""
    return {each.reason: each.rows for each in excluded}


def from_stored(stored: Iterable[Mapping[str, str | int]]) -> tuple[ExcludedRows, ...]:
    """What ``dataclasses.asdict`` made of each."""
    return tuple(ExcludedRows(str(each["reason"]), int(each["rows"]), str(each["message"])) for each in stored)


def in_words(excluded: Iterable[ExcludedRows]) -> str:
    """The reasons in one line: ``6 already_exists, 5 suppressed``."""
    return ", ".join(f"{each.rows:,} {each.reason}" for each in excluded)
