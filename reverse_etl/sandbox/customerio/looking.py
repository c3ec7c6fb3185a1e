"""Looking into the workspace, and setting it up for a test: ``/_sandbox/...``. No part of Customer.io.

What every stand-in has there, such as requests and faults, is elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from itertools import islice
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from reverse_etl.sandbox.customerio import showing
from reverse_etl.sandbox.customerio.workspace import Workspace, now_s
from reverse_etl.sandbox.listing import as_json, body_of, page

SHOWN_WITH_ONE = 200


class Looking:
    """The endpoints for people and tests over one workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        lists: dict[str, Callable[[Request], Response]] = {
            "people": self.people,
            "objects": self.objects,
            "relationships": self.relationships,
            "events": self.events,
            "segments": self.segments,
            "activities": self.activities,
            "suppressed": self.suppressed,
            "people/{cio_id}": self.person,
            "objects/{cio_object_id}": self.object,
        }
        self.routes = [Route(f"/_sandbox/{name}", _endpoint(show), methods=["GET"]) for name, show in lists.items()]
        self.routes += [
            Route("/_sandbox/segments", self.add_segment, methods=["POST"]),
            Route("/_sandbox/activities", self.refuse_late, methods=["POST"]),
            Route("/_sandbox/suppress", self.suppress, methods=["POST"]),
        ]

    def people(self, request: Request) -> Response:
        """People in the order in which they were created; ``segment`` for those of one, as they joined it."""
        chosen = request.query_params.get("segment")
        segment = self._workspace.segments.get(int(chosen)) if chosen and chosen.isdecimal() else None
        people: Collection[Any] = self._workspace.people.values() if chosen is None else ()
        return page(request, segment.members if segment else people, showing.show_person, showing.person_texts)

    def objects(self, request: Request) -> Response:
        """Objects in the order in which they were created."""
        show = partial(showing.show_object, type_names=self._workspace.object_types)
        return page(request, self._workspace.objects.values(), show, showing.object_texts)

    def relationships(self, request: Request) -> Response:
        """Relationships, object by object."""
        rows = (
            showing.show_relationship(held, person, attributes)
            for held in self._workspace.objects.values()
            for person, attributes in held.relationships.items()
        )
        return page(request, rows, dict, lambda row: iter(row.values()), total=self._workspace.relationship_count)

    def events(self, request: Request) -> Response:
        """Events in the order in which they arrived."""
        return page(request, self._workspace.events, showing.show_event, showing.event_texts)

    def segments(self, request: Request) -> Response:
        """Segments with their people; ``members=0`` leaves these out."""
        show = partial(showing.show_segment, whole=request.query_params.get("members") != "0")
        return page(request, self._workspace.segments.values(), show, showing.segment_texts)

    def activities(self, request: Request) -> Response:
        """What happened after the answers; ``refused=1`` for what was accepted and then not done."""
        log = self._workspace.log
        if request.query_params.get("refused") == "1":
            return page(request, log.refusals, showing.show_activity, showing.activity_texts)
        newest = request.query_params.get("newest") == "1"
        rows = log.newest_first() if newest else iter(log)
        total = len(log.refusals) + len(log.ordinary)
        return page(request, rows, showing.show_activity, showing.activity_texts, total=total, ordered=newest)

    async def refuse_late(self, request: Request) -> Response:
        """Records that something accepted long ago is not done: ``type``, ``identifiers``, ``reason``, ``field``."""
        wanted = await body_of(request)
        kind, sent, reason, field = (wanted.get(name, "") for name in ("type", "identifiers", "reason", "field"))
        if not (isinstance(sent, dict) and all(isinstance(text, str) for text in (kind, reason, field))):
            return as_json({"error": "type, identifiers and reason must be given"}, 400)
        self._workspace.log.refuse(kind, sent, now_s(), reason, field=field)
        self._workspace.changes += 1
        return as_json({"refusals": len(self._workspace.log.refusals)}, 201)

    def suppressed(self, request: Request) -> Response:
        """Blocked identifiers."""
        rows = [
            {"kind": kind, "value": value, "suppressed_at": at}
            for (kind, value), at in self._workspace.suppressed.items()
        ]
        return page(request, rows, dict, lambda row: iter(row.values()))

    def person(self, request: Request) -> Response:
        """Everything about one person; of relationships and events the latest."""
        person = self._workspace.people.get(request.path_params["cio_id"])
        if person is None:
            return as_json({"error": "no such person"}, 404)
        types = self._workspace.object_types
        relationships = islice((person.relationships or {}).items(), SHOWN_WITH_ONE)
        events = (event for event in reversed(self._workspace.events) if event.person is person)
        return as_json(
            {
                **showing.show_person(person),
                "created_at": person.created_at,
                "updated_at": person.updated_at,
                "relationships": [
                    {**showing.show_relationship(held, person, attributes), "object_type": types.get(held.type_id)}
                    for held, attributes in relationships
                ],
                "segments": [showing.show_segment(one, whole=False) for one in self._workspace.segments_of(person)],
                "events": [showing.show_event(event) for event in islice(events, SHOWN_WITH_ONE)],
                "devices": list((person.devices or {}).values()),
            }
        )

    def object(self, request: Request) -> Response:
        """Everything about one object; of its relationships the first."""
        held = self._workspace.objects_by_cio_id.get(request.path_params["cio_object_id"])
        if held is None:
            return as_json({"error": "no such object"}, 404)
        shown = showing.show_object(held, self._workspace.object_types)
        relationships = islice(held.relationships.items(), SHOWN_WITH_ONE)
        shown["relationships"] = [showing.show_relationship(held, person, about) for person, about in relationships]
        return as_json(shown)

    async def add_segment(self, request: Request) -> Response:
        """Makes a segment: ``{"name": ..., "type": "manual" | "dynamic"}``."""
        wanted = await body_of(request)
        kind = wanted.get("type", "manual")
        if not isinstance(wanted.get("name"), str) or kind not in {"manual", "dynamic"}:
            return as_json({"error": "name, and type manual or dynamic, must be given"}, 400)
        segment = self._workspace.add_segment(wanted["name"], "", now_s(), kind)
        self._workspace.changes += 1
        return as_json(showing.show_segment(segment, whole=True), 201)

    async def suppress(self, request: Request) -> Response:
        """Blocks identifiers: ``{"id": ...}``, ``{"email": ...}`` or both; one of each, or a list."""
        wanted = await body_of(request)
        pairs = [
            (kind, value)
            for kind in ("id", "email")
            for value in (wanted[kind] if isinstance(wanted.get(kind), list) else [wanted.get(kind)])
            if isinstance(value, str)
        ]
        if not pairs:
            return as_json({"error": "id or email must be given"}, 400)
        self._workspace.suppress(pairs, now_s())
        self._workspace.changes += 1
        return as_json({"suppressed": len(self._workspace.suppressed)})


def _endpoint(show: Callable[[Request], Response]) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        return show(request)

    return endpoint
