"""What an answer of Track API v2's batch endpoint means. Pure: no network, no clock, no state.

    ==================  ===========================================================================
    200 with ``{}``     every item accepted
    200, 207 + errors   the listed items refused, the others accepted
    207, no item named  (or one that the request did not have): halves find the items; one alone is refused
    no JSON             cut off, or a page of a proxy's: counts for nothing, try again
    400                 nothing accepted, without reasons item by item: halves find the item
    401, 403            the credentials; never tried again
    408, 429, 5xx       try again
    413                 too large: halves
    3xx, other          this address is no Track API, or the one of the other region
    ==================  ===========================================================================

Source: Track API OpenAPI, August 2026; what it leaves open is read so that no row is called delivered by mistake.
"""

from __future__ import annotations

from itertools import chain
from operator import itemgetter
from typing import Any, Final, Literal, NoReturn

import orjson

from reverse_etl.destinations._http.reply import Reply, try_again
from reverse_etl.destinations.base import Accepted, Answer, Refusal, RequestRefused, TryAgain, refusals_of
from reverse_etl.errors import DestinationRefusedError, UnauthorizedError
from reverse_etl.report import Reason

Api = Literal["Track", "App"]

_NO_MESSAGE: Final = "refused without a message"

_OF_ERROR: Final = itemgetter("batch_index", "reason", "field", "message")

_Parts = tuple[str, str, str]
"""Reason, field and message; each may be empty."""


def batch_answer(reply: Reply, *, items: int, workspace: str) -> Answer:
    """Reads the answer to one ``/api/v2/batch`` request.

    Reasons, fields and messages come whole: they may hold values of the items.

    Args:
        reply: The answer.
        items: How many items the request had.
        workspace: The workspace's name, for messages.

    Raises:
        UnauthorizedError: The Track credentials are refused.
        DestinationRefusedError: The answer is not one of the Track API of this workspace's region.
    """
    if reply.status in (200, 207):
        return _accepted(reply, items)
    if reply.status in (400, 413):
        reason, field, message = first_error(reply)
        if reply.status == 413:
            return RequestRefused(Reason("too_large", field, message or "the request is too large"))
        return RequestRefused(Reason(reason or "invalid", field, message or "the request was refused with HTTP 400"))
    return trouble(reply, api="Track", workspace=workspace)


def about_suppression(answer: Accepted) -> set[int]:
    """The places of items that are refused because their person is suppressed."""
    texts = {text for why in {refusal.why for refusal in answer.refusals} for text in (why.reason, why.message)}
    if "suppressed" not in "\n".join(texts).lower():
        return set()
    about = {text for text in texts if "suppressed" in text.lower()}
    return {place for place, why in answer.refusals if why.reason in about or why.message in about}


def trouble(reply: Reply, *, api: Api, workspace: str) -> TryAgain:
    """Reads an answer that is neither success nor a refusal of what was sent.

    Raises:
        UnauthorizedError: The credentials are refused.
        DestinationRefusedError: Trying again cannot help.
    """
    if reply.status in (401, 403):
        raise unauthorized(reply.status, api=api, workspace=workspace)
    if reply.passes:
        return try_again(reply)
    if 300 <= reply.status < 400:
        _redirected(reply, api=api, workspace=workspace)
    key = f"{api.lower()}_url"
    raise DestinationRefusedError(
        f"workspace {workspace}: the {api} API answered HTTP {reply.status}.",
        hint=f"Check {key} in connections.yaml: it must be the address of Customer.io's {api} API.",
    )


def unauthorized(status: int, *, api: Api, workspace: str) -> UnauthorizedError:
    """The error for refused credentials: names the keys to look at."""
    keys = "site_id and track_api_key" if api == "Track" else "app_api_key"
    return UnauthorizedError(
        f"workspace {workspace}: Customer.io refused the {api} API credentials (HTTP {status}).",
        hint=f"Check the variables behind {keys} in connections.yaml, and the region: keys belong to one workspace.",
    )


