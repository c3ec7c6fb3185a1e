"""What an answer of Salesforce's collections means, record by record. Pure: no network, no clock, no state.

    =================================  ==========================================================
    200 with as many results           each record's own answer
    200 with fewer                     no answer: try again
    a row locked by another writer     again, in ever smaller requests, at last refused
    a trigger that ran out of limits   the same: their trigger, our size
    400, 413, 414, 431                 the request is refused: halves
    403, 404                           configuration: the run ends
    =================================  ==========================================================

Source: Salesforce REST API developer guide, sObject Collections and status codes, 2026. A message can repeat a row's
value: it goes into the failed rows, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from reverse_etl.destinations._http.reply import Reply
from reverse_etl.destinations.base import Accepted, Again, Refusal, RequestRefused, TryAgain
from reverse_etl.destinations.left_out import ALREADY_GONE, EXISTS, LeftOut, left_out
from reverse_etl.destinations.salesforce.client import error_code
from reverse_etl.errors import DestinationRefusedError
from reverse_etl.report import Reason

MOST_TRIES: Final = 5
"""How often a locked record is sent: with 200 others, then 50, 12, 3 and alone."""

LOCKED_S: Final = 2.0

LOCKED: Final = "UNABLE_TO_LOCK_ROW"
_TRIGGER: Final = "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"
_OUR_SIZE: Final = ("Too many SOQL queries", "Apex CPU time limit", LOCKED)
_GONE: Final = frozenset({"NOT_FOUND", "ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY"})
_HALVED: Final = frozenset({413, 414, 431})


def results_of(
    reply: Reply, *, records: int, label: str, what: str
) -> list[dict[str, Any]] | RequestRefused | TryAgain:
    """The result of each record, in order.

    Args:
        reply: The answer.
        records: How many the request had.
        label: What messages call the destination.
        what: The object, and its key, for messages.

    Raises:
        DestinationRefusedError: No request of this sync can succeed.
    """
    read, code = reply.json, error_code(reply)
    if reply.status == 200:
        if isinstance(read, list) and len(read) == records and all(isinstance(each, dict) for each in read):
            return read
        return TryAgain("HTTP 200 without a result for each record")
    if reply.status in _HALVED:
        return RequestRefused(Reason("too_large", "", "the request is too large."))
    if reply.status == 400:
        first = read[0] if isinstance(read, list) and read and isinstance(read[0], dict) else {}
        message = first.get("message")
        return RequestRefused(
            Reason(code or "invalid", _field(first), message if isinstance(message, str) else "refused with HTTP 400.")
        )
    raise DestinationRefusedError(
        f"{label}: Salesforce does not take {what} (HTTP {reply.status}{f', {code}' if code else ''}).",
        hint="Check that the app's user may read and write the object and its fields, and their API names.",
    )


def written(results: list[dict[str, Any]], *, adds_only: bool = False, key: str = "") -> Accepted:
    """What became of records that were written.

    Args:
        results: One a record, in order.
        adds_only: Whether records are left out that the org has by now.
        key: The field of the key.
    """
    refusals, excluded, again = [], [], []
    for place, result in enumerate(results):
        if result.get("success") is True:
            continue
        error = _first_error(result)
        code, why = str(error.get("statusCode") or "invalid"), _reason(error)
        if adds_only and code == "DUPLICATE_VALUE" and key in (error.get("fields") or [key]):
            excluded.append(LeftOut(place, EXISTS))
        elif passes(code, why.message):
            again.append(Again(place, why, LOCKED_S, MOST_TRIES))
        else:
            refusals.append(Refusal(place, why))
    return Accepted(tuple(refusals), tuple(excluded), tuple(again))


def deleted(results: list[dict[str, Any]], places: Mapping[int, int], absent: tuple[int, ...]) -> Accepted:
    """What became of records that were deleted; those that were gone already are left out.

    Args:
        results: One a record that was found.
        places: Of the item of each result.
        absent: Places of items of which the org has no record.
    """
    refusals, excluded, again = [], [*left_out(absent, ALREADY_GONE)], []
    for nth, result in enumerate(results):
        if result.get("success") is True:
            continue
        error = _first_error(result)
        code, why = str(error.get("statusCode") or "invalid"), _reason(error)
        if code in _GONE:
            excluded.append(LeftOut(places[nth], ALREADY_GONE))
        elif passes(code, why.message):
            again.append(Again(places[nth], why, LOCKED_S, MOST_TRIES))
        else:
            refusals.append(Refusal(places[nth], why))
    return Accepted(tuple(sorted(refusals)), tuple(sorted(excluded)), tuple(sorted(again)))


def passes(code: str, message: str) -> bool:
    """Whether a record was not written for a reason that passes: a lock, or a trigger that had too much to do."""
    return code == LOCKED or (code == _TRIGGER and any(words in message for words in _OUR_SIZE))


def _first_error(result: Mapping[str, Any]) -> Mapping[str, Any]:
    errors = result.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    return first if isinstance(first, dict) else {}


def _reason(error: Mapping[str, Any]) -> Reason:
    message = error.get("message")
    code = str(error.get("statusCode") or "invalid")
    return Reason(
        code, _field(error), message if isinstance(message, str) and message else "refused without a message."
    )


def _field(error: Mapping[str, Any]) -> str:
    names = error.get("fields")
    return str(names[0]) if isinstance(names, list) and names else ""
