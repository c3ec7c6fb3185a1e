"""An answer that settles nothing, from whatever was asked over a network."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TryAgain:
    """No lasting answer: too many requests, a server's fault, a broken connection, an unreadable body.

    Attributes:
        cause: For people: ``HTTP 503``, ``no answer within 30 s``.
        after_s: Seconds that the destination asks to wait; None when it names no time.
        slow_down: Whether it was a rate limit.
        away: Whether no server was reached at the address, now or before in this run.
        hint: What to do about it, where that is known.
        not_sent: Whether surely nothing of the request reached a server.
    """

    cause: str
    after_s: float | None = None
    slow_down: bool = False
    away: bool = False
    hint: str = ""
    not_sent: bool = False
