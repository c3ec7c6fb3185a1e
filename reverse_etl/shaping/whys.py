"""Why rows go no further than shaping."""

from __future__ import annotations

from dataclasses import dataclass

from reverse_etl.report import Cause, Outcome


@dataclass(frozen=True, slots=True)
class Why:
    """Why rows go no further.

    Attributes:
        outcome: ``EXCLUDED`` or ``REJECTED``.
        cause: Where, and the reason.
    """

    outcome: Outcome
    cause: Cause
