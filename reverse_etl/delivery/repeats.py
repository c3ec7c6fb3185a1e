"""Items of a request that was taken which were not applied yet: what is sent again, when, and how often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from reverse_etl.delivery.batches import Request
from reverse_etl.destinations.base import Accepted, Refusal, TryAgain

_PIECES: Final = 4
"""The items of one request that were in each other's way go into this many."""


def unless_all(answer: Accepted, items: int) -> Accepted | TryAgain:
    """``TryAgain`` where a request's every item is to be sent again, so that the retry budget counts the wait."""
    if len(answer.again) < items or any(each.most is not None for each in answer.again):
        return answer
    causes = dict.fromkeys(each.why.reason for each in answer.again)
    return TryAgain(", ".join(causes), after_s=max(each.after_s for each in answer.again), slow_down=True)


def refuse_spent(answer: Accepted, request: Request) -> Accepted:
    """The answer with what was sent as often as it may be among the refused."""
    spent = [each for each in answer.again if each.most is not None and request.tries + 1 >= each.most]
    if not spent:
        return answer
    refusals = sorted([*answer.refusals, *(Refusal(each.place, each.why) for each in spent)])
    return replace(answer, refusals=tuple(refusals), again=tuple(each for each in answer.again if each not in spent))


def repeats_of(answer: Accepted, request: Request) -> list[tuple[float, Request]]:
    """The requests with what is sent again, in the order of the waits, each with the seconds until then."""
    found: list[tuple[float, Request]] = []
    for after_s, most in dict.fromkeys((each.after_s, each.most) for each in answer.again):
        places = [each.place for each in answer.again if (each.after_s, each.most) == (after_s, most)]
        size = len(places) if most is None else max(1, len(request.items) // _PIECES)
        found += [
            (after_s, _at(places[start : start + size], request, request.tries + (most is not None)))
            for start in range(0, len(places), size)
        ]
    return sorted(found, key=lambda each: each[0])


def _at(places: Sequence[int], request: Request, tries: int) -> Request:
    numbers, keys, items = zip(
        *((request.numbers[at], request.keys[at], request.items[at]) for at in places), strict=True
    )
    return Request([*numbers], [*keys], [*items], tries)
