"""How many events a user or a device may have in a second and in a day."""

from __future__ import annotations

from collections import Counter
from typing import Any

Key = tuple[str, str]


class Rates:
    """Counts of the events that were taken, by user or device."""

    def __init__(self) -> None:
        self._second = -1
        self._day = -1
        self._in_second: Counter[Key] = Counter()
        self._in_day: Counter[Key] = Counter()

    def throttled(self, keys: list[Key], now: float, per_second: int, per_day: int) -> dict[str, Any] | None:
        """The lists of a 429 where these events are too many; None where they are not, and then they are counted.

        Args:
            keys: The user or device of each event, in order.
            now: Unix seconds.
            per_second: What one of them may have; 0 is no limit.
            per_day: The same in a day.
        """
        if int(now) != self._second:
            self._second = int(now)
            self._in_second.clear()
        if int(now // 86_400) != self._day:
            self._day = int(now // 86_400)
            self._in_day.clear()
        asked = Counter(keys)
        over_second = {key for key, n in asked.items() if per_second and self._in_second[key] + n > per_second}
        over_day = {key for key, n in asked.items() if per_day and self._in_day[key] + n > per_day}
        if not over_second and not over_day:
            self._in_second.update(asked)
            self._in_day.update(asked)
            return None
        taken: Counter[Key] = Counter()
        places = []
        for place, key in enumerate(keys):
            taken[key] += 1
            is_over = key in over_second and self._in_second[key] + taken[key] > per_second
            if is_over or (key in over_day and self._in_day[key] + taken[key] > per_day):
                places.append(place)
        return lists(
            {key: self._in_second[key] + asked[key] for key in over_second | over_day},
            places,
            {key: self._in_day[key] + asked[key] for key in over_day},
        )


def lists(throttled: dict[Key, int], places: list[int], over_quota: dict[Key, int]) -> dict[str, Any]:
    """The part of a 429 that says who and which events."""

    def of(kind: str, counts: dict[Key, int]) -> dict[str, int]:
        return {name: n for (each, name), n in counts.items() if each == kind}

    return {
        "throttled_users": of("user", throttled),
        "throttled_devices": of("device", throttled),
        "throttled_events": places,
        "exceeded_daily_quota_users": of("user", over_quota),
        "exceeded_daily_quota_devices": of("device", over_quota),
    }
