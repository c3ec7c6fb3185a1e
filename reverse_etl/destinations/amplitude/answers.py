"""What an answer of Amplitude's batch endpoint means. Pure: no network, no clock, no state.

    ==========================  ====================================================================
    200, all events counted     every item delivered
    200, fewer counted          not accounted for: halves find the item, one alone is refused
    400 with places             nothing was taken: the items named are refused, all others sent again
    400 without                 nothing was taken: halves
    403 with a page             a firewall that dislikes what is in an item: halves
    413                         too large: halves
    429 with places             nothing was taken: those named wait, all others are sent again at once
    408, 425, 429, 5xx          try again: Amplitude drops an ``insert_id`` that it has
    401, "Invalid API key"      the credentials
    ==========================  ====================================================================

Source: amplitude.com/docs, Batch Event Upload, read 2026-03; what it leaves open is read so that no row is called
delivered by mistake.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import orjson

from reverse_etl.destinations._http.reply import Reply, try_again
from reverse_etl.destinations.base import Accepted, Again, Answer, Refusal, RequestRefused, TryAgain
from reverse_etl.errors import DestinationRefusedError, UnauthorizedError
from reverse_etl.report import Reason

THROTTLED_S: Final = 15.0
"""How long a user who was sent too fast is left alone. Source: Batch Event Upload, 2026-03."""

SHORT_ID: Final = "invalid_id_length"
_AT_FAULT: Final = {
    "events_with_invalid_fields": ("invalid_field", "Amplitude takes no such value of"),
    "events_with_missing_fields": ("missing_field", "Amplitude needs"),
    "events_with_invalid_id_lengths": (SHORT_ID, "Amplitude takes no id of this length in"),
}
_OVER_QUOTA: Final = ("exceeded_daily_quota_users", "exceeded_daily_quota_devices")
_OTHERS: Final = Reason("not_taken", "", "another row of the request was refused.")
_THROTTLED: Final = Reason("throttled", "", "the user was sent too many events.")
_QUOTA: Final = Reason("daily_quota", "", "the user or device has used up its events of the day.")
_SILENCED: Final = Reason("silenced", "", "Amplitude does not take events of this user or device any more.")


def answer_of(reply: Reply, *, items: Sequence[bytes], label: str) -> Answer:
    """Reads the answer to one request.

    Args:
        reply: The answer.
        items: Those of the request.
        label: What messages call the destination.

    Raises:
        UnauthorizedError: The API key is refused.
        DestinationRefusedError: The answer is not one of Amplitude's.
    """
    read = reply.json
    if reply.status == 200:
        return _taken(read, len(items))
    if reply.status == 401 or (reply.status == 400 and _about_the_key(read)):
        raise UnauthorizedError(
            f"{label}: Amplitude refused the API key (HTTP {reply.status}).",
            hint="Check the variable behind api_key in connections.yaml, and the region: a key belongs to one project.",
        )
    if reply.status == 400:
        return _nothing_taken(read, len(items))
    if reply.status == 429 and isinstance(read, dict):
        return _throttled(read, items) or try_again(reply, after_s=THROTTLED_S)
    if reply.passes:
        return try_again(reply)
    if reply.status == 413:
        return RequestRefused(Reason("too_large", "", "the request is too large."))
    if reply.status == 403:
        return RequestRefused(Reason("blocked", "", "a firewall before Amplitude does not let the row pass."))
    raise DestinationRefusedError(
        f"{label}: Amplitude's API answered HTTP {reply.status}.",
        hint="Check region and url in connections.yaml: url must be the address of Amplitude's HTTP API.",
    )


def _taken(read: Any, items: int) -> Answer:
    counted = read.get("events_ingested") if isinstance(read, dict) else None
    if type(counted) is not int:
        return TryAgain("HTTP 200 without a count of the events that were taken")
    if counted == items:
        return Accepted()
    return RequestRefused(Reason("not_ingested", "", "Amplitude counted fewer events than the request had."))


def _about_the_key(read: Any) -> bool:
    if not isinstance(read, dict):
        return False
    return read.get("missing_field") == "api_key" or "api key" in str(read.get("error", "")).lower()


def _nothing_taken(read: Any, items: int) -> Answer:
    """The items at fault refused, and the others again; ``RequestRefused`` where none is named."""
    at_fault: dict[int, Reason] = {}
    for key, (reason, words) in _AT_FAULT.items():
        for field, places in _entries(read, key):
            for place in _places(places, items):
                at_fault.setdefault(place, Reason(reason, field, f"{words} `{field}`."))
    for place in _places(read.get("silenced_events") if isinstance(read, dict) else None, items):
        at_fault.setdefault(place, _SILENCED)
    if not at_fault:
        error = str(read.get("error", "")) if isinstance(read, dict) else ""
        return RequestRefused(Reason("invalid", "", error or "the request was refused with HTTP 400."))
    return Accepted(
        tuple(Refusal(place, at_fault[place]) for place in sorted(at_fault)),
        again=tuple(Again(place, _OTHERS) for place in range(items) if place not in at_fault),
    )


def _throttled(read: dict[str, Any], items: Sequence[bytes]) -> Accepted | None:
    """The items of users who were sent too much later, the others at once; None where no item is named."""
    late = {*_places(read.get("throttled_events"), len(items))}
    over = {user for key in _OVER_QUOTA for user, _ in _entries(read, key)}
    spent = {place for place, item in enumerate(items) if over and _of_user(item) in over}
    if not late and not spent:
        return None
    refusals = tuple(Refusal(place, _QUOTA) for place in sorted(spent))
    rest = (place for place in range(len(items)) if place not in spent)
    again = (Again(place, _THROTTLED, THROTTLED_S) if place in late else Again(place, _OTHERS) for place in rest)
    return Accepted(refusals, again=tuple(again))


def _of_user(item: bytes) -> str:
    event = orjson.loads(item)
    return str(event.get("user_id") or event.get("device_id") or "")


def _entries(read: Any, key: str) -> Iterator[tuple[str, Any]]:
    found = read.get(key) if isinstance(read, dict) else None
    yield from found.items() if isinstance(found, dict) else ()


def _places(found: Any, items: int) -> Iterator[int]:
    for place in found if isinstance(found, list) else ():
        if type(place) is int and 0 <= place < items:
            yield place
