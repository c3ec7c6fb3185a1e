"""What can be set of a stand-in project. Where no source says what Amplitude does, it is a switch here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class AmplitudeSettings:
    """One project. The EU's is the same at another host.

    Attributes:
        eps_http: Events of one user or device a second on ``/2/httpapi``; 0 switches the limit off.
        eps_batch: The same on ``/batch``.
        daily_events: Events of one user or device a day.
        max_events: Events of a request on either.
        reserved_ids: ``drop`` takes events of ``unknown`` and the like and forgets them, ``refuse`` answers 400.
        long_strings: More than 1,024 characters are ``refuse``d or ``cut``.
        identify_once: Whether a repeated ``insert_id`` of ``$identify`` is dropped as an event's is.
        blocked_text: A request that contains it meets the firewall: 403 and a page of HTML. Empty: none does.
        cohort_key: Under which name an upload's answer has the cohort's id.
        by_id: Whether ``BY_ID`` in memberships are Amplitude's ids alone, or users' own too.
        events_kept: Events and ``$identify`` remembered, the latest; their numbers and ``insert_id`` without limit.
    """

    api_key: str = "sandbox"
    secret_key: str = "sandbox"  # noqa: S105 - of a stand-in
    eps_http: int = 30
    eps_batch: int = 1000
    daily_events: int = 500_000
    max_events: int = 2000
    max_bytes_http: int = 1_000_000
    max_bytes_batch: int = 20_000_000
    reserved_ids: Literal["drop", "refuse"] = "drop"
    long_strings: Literal["refuse", "cut"] = "refuse"
    identify_once: bool = False
    blocked_text: str = ""
    cohort_key: Literal["cohort_id", "cohortId"] = "cohort_id"
    by_id: Literal["amplitude_id", "either"] = "amplitude_id"
    events_kept: int = 200_000
