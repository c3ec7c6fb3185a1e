"""Why a database refused a row, in words that are the same for every engine.

The servers' own texts quote rows, so none of them is passed on: reasons, and the names of constraints and columns are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from reverse_etl.destinations.base import Refusal
from reverse_etl.report import Reason

MESSAGES: Final = {
    "breaks_check": "a check of the table does not hold",
    "duplicate_key": "an earlier row of the query has the same key",
    "duplicate_value": "another row has the same value, which must be unique",
    "matches_several_rows": "several rows of the table have its key",
    "missing_reference": "a row of another table that it refers to is missing",
    "no_partition": "no partition of the table takes it",
    "not_applied": "it was written without an error and is not there: a trigger left it out",
    "not_in_encoding": "a character does not exist in the encoding of its column",
    "null": "a column that must not be empty (NOT NULL) would be",
    "out_of_range": "a value is out of range",
    "overlaps": "another row excludes it",
    "referenced": "rows of another table refer to it",
    "row_policy": "a policy of the table (row-level security) refused it",
    "too_long": "a value is too long",
    "trigger": "a trigger of the table refused it",
    "wrong_value": "a text cannot be read as its column's type",
}
"""By reason, without a full stop."""


def refusal(
    place: int, reason: str, columns: Sequence[str] = (), *, constraint: str = "", message: str = ""
) -> Refusal:
    """A row that is refused.

    Args:
        place: In the slice.
        reason: One of ``MESSAGES``, or another with a message of its own.
        columns: Those that it is about.
        constraint: What refused it, where that has a name.
        message: Without a full stop; that of the reason where it is left out.
    """
    named = f" (constraint {constraint})" if constraint else ""
    return Refusal(place, Reason(reason, ", ".join(columns), f"{message or MESSAGES[reason]}{named}."))


def reasons_of(refusals: Iterable[Refusal]) -> dict[str, int]:
    """How many rows are refused, by reason with its field."""
    return dict(Counter(each.why.label for each in refusals))
