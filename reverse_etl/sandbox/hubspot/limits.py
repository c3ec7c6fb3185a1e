"""Calls in ten seconds and in a day, and the headers that count them down.

Source: developers.hubspot.com, API usage guidelines (2026). Inferred: that a refused call is not counted, and that the
day is the account's, which is UTC here.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.responses import Response

from reverse_etl.sandbox.base import Clock
from reverse_etl.sandbox.hubspot.problems import refusal

WINDOW_S = 10.0


@dataclass(frozen=True, slots=True)
class Most:
    """How many calls there may be; 0 is any number."""

    in_ten_seconds: int
    a_day: int
    searches_a_second: int


class Limits:
    """One app's calls."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.clear()

    def clear(self) -> None:
        """Forgets all calls."""
        self._calls: deque[float] = deque()
        self._searches: deque[float] = deque()
        self._today = ""
        self.used_today = 0

    def take(self, most: Most, *, is_search: bool) -> Response | None:
        """Counts a call; the refusal where it is one too many."""
        now = self._clock.now()
        today = datetime.fromtimestamp(now, UTC).date().isoformat()
        if today != self._today:
            self._today, self.used_today = today, 0
        if most.a_day and self.used_today >= most.a_day:
            return refused("DAILY", self.headers(most))
        if is_search:
            if most.searches_a_second and _in_window(self._searches, now, 1.0) >= most.searches_a_second:
                return refused("SECONDLY", {})
            self._searches.append(now)
        elif most.in_ten_seconds:
            if _in_window(self._calls, now, WINDOW_S) >= most.in_ten_seconds:
                return refused("TEN_SECONDLY_ROLLING", self.headers(most))
            self._calls.append(now)
        self.used_today += 1
        return None

    def headers(self, most: Most) -> dict[str, str]:
        """What every answer but a search's carries."""
        told = {}
        if most.in_ten_seconds:
            left = max(0, most.in_ten_seconds - _in_window(self._calls, self._clock.now(), WINDOW_S))
            told["X-HubSpot-RateLimit-Max"] = str(most.in_ten_seconds)
            told["X-HubSpot-RateLimit-Remaining"] = str(left)
            told["X-HubSpot-RateLimit-Interval-Milliseconds"] = str(int(WINDOW_S * 1000))
        if most.a_day:
            told["X-HubSpot-RateLimit-Daily"] = str(most.a_day)
            told["X-HubSpot-RateLimit-Daily-Remaining"] = str(max(0, most.a_day - self.used_today))
        return told


def refused(policy: str, headers: dict[str, str]) -> Response:
    """429, with the name of the limit."""
    message = f"You have reached your {policy.lower()} limit."
    return refusal(429, "RATE_LIMITS", message, errorType="RATE_LIMIT", policyName=policy, headers=headers)


def _in_window(calls: deque[float], now: float, window_s: float) -> int:
    while calls and calls[0] <= now - window_s:
        calls.popleft()
    return len(calls)
