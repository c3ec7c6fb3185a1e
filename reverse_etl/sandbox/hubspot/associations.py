"""Associations between records, version 4: typed, both ways, in batches.

Documented: at most 2,000 inputs; 201, or 207 with the pairs that failed. The numbers of the types are HubSpot's.
Source: developers.hubspot.com, associations v4 (2026).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from reverse_etl.sandbox.base import json_answer
from reverse_etl.sandbox.hubspot import inputs
from reverse_etl.sandbox.hubspot.objects import Objects
from reverse_etl.sandbox.hubspot.problems import Problem

MOST_INPUTS = 2000
_MOST_READ = 1000


@dataclass(frozen=True, slots=True)
class AssociationType:
    """A way in which records can be associated.

    Attributes:
        back: The type of the same association from the other side.
        label: Null for the plain one.
    """

    id: int
    back: int
    label: str | None = None
    category: str = "HUBSPOT_DEFINED"

    def as_json(self) -> dict[str, Any]:
        """As answers show it."""
        return {"category": self.category, "typeId": self.id, "label": self.label}


_ONE_WAY: dict[tuple[str, str], list[AssociationType]] = {
    ("0-1", "0-2"): [
        AssociationType(279, 280),
        AssociationType(1, 2, "Primary"),
        AssociationType(37, 38, "Champion", "USER_DEFINED"),
    ],
    ("0-3", "0-1"): [AssociationType(3, 4)],
    ("0-3", "0-2"): [AssociationType(341, 342), AssociationType(5, 6, "Primary")],
    ("0-5", "0-1"): [AssociationType(16, 15)],
    ("0-5", "0-2"): [AssociationType(339, 340), AssociationType(26, 25, "Primary")],
    ("0-5", "0-3"): [AssociationType(28, 27)],
    ("2-1234567", "0-1"): [AssociationType(101, 102, category="USER_DEFINED")],
    ("2-1234567", "0-2"): [AssociationType(103, 104, category="USER_DEFINED")],
}
TYPES = _ONE_WAY | {
    (to, start): [AssociationType(each.back, each.id, each.label, each.category) for each in types]
    for (start, to), types in _ONE_WAY.items()
}


class Associations:
    """Who is associated with whom. A primary one implies the plain one; a record has one primary record of a type."""

    def __init__(self) -> None:
        self._held: defaultdict[tuple[str, str], dict[str, dict[str, set[int]]]] = defaultdict(dict)

    def pairs(self) -> list[dict[str, Any]]:
        """Every association, from one side."""
        return [
            {"from_type": start, "to_type": to, "from": left, "to": right, "types": sorted(types)}
            for (start, to), rows in self._held.items()
            if (start, to) in _ONE_WAY
            for left, tos in rows.items()
            for right, types in tos.items()
        ]

    def create(self, start: Objects, to: Objects, body: dict[str, Any], now: str, *, default: bool) -> Response:
        """Associates pairs by the types that they name, or by the plain one."""
        known = {(each.category, each.id): each for each in TYPES.get((start.kind.id, to.kind.id), [])}
        results, errors = [], []
        for each in inputs.raw_inputs(body, most=MOST_INPUTS):
            left, right = _id(each.get("from")), _id(each.get("to"))
            named = [
                (type_.get("associationCategory"), type_.get("associationTypeId")) for type_ in each.get("types") or []
            ]
            types = list(known.values())[:1] if default else [known[name] for name in named if name in known]
            if start.find(None, left) is None or to.find(None, right) is None:
                problem = Problem("One or more of the objects do not exist", "OBJECT_NOT_FOUND", 404)
            elif not types or (not default and len(types) < len(named)):
                problem = Problem(f"There is no such association type between {start.kind.name} and {to.kind.name}")
            else:
                for type_ in types:
                    self._relate((start.kind.id, left), (to.kind.id, right), type_)
                labels = [type_.label for type_ in types if type_.label is not None]
                results.append(_result(start, left, to, right, labels, types[0], default=default))
                continue
            errors.append(problem.as_json({"fromObjectId": [left], "toObjectId": [right]}))
        content = {"status": "COMPLETE", "startedAt": now, "completedAt": now, "results": results}
        if not errors:
            return json_answer(200 if default else 201, content)
        return json_answer(207, {**content, "numErrors": len(errors), "errors": errors})

    def archive(self, start: Objects, to: Objects, body: dict[str, Any]) -> Response:
        """Ends all associations of pairs."""
        for each in inputs.raw_inputs(body, most=MOST_INPUTS):
            targets = each.get("to")
            for right in targets if isinstance(targets, list) else [targets]:
                self._held[start.kind.id, to.kind.id].get(_id(each.get("from")), {}).pop(_id(right), None)
                self._held[to.kind.id, start.kind.id].get(_id(right), {}).pop(_id(each.get("from")), None)
        return Response(status_code=204)

    def read(self, start: Objects, to: Objects, body: dict[str, Any], now: str) -> Response:
        """The records that each of these is associated with; those without any are not in the answer."""
        known = {each.id: each for each in TYPES.get((start.kind.id, to.kind.id), [])}
        rows = self._held[start.kind.id, to.kind.id]
        results = [
            {
                "from": {"id": left},
                "to": [
                    {"toObjectId": int(right), "associationTypes": [known[each].as_json() for each in sorted(types)]}
                    for right, types in rows[left].items()
                ],
            }
            for left in (_id(each) for each in inputs.raw_inputs(body, most=_MOST_READ))
            if rows.get(left)
        ]
        return json_answer(200, {"status": "COMPLETE", "startedAt": now, "completedAt": now, "results": results})

    def forget(self, record_id: str) -> None:
        """A record is archived."""
        for rows in self._held.values():
            rows.pop(record_id, None)
            for tos in rows.values():
                tos.pop(record_id, None)

    def _relate(self, left: tuple[str, str], right: tuple[str, str], type_: AssociationType) -> None:
        plain = TYPES[left[0], right[0]][0]
        for one, other, added in (
            (left, right, {type_.id, plain.id}),
            (right, left, {type_.back, plain.back}),
        ):
            self._held[one[0], other[0]].setdefault(one[1], {}).setdefault(other[1], set()).update(added)
        if type_.label == "Primary":
            for other_id, types in self._held[left[0], right[0]][left[1]].items():
                if other_id != right[1]:
                    types.discard(type_.id)
                    self._held[right[0], left[0]][other_id][left[1]].discard(type_.back)


def _result(
    start: Objects, left: str, to: Objects, right: str, labels: list[str], type_: AssociationType, *, default: bool
) -> dict[str, Any]:
    if default:
        spec = {"associationCategory": type_.category, "associationTypeId": type_.id}
        return {"from": {"id": left}, "to": {"id": right}, "associationSpec": spec}
    return {
        "fromObjectTypeId": start.kind.id,
        "fromObjectId": int(left),
        "toObjectTypeId": to.kind.id,
        "toObjectId": int(right),
        "labels": labels,
    }


def _id(value: Any) -> str:
    return str(value.get("id")) if isinstance(value, dict) else str(value)