def first_error(reply: Reply) -> _Parts:
    """Reason, field and message of a refused request, whole; each empty where the answer has none.

    Reads v2's ``{"errors": [{...}]}``, v1's ``{"meta": {"error": "..."}}`` and ``{"meta": {"errors": ["..."]}}``
    and the App API's ``{"errors": [{"detail": "..."}]}``.
    """
    read = reply.json
    if not isinstance(read, dict):
        return "", "", ""
    meta = read.get("meta")
    errors = read.get("errors") or (isinstance(meta, dict) and (meta.get("errors") or [meta.get("error")]))
    first = errors[0] if isinstance(errors, list) and errors else None
    if isinstance(first, dict):
        return _parts_of(first)
    return "", "", first if isinstance(first, str) else ""


def _accepted(reply: Reply, items: int) -> Answer:
    try:
        read = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        return TryAgain(f"HTTP {reply.status} with a body that is not JSON")
    errors = read.get("errors") if isinstance(read, dict) else None
    if reply.status == 200 and isinstance(read, dict) and not errors:
        return Accepted()
    if refusals := _of_documented_errors(errors, items):
        return Accepted(refusals)
    by_index: dict[int, Refusal] = {}
    further: dict[int, list[str]] = {}
    for error in errors if isinstance(errors, list) else ():
        index = error.get("batch_index") if isinstance(error, dict) else None
        if type(index) is not int or not 0 <= index < items:
            return _of_unnamed_items(reply)
        reason, field, message = _parts_of(error)
        if index in by_index:
            further.setdefault(index, []).append(message)
        else:
            by_index[index] = Refusal(index, Reason(reason or "invalid", field, message or _NO_MESSAGE))
    if not by_index:
        return _of_unnamed_items(reply)
    for index, messages in further.items():
        first = by_index[index].why
        texts = [each for each in (first.message, *messages) if each not in ("", _NO_MESSAGE)]
        *before, last = dict.fromkeys(texts or [_NO_MESSAGE])
        joined = "; ".join([*(text.rstrip(".") for text in before), last])
        by_index[index] = Refusal(index, first._replace(message=joined))
    # One refusal an item: the reason and field of its first error, all its messages.
    return Accepted(tuple(map(by_index.__getitem__, sorted(by_index))))


def _of_documented_errors(errors: Any, items: int) -> tuple[Refusal, ...]:
    """The refusals of an answer as it is documented, each of an item of its own, read by columns; empty for another."""
    try:
        rows = sorted(map(_OF_ERROR, errors))
        places, reasons, fields, messages = zip(*rows, strict=True)
    except (KeyError, TypeError, ValueError):
        return ()
    are_texts = {*map(type, chain(reasons, fields, messages))} == {str} and all(reasons) and all(messages)
    are_places = (
        {*map(type, places)} == {int} and len({*places}) == len(places) and 0 <= places[0] <= places[-1] < items
    )
    return tuple(refusals_of(places, reasons, fields, messages)) if are_texts and are_places else ()


def _of_unnamed_items(reply: Reply) -> RequestRefused:
    """Some items were refused, without their places; the others may have been applied: a repeat does no harm."""
    reason, field, message = first_error(reply)
    without = f"the answer was HTTP {reply.status} without a reason; the row may have been applied"
    return RequestRefused(Reason(reason or "invalid", field, message or without))


def _parts_of(error: dict[str, Any]) -> _Parts:
    reason, field, message = error.get("reason"), error.get("field"), error.get("message") or error.get("detail")
    return (
        reason if type(reason) is str else "",
        field if type(field) is str else "",
        message if type(message) is str else "",
    )


def _redirected(reply: Reply, *, api: Api, workspace: str) -> NoReturn:
    where = f"workspace {workspace}: the {api} API's address redirects"
    if reply.leads_to in ("track-eu.customer.io", "api-eu.customer.io", "track.customer.io", "api.customer.io"):
        region = "eu" if "-eu." in reply.leads_to else "us"
        raise DestinationRefusedError(
            f"{where} to Customer.io's region {region} (HTTP {reply.status}); nothing was sent on to it.",
            hint=f"Write `region: {region}` and no {api.lower()}_url for this workspace in connections.yaml.",
        )
    raise DestinationRefusedError(
        f"{where} elsewhere (HTTP {reply.status}); nothing was sent on.",
        hint=f"Check region and {api.lower()}_url of this workspace in connections.yaml.",
    )
