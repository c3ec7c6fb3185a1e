"""Batches of records: what is sent, and what the answer says of each. Pure: no network, no clock, no state.

    ==============================  ================================================================
    in ``results``                  written: by its trace id, else by its key or its record id
    in ``errors``, with trace ids   refused; a conflict, a limit or an unknown fault is sent again
    in ``errors``, without          those that ``results`` does not name are sent again, by and by alone, and an error
                                    is about the one input that there is
    in neither, beside others       sent again likewise, and refused at last
    neither results nor errors      no answer: nothing was written
    400, 413                        halves, until the one at fault is alone
    409 for the whole               another call was faster: halves, and one alone is sent once more
    ==============================  ================================================================

Source: developers.hubspot.com, CRM objects 2026-09; that 2xx may have neither is known from clients of others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from reverse_etl.destinations._http.reply import Reply
from reverse_etl.destinations.base import RequestRefused, TryAgain
from reverse_etl.destinations.hubspot.refusals import reason_of
from reverse_etl.report import Reason

MOST_SENDS: Final = 4
"""Requests of 100, 25, 6 and 1 rows."""

_REFUSES: Final = frozenset(
    {"VALIDATION_ERROR", "OBJECT_NOT_FOUND", "CONFLICT", "DUPLICATE", "INVALID_EMAIL", "PROPERTY_DOESNT_EXIST"}
)
"""Categories of errors that are about the input itself."""

NOT_NAMED: Final = Reason("not_answered", "", "HubSpot's answers named the row neither as written nor as refused.")


TOO_LARGE: Final = Reason("too_large", "", "the request is too large.")


@dataclass(frozen=True, slots=True)
class Input:
    """One input of a batch.

    Attributes:
        place: Of its row in the request, from 0; with it the answer is matched.
        key: What identifies the record.
        by: The property that this is the value of; None where it is the record's id.
        properties: Texts.
    """

    place: int
    key: str
    by: str | None
    properties: dict[str, str]

    def as_json(self, *, creates: bool = False) -> dict[str, Any]:
        """As HubSpot takes it; one that creates has no id."""
        named: dict[str, Any] = {} if creates else {"id": self.key}
        if self.by is not None and not creates:
            named["idProperty"] = self.by
        return {**named, "objectWriteTraceId": str(self.place), "properties": self.properties}


@dataclass(slots=True)
class Written:
    """What an answer says of the inputs, by place; each is in one of these.

    Attributes:
        ids: Of the records that were written.
        refused: Why.
        again: Why those that were not applied may be later.
        conflicts: Those whose key or unique value another record had.
        missing: Those of which there is no record.
        warned: How many were written with a warning.
    """

    ids: dict[int, str] = field(default_factory=dict)
    refused: dict[int, Reason] = field(default_factory=dict)
    again: dict[int, Reason] = field(default_factory=dict)
    conflicts: dict[int, Reason] = field(default_factory=dict)
    missing: dict[int, Reason] = field(default_factory=dict)
    warned: int = 0


def written(reply: Reply, inputs: Sequence[Input]) -> Written | RequestRefused | TryAgain | None:
    """Reads the answer to a batch that writes; None where it is none of this API's.

    Args:
        reply: The answer.
        inputs: Those of the batch, at least one.
    """
    read = reply.json
    if reply.status == 409 and len(inputs) == 1:
        return Written(conflicts={inputs[0].place: reason_of(read)})
    if reply.status == 413:
        return RequestRefused(TOO_LARGE)
    if reply.status in (400, 409):
        return RequestRefused(reason_of(read))
    if reply.status not in (200, 201, 207) or not isinstance(read, dict):
        return None
    answer = Written()
    by_key = {folded(each.key, each.by): each.place for each in inputs}
    places = {each.place for each in inputs}
    for result in _objects(read, "results"):
        place = _place_of(result, inputs[0].by, by_key, places)
        if place is not None and isinstance(result.get("id"), str | int):
            answer.ids[place] = str(result["id"])
            answer.warned += bool(result.get("warnings"))
    errors = _objects(read, "errors")
    for error in errors:
        _note(error, answer, by_key, places)
    return _with_the_rest(answer, places, is_empty=not answer.ids and not errors)


def folded(key: str, by: str | None) -> str:
    """A key as HubSpot compares it: e-mail addresses without regard to case."""
    return key.lower() if by == "email" else key


def _with_the_rest(answer: Written, places: set[int], *, is_empty: bool) -> Written | TryAgain:
    if is_empty and len(places) > 1:
        return TryAgain("neither results nor errors")
    named = (answer.ids, answer.refused, answer.again, answer.conflicts, answer.missing)
    answer.again |= dict.fromkeys(places.difference(*named), NOT_NAMED)
    return answer


def _note(error: dict[str, Any], answer: Written, by_key: dict[str, int], places: set[int]) -> None:
    """Enters what an error says of the inputs that it names; it may name none."""
    category, why = str(error.get("category", "")), reason_of(error)
    held = answer.refused if category in _REFUSES else answer.again
    if category == "OBJECT_NOT_FOUND":
        held = answer.missing
    elif category == "CONFLICT":
        held = answer.conflicts
    for place in _named_by(error, by_key, places):
        # What is called written and refused is not known to be written.
        for other in (answer.ids, answer.refused, answer.again, answer.conflicts, answer.missing):
            other.pop(place, None)
        held[place] = why


def _named_by(error: dict[str, Any], by_key: dict[str, int], places: set[int]) -> Iterator[int]:
    if len(places) == 1:
        yield from places
        return
    context = error.get("context")
    if not isinstance(context, dict):
        return
    for trace in _texts(context.get("objectWriteTraceId")):
        if trace.isdecimal() and int(trace) in places:
            yield int(trace)
    for key in _texts(context.get("ids")):
        place = by_key.get(key, by_key.get(key.lower()))
        if place is not None:
            yield place


def _place_of(result: dict[str, Any], by: str | None, by_key: dict[str, int], places: set[int]) -> int | None:
    trace = result.get("objectWriteTraceId")
    if isinstance(trace, str) and trace.isdecimal() and int(trace) in places:
        return int(trace)
    properties = result.get("properties")
    own = result.get("id") if by is None else properties.get(by) if isinstance(properties, dict) else None
    return by_key.get(folded(str(own), by)) if isinstance(own, str | int) else None


def _objects(read: dict[str, Any], key: str) -> list[dict[str, Any]]:
    found = read.get(key)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _texts(found: Any) -> list[str]:
    return [str(each) for each in found] if isinstance(found, list) else []
