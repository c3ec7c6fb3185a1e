"""Lists of records. Manual ones take members; those that HubSpot fills by filters do not.

Source: developers.hubspot.com, lists (2026); ``recordsIdsAdded`` is spelt so. Its two fellows are spelt in both ways
that HubSpot's own descriptions have.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from starlette.responses import Response

from reverse_etl.sandbox.base import json_answer
from reverse_etl.sandbox.hubspot.objects import Objects
from reverse_etl.sandbox.hubspot.problems import Problem, not_found

Processing = Literal["MANUAL", "DYNAMIC", "SNAPSHOT"]


@dataclass(slots=True)
class RecordList:
    """One list.

    Attributes:
        members: When each joined, by the record's id; in the order in which they did.
    """

    id: str
    name: str
    object_type_id: str
    processing: Processing
    made_at: str
    members: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """As answers show it."""
        return {
            "listId": self.id,
            "listVersion": 1,
            "name": self.name,
            "objectTypeId": self.object_type_id,
            "processingType": self.processing,
            "processingStatus": "COMPLETE",
            "createdAt": self.made_at,
            "updatedAt": self.made_at,
            "additionalProperties": {"hs_list_size": str(len(self.members))},
        }


class Lists:
    """The lists of an account: at first a manual and a dynamic one of contacts, 42 and 43."""

    def __init__(self) -> None:
        self.by_id = {
            "42": RecordList("42", "Sandbox list", "0-1", "MANUAL", "2024-01-15T09:00:00.000Z"),
            "43": RecordList("43", "Sandbox active list", "0-1", "DYNAMIC", "2024-01-15T09:00:00.000Z"),
        }

    def create(self, body: dict[str, Any], objects: Objects | None, now: str) -> Response:
        """Makes an empty list."""
        name, processing = body.get("name"), body.get("processingType")
        if not isinstance(name, str) or objects is None or processing not in ("MANUAL", "DYNAMIC", "SNAPSHOT"):
            return Problem("name, objectTypeId and processingType are required").answer()
        if any(each.name == name for each in self.by_id.values()):
            return Problem(f"A list with name {name} already exists").answer()
        made = RecordList(str(42 + len(self.by_id)), name, objects.kind.id, processing, now)
        self.by_id[made.id] = made
        return json_answer(200, {"list": made.as_json()})

    def show(self, list_id: str) -> Response:
        """One list."""
        found = self.by_id.get(list_id)
        return (
            not_found(f"List {list_id} does not exist")
            if found is None
            else json_answer(200, {"list": found.as_json()})
        )

    def show_members(self, list_id: str) -> Response:
        """Its members."""
        found = self.by_id.get(list_id)
        if found is None:
            return not_found(f"List {list_id} does not exist")
        results = [{"recordId": each, "membershipTimestamp": at} for each, at in found.members.items()]
        return json_answer(200, {"results": results, "total": len(results)})

    def change(self, list_id: str, objects: Objects | None, add: Any, remove: Any, now: str) -> Response:
        """Adds and removes members; ids of no record are told, and so is who was added and removed."""
        found = self.by_id.get(list_id)
        if found is None or objects is None:
            return not_found(f"List {list_id} does not exist")
        if found.processing == "DYNAMIC":
            return Problem(f"Cannot change the members of list {list_id}: its processing type is DYNAMIC").answer()
        if not isinstance(add, list) or not isinstance(remove, list):
            return Problem("recordIdsToAdd and recordIdsToRemove must be lists of ids").answer()
        missing = [each for each in _texts([*add, *remove]) if objects.find(None, each) is None]
        added = [each for each in _texts(add) if each not in missing and each not in found.members]
        found.members |= dict.fromkeys(added, now)
        removed = [each for each in _texts(remove) if found.members.pop(each, None) is not None]
        told = {"recordsIdsAdded": added, "recordIdsMissing": missing}
        return json_answer(200, {**told, "recordIdsRemoved": removed, "recordsIdsRemoved": removed})

    def forget(self, record_id: str) -> None:
        """A record is archived."""
        for each in self.by_id.values():
            each.members.pop(record_id, None)


def _texts(ids: Iterable[Any]) -> list[str]:
    return list(dict.fromkeys(map(str, ids)))
