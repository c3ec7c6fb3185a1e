"""What Snowflake's error numbers mean for a row, and for a run.

The service's own texts quote rows (``Numeric value '...' is not recognized``), so none of them is passed on.
"""

from __future__ import annotations

import re
from typing import Any, Final

from reverse_etl.destinations._sql import refusals
from reverse_etl.destinations.base import RequestRefused, TryAgain

LOST: Final = 0
"""Stands for a number where there is none: the connection was lost, or the session is gone."""
ENDED: Final = 604
"""A statement was canceled."""
_TRANSPORT: Final = range(250_000, 300_000)
_SESSION_GONE: Final = range(390_100, 390_200)

DENIED: Final = 3001
NOT_THERE: Final = frozenset({2003, 2043})
NO_COLUMN: Final = 904

_ROWS: Final = range(100_000, 100_200)
"""Numbers of what fails while rows are read or written."""
_TWICE: Final = 100_090
"""A statement would change a row twice: another writer has added its key once more."""
_REASONS: Final = {
    100_072: "null",
    100_078: "too_long",
    100_082: "too_long",
    **dict.fromkeys((100_039, 100_046, 100_132), "out_of_range"),
    **dict.fromkeys((100_035, 100_038, 100_040, 100_069, 100_071), "wrong_value"),
    200_001: "duplicate_value",
}
_CAUSES: Final = {
    **dict.fromkeys((ENDED, 625), "the service ended the statement"),
    630: "the statement took longer than query_timeout",
    _TWICE: "another writer changed the table meanwhile",
}
_LOCK: Final = re.compile(r"\block(?:ed|s)?\b", re.IGNORECASE)
_STOPPED: Final = {
    606: (
        "no warehouse runs the session's statements",
        "Set `warehouse`, and ask for: GRANT USAGE ON WAREHOUSE ... TO ROLE {role}.",
    ),
    608: ("warehouse {warehouse} cannot be resumed", "Ask whether a resource monitor has suspended it."),
    90_073: ("warehouse {warehouse} cannot be resumed", "Ask whether a resource monitor has suspended it."),
    639: ("the account's warehouses are suspended: the account is locked", "Ask the account's administrator."),
    DENIED: (
        "role {role} lacks a right (003001)",
        "Run the sync again: what is missing is named before the first row.",
    ),
    **dict.fromkeys(
        NOT_THERE,
        (
            "the table is gone, or role {role} may no longer see it (002003)",
            "Run the sync again: what changed about the table is found before the first row.",
        ),
    ),
    NO_COLUMN: (
        "a column is gone (000904)",
        "Run the sync again: what changed about the table is found before the first row.",
    ),
}
"""What lasts, by number, and what to do."""


class Refused(Exception):  # noqa: N818 - an answer, not a fault of the program
    """A statement failed.

    Attributes:
        number: Snowflake's, or ``LOST``.
        text: Its words, which may hold values.
    """

    def __init__(self, number: int, text: str) -> None:
        super().__init__(number)
        self.number = number
        self.text = text

    @property
    def lost(self) -> bool:
        """Whether there was no answer."""
        return self.number == LOST


def refused_by(error: BaseException) -> Refused:
    """What the connector raised, one of its ``FAILURES``."""
    number: Any = getattr(error, "errno", None)
    if not isinstance(number, int) or number <= 0 or number in _TRANSPORT or number in _SESSION_GONE:
        number = LOST
    return Refused(number, str(getattr(error, "msg", "") or error))


def trouble(refused: Refused) -> TryAgain | None:
    """What to try again after a while; None for what lasts."""
    if refused.lost:
        return TryAgain("the connection was lost")
    if refused.number not in _ROWS and refused.number not in _STOPPED and _LOCK.search(refused.text):
        return TryAgain("the table was locked by another transaction for longer than lock_timeout", slow_down=True)
    cause = _CAUSES.get(refused.number)
    return TryAgain(cause) if cause is not None else None


def rows_fault(refused: Refused) -> RequestRefused | None:
    """Why a statement failed for what a row of it holds; None where it failed for another reason."""
    if refused.number not in _ROWS and refused.number not in _REASONS:
        return None
    reason = _REASONS.get(refused.number, "refused")
    message = "" if reason in refusals.MESSAGES else f"the service refuses it (error {refused.number:06d})"
    return RequestRefused(refusals.refusal(0, reason, message=message).why)


def lasting(refused: Refused, *, role: str, warehouse: str) -> tuple[str, str]:
    """What lasts, and what to do."""
    what, hint = _STOPPED.get(
        refused.number,
        (
            f"the service refuses the statement (error {refused.number:06d})",
            "Look the number up in the account's query history.",
        ),
    )
    return what.format(role=role, warehouse=warehouse), hint.format(role=role, warehouse=warehouse)
