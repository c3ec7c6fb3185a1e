"""An HTTP answer, and what every service's answers have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from typing import Any, Final

import orjson

from reverse_etl.destinations.base import TryAgain
from reverse_etl.pacing.retry import MOST_ASKED_S

PASSING: Final = frozenset({408, 425, 429})
"""With these and every 5xx, the same request may succeed later."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer, as far as it matters here.

    Attributes:
        headers: Looked up without regard to case (``httpx.Headers``).
        leads_to: The host that it redirects to; may be empty.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    leads_to: str = ""

    @property
    def json(self) -> Any:
        """The body; None where it is no JSON."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None

    @property
    def passes(self) -> bool:
        """Whether the same request may succeed later."""
        return self.status in PASSING or self.status >= 500


def try_again(reply: Reply, *, after_s: float | None = None) -> TryAgain:
    """The trouble that an answer which ``passes`` is, with the wait that it asks for.

    Args:
        reply: The answer.
        after_s: The wait where the service asks for it in a way of its own.
    """
    if after_s is None:
        after_s = retry_after_s(reply.headers, now=datetime.now(UTC))
    return TryAgain(cause=f"HTTP {reply.status}", after_s=after_s, slow_down=reply.status == 429)


def retry_after_s(headers: Mapping[str, str], *, now: datetime) -> float | None:
    """Seconds that a ``Retry-After`` header asks to wait, whether it gives seconds or a date; None without one.

    At most ``MOST_ASKED_S``, whatever it asks for: an answer must not hold a destination back for a day.

    A date is compared with the server's own clock where the answer has it, so a wrong clock here does no harm.
    """
    asked = headers.get("retry-after", "").strip()
    if not asked:
        return None
    try:
        seconds = Decimal(asked)
    except InvalidOperation:
        until, sent = http_date(asked), http_date(headers.get("date", ""))
        return None if until is None else min(MOST_ASKED_S, max(0.0, (until - (sent or now)).total_seconds()))
    return float(min(Decimal(MOST_ASKED_S), seconds)) if seconds.is_finite() and seconds >= 0 else None


def http_date(text: str) -> datetime | None:
    """The time in a header, aware; None where there is none that can be read."""
    try:
        parsed = parsedate_to_datetime(text)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
