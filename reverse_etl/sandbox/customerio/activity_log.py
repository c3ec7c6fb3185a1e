"""The feed of what really happened after an answer, in order, with refusals never forgotten."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator
from operator import attrgetter
from typing import Any

from reverse_etl.sandbox.customerio.records import Activity, Identifiers, Person

_BY_NUMBER = attrgetter("number")


class ActivityLog:
    """Activities in the order in which they happened.

    Refusals (``failed_...``, ``skipped_update``) are all kept; of the ordinary ones, which grow with every item sent,
    the last ``kept``.
    """

    def __init__(self, kept: int) -> None:
        self.refusals: list[Activity] = []
        self.ordinary: deque[Activity] = deque(maxlen=kept)
        self.count = 0

    def add(self, kind: str, person: Person | None, now: int, data: dict[str, Any], name: str = "") -> None:
        """Records an ordinary activity; the oldest may be forgotten for it."""
        self.count += 1
        self.ordinary.append(Activity(self.count, kind, now, person, {}, data, name))

    def refuse(
        self, kind: str, sent: Identifiers, now: int, reason: str, *, person: Person | None = None, field: str = ""
    ) -> None:
        """Records something that was accepted with 200 and then not done."""
        self.count += 1
        data = {"reason": reason, "field": field} if field else {"reason": reason}
        self.refusals.append(Activity(self.count, kind, now, person, sent, data))

    def put_back(self, activity: Activity) -> None:
        """Restores a remembered activity, in the order in which they happened."""
        self.count = activity.number
        (self.refusals if "reason" in activity.data else self.ordinary).append(activity)

    def __iter__(self) -> Iterator[Activity]:
        return heapq.merge(self.ordinary, self.refusals, key=_BY_NUMBER)

    def newest_first(self) -> Iterator[Activity]:
        """All that is remembered, the latest first."""
        return heapq.merge(reversed(self.ordinary), reversed(self.refusals), key=_BY_NUMBER, reverse=True)
