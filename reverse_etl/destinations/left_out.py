"""Items that a destination leaves out, as the sync's own settings ask for: which, and why."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from reverse_etl.report import Reason

EXISTS: Final = Reason("already_exists", "", "the destination has it already, and `write: add_only` leaves it alone.")
NO_RECORD: Final = Reason(
    "nothing_to_update", "", "the destination does not have it, and `write: update_only` adds none."
)
ALREADY_GONE: Final = Reason("already_gone", "", "it was to be removed, and the destination does not have it.")


class LeftOut(NamedTuple):
    """An item that was not applied, by choice.

    Attributes:
        place: Of the item in the request, from 0.
        why: The reason; never a row's value.
    """

    place: int
    why: Reason


def left_out(places: Iterable[int], why: Reason) -> tuple[LeftOut, ...]:
    """Items that are left out for one reason, by place."""
    return tuple(LeftOut(place, why) for place in sorted(places))


def left_out_by(write: str, places: Iterable[int]) -> tuple[LeftOut, ...]:
    """Items that a ``write`` leaves out: what exists, where it only adds; else what does not."""
    return left_out(places, EXISTS if write == "add_only" else NO_RECORD)
