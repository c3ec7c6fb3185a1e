"""How many open requests are worth having: more are tried while twice as many get more done.

Less because of trouble is ``concurrency``.

A round is as many answers as requests may be open, while no place is left free. What a round gets done
in a second is how many were open over how long an answer took (Little's law), which holds for any distribution of
answers; the shortest answer, which TCP's own measures look at, says little where a service's work differs.
"""

from __future__ import annotations

from typing import Final

_WORTH_IT: Final = 0.5
"""Twice as many open requests must get at least this share more done to stay."""

_REST: Final = 8, 128
"""Rounds until more are tried again after that was in vain: at first, and at most, for it doubles each time."""

_MUCH_SLOWER: Final = 0.5
"""After a round that gets less than this share of what the window was chosen for done, it is found anew."""


class Window:
    """The number of requests that may be open while all is well.

    Args:
        most: Its upper limit.
        at_first: What it begins with, and the least that it falls to.

    Attributes:
        size: Requests.
        series: Grows with each new size; a request is sent with it, so that its answer is known to be one at this size.
    """

    def __init__(self, most: int, *, at_first: int | None = None) -> None:
        self._most = most
        self._least = self.size = most if at_first is None else min(at_first, most)
        self._per_second = 0.0
        self._before: int | None = None
        self._rest, self._next_rest = 0, _REST[0]
        self.series = 0
        self._answers = 0
        self._took_s = 0.0

    def begin_round(self) -> None:
        """Not as many were open as may be: what was counted of this round says nothing."""
        self._answers, self._took_s = 0, 0.0

    def answered(self, took_s: float, *, series: int) -> None:
        """Takes note of an answer that settled a request.

        Args:
            took_s: Seconds that it took.
            series: ``series`` as it was when the request was sent.
        """
        if self._most == self._least or series != self.series:
            return
        self._answers += 1
        self._took_s += took_s
        if self._answers >= self.size:
            self._judge(self.size * self._answers / max(self._took_s, 1e-9))

    def trouble(self) -> None:
        """An answer was trouble: what is being tried is given up, and nothing is tried for some rounds."""
        if self._before is not None:
            self._change(self._before)
        self._before = None
        self._take_rest()

    def _judge(self, per_second: float) -> None:
        """Ends a round."""
        self.begin_round()
        if self._before is not None:
            worth = self._per_second * (1 + _WORTH_IT * (self.size / self._before - 1))
            before, self._before = self._before, None
            if per_second < worth:
                self._take_rest()
                self._change(before)
                return
            self._next_rest = _REST[0]
        elif per_second < self._per_second * _MUCH_SLOWER and self.size > self._least:
            self._per_second, self._rest = 0.0, 0
            self._change(self._least)
            return
        elif self._rest:
            self._rest -= 1
            return
        self._per_second = per_second
        if self.size < self._most:
            self._before = self.size
            self._change(min(self._most, 2 * self.size))

    def _take_rest(self) -> None:
        self._rest = self._next_rest
        self._next_rest = min(_REST[1], 2 * self._next_rest)

    def _change(self, size: int) -> None:
        self.size = size
        self.series += 1
        self.begin_round()
