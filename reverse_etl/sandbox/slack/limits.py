"""How often: messages in a channel, calls of a method."""

from __future__ import annotations

import math


class Buckets:
    """A bucket of tokens for each name, refilled as time goes by."""

    def __init__(self) -> None:
        self._left: dict[str, tuple[float, float]] = {}

    def wait_s(self, name: str, now: float, per_second: float, most: int) -> int:
        """Whole seconds until the next is allowed; 0 takes one now. Without a rate all are allowed."""
        if not per_second:
            return 0
        left, at = self._left.get(name, (float(most), now))
        left = min(float(most), left + (now - at) * per_second)
        # Half a millisecond of grace: time there is a float.
        if left < 1 - 0.0005 * per_second:
            self._left[name] = (left, now)
            return max(1, math.ceil((1 - left) / per_second))
        self._left[name] = (left - 1, now)
        return 0
