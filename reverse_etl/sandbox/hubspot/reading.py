"""What is read back: batches by id or unique value, one record, pages of a type, and searches, which lag.

Documented: a batch read answers 207 when some are not found; a search's page has at most 200 records. Unknown
properties that are asked for are passed over.
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from reverse_etl.sandbox.base import json_answer
from reverse_etl.sandbox.hubspot import inputs
from reverse_etl.sandbox.hubspot.account import Account
from reverse_etl.sandbox.hubspot.objects import Objects, Record
from reverse_etl.sandbox.hubspot.problems import Problem, not_found

_LONGEST_PAGE = 200


def read_batch(account: Account, objects: Objects, body: dict[str, Any]) -> Response:
    """The records of these ids, in no order, and which there are none of."""
    wanted = inputs.ids(body)
    by = body.get("idProperty") or None
    if by is not None and not objects.kind.finds_by(by):
        return Problem(f"{by} is not a unique property of {objects.kind.name}").answer()
    found = [objects.find(by, each) for each in wanted]
    asked = _asked(objects, body.get("properties"), by)
    results = [record.as_json(asked) for record in {id(each): each for each in reversed(found) if each}.values()]
    missing = [each for each, record in zip(wanted, found, strict=True) if record is None]
    now = account.now()
    content: dict[str, Any] = {"status": "COMPLETE", "startedAt": now, "completedAt": now, "results": results}
    if not missing:
        return json_answer(200, content)
    message = f"Could not get some {objects.kind.singular} objects, they may be deleted or not exist."
    error = Problem(message, "OBJECT_NOT_FOUND", 404).as_json({"ids": missing})
    return json_answer(207, {**content, "numErrors": len(missing), "errors": [error]})


def read_one(objects: Objects, value: str, by: str | None, properties: str | None) -> Response:
    """One record."""
    record = objects.find(by, value)
    if record is None:
        return not_found()
    asked = properties.split(",") if properties else None
    return json_answer(200, record.as_json(_asked(objects, asked, by)))


def page(objects: Objects, limit: str, after: str) -> Response:
    """The records of a type, oldest first."""
    live = list(objects.live.values())
    start, size = int(after or 0), min(int(limit or 10), 100)
    content: dict[str, Any] = {"results": [record.as_json() for record in live[start : start + size]]}
    if start + size < len(live):
        content["paging"] = {"next": {"after": str(start + size)}}
    return json_answer(200, content)


def search(account: Account, objects: Objects, body: dict[str, Any]) -> Response:
    """The records that any group of filters finds; what was written a moment ago is not among them yet."""
    groups = body.get("filterGroups") or []
    unknown = [each for group in groups for each in group.get("filters", []) if each.get("operator") not in _OPERATORS]
    if unknown:
        return Problem(f"The sandbox knows the operators {', '.join(_OPERATORS)}").answer()
    now = account.now_s()
    found = [
        record
        for record in objects.live.values()
        if record.searchable_from <= now and (not groups or any(_matches(record, group) for group in groups))
    ]
    start, size = int(body.get("after") or 0), min(int(body.get("limit") or 10), _LONGEST_PAGE)
    asked = _asked(objects, body.get("properties"), None)
    content: dict[str, Any] = {
        "total": len(found),
        "results": [record.as_json(asked) for record in found[start : start + size]],
    }
    if start + size < len(found):
        content["paging"] = {"next": {"after": str(start + size)}}
    return json_answer(200, content)


_OPERATORS = ("EQ", "NEQ", "IN", "HAS_PROPERTY", "NOT_HAS_PROPERTY")


def _matches(record: Record, group: dict[str, Any]) -> bool:
    own = record.as_json()["properties"]
    return all(_holds(own.get(each.get("propertyName")), each) for each in group.get("filters", []))


def _holds(value: str | None, wanted: dict[str, Any]) -> bool:
    match wanted["operator"]:
        case "EQ":
            return value == wanted.get("value")
        case "NEQ":
            return value != wanted.get("value")
        case "IN":
            return value in wanted.get("values", [])
        case "HAS_PROPERTY":
            return value is not None
        case _:
            return value is None


def _asked(objects: Objects, properties: Any, by: str | None) -> list[str] | None:
    """The properties that an answer shows: those asked for which exist, and always a few."""
    if not isinstance(properties, list) or not properties:
        return None
    always = ["hs_object_id", "createdate", "hs_lastmodifieddate", *([by] if by else [])]
    return list(dict.fromkeys([*(each for each in properties if each in objects.kind.properties), *always]))
