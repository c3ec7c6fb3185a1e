"""Looking into the workspace, and setting it up for a test: ``/_sandbox/...``. No part of Customer.io.

Every list takes ``limit``, ``offset``, ``search`` (a part of any text shown) and ``newest=1`` (the latest first), and
gives the number of all its rows in the header ``X-Total-Count``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from reverse_etl.sandbox import showing
from reverse_etl.sandbox.exact_json import dumps, loads
from reverse_etl.sandbox.faults import Faults
from reverse_etl.sandbox.front import SeenRequest
from reverse_etl.sandbox.showing import Shown
from reverse_etl.sandbox.workspace import Workspace, now_s

SHOWN_WITH_ONE = 200


class Looking:
    """The endpoints for people and tests over one workspace."""

    def __init__(self, workspace: Workspace, faults: Faults, requests: list[SeenRequest]) -> None:
        self._workspace = workspace
        self._faults = faults
        self._requests = requests
        lists: dict[str, Callable[[Request], Response]] = {
            "people": self.people,
            "objects": self.objects,
            "relationships": self.relationships,
            "events": self.events,
            "segments": self.segments,
            "requests": self.requests,
            "activities": self.activities,
            "suppressed": self.suppressed,
            "counts": self.counts,
            "people/{cio_id}": self.person,
            "objects/{cio_object_id}": self.object,
        }
        self.routes = [Route(f"/_sandbox/{name}", _endpoint(show), methods=["GET"]) for name, show in lists.items()]
        self.routes += [
            Route("/_sandbox/segments", self.add_segment, methods=["POST"]),
            Route("/_sandbox/activities", self.refuse_late, methods=["POST"]),
            Route("/_sandbox/suppress", self.suppress, methods=["POST"]),
            Route("/_sandbox/faults", self.list_faults, methods=["GET"]),
            Route("/_sandbox/faults", self.add_faults, methods=["POST"]),
            Route("/_sandbox/faults", self.clear_faults, methods=["DELETE"]),
            Route("/_sandbox/reset", self.reset, methods=["POST"]),
        ]

    def people(self, request: Request) -> Response:
        """People in the order in which they were created; ``segment`` for those of one, as they joined it."""
        chosen = request.query_params.get("segment")
        segment = self._workspace.segments.get(int(chosen)) if chosen and chosen.isdecimal() else None
        people: Collection[Any] = self._workspace.people.values() if chosen is None else ()
        return _page(request, segment.members if segment else people, showing.show_person, showing.person_texts)

    def objects(self, request: Request) -> Response:
        """Objects in the order in which they were created."""
        show = partial(showing.show_object, type_names=self._workspace.object_types)
        return _page(request, self._workspace.objects.values(), show, showing.object_texts)

    def relationships(self, request: Request) -> Response:
        """Relationships, object by object."""
        rows = (
            showing.show_relationship(held, person, attributes)
            for held in self._workspace.objects.values()
            for person, attributes in held.relationships.items()
        )
        return _page(request, rows, dict, lambda row: iter(row.values()), total=self._workspace.relationship_count)

    def events(self, request: Request) -> Response:
        """Events in the order in which they arrived."""
        return _page(request, self._workspace.events, showing.show_event, showing.event_texts)

    def segments(self, request: Request) -> Response:
        """Segments with their people; ``members=0`` leaves these out."""
        show = partial(showing.show_segment, whole=request.query_params.get("members") != "0")
        return _page(request, self._workspace.segments.values(), show, showing.segment_texts)

    def requests(self, request: Request) -> Response:
        """Requests to Track and App API in the order in which they arrived; ``bodies=0`` leaves their bodies out."""
        show = partial(showing.show_request, whole=request.query_params.get("bodies") != "0")
        return _page(request, self._requests, show, showing.request_texts)

    def activities(self, request: Request) -> Response:
        """What happened after the answers; ``refused=1`` for what was accepted and then not done."""
        log = self._workspace.log
        if request.query_params.get("refused") == "1":
            return _page(request, log.refusals, showing.show_activity, showing.activity_texts)
        newest = request.query_params.get("newest") == "1"
        rows = log.newest_first() if newest else iter(log)
        total = len(log.refusals) + len(log.ordinary)
        return _page(request, rows, showing.show_activity, showing.activity_texts, total=total, ordered=newest)

    async def refuse_late(self, request: Request) -> Response:
        """Records that something accepted long ago is not done: ``type``, ``identifiers``, ``reason``, ``field``."""
        wanted = await _body(request)
        kind, sent, reason, field = (wanted.get(name, "") for name in ("type", "identifiers", "reason", "field"))
        if not (isinstance(sent, dict) and all(isinstance(text, str) for text in (kind, reason, field))):
            return _json({"error": "type, identifiers and reason must be given"}, 400)
        self._workspace.log.refuse(kind, sent, now_s(), reason, field=field)
        self._workspace.changes += 1
        return _json({"refusals": len(self._workspace.log.refusals)}, 201)

    def suppressed(self, request: Request) -> Response:
        """Blocked identifiers."""
        rows = [
            {"kind": kind, "value": value, "suppressed_at": at}
            for (kind, value), at in self._workspace.suppressed.items()
        ]
        return _page(request, rows, dict, lambda row: iter(row.values()))

    def counts(self, _request: Request) -> Response:
        """How much there is of everything."""
        shown: Shown = {"workspace": self._workspace.settings.workspace_name, **self._workspace.counts()}
        return _json({**shown, "requests": len(self._requests), "faults": self._faults.active()})

    def person(self, request: Request) -> Response:
        """Everything about one person; of relationships and events the latest."""
        person = self._workspace.people.get(request.path_params["cio_id"])
        if person is None:
            return _json({"error": "no such person"}, 404)
        types = self._workspace.object_types
        relationships = islice((person.relationships or {}).items(), SHOWN_WITH_ONE)
        events = (event for event in reversed(self._workspace.events) if event.person is person)
        return _json(
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
            return _json({"error": "no such object"}, 404)
        shown = showing.show_object(held, self._workspace.object_types)
        relationships = islice(held.relationships.items(), SHOWN_WITH_ONE)
        shown["relationships"] = [showing.show_relationship(held, person, about) for person, about in relationships]
        return _json(shown)

    async def add_segment(self, request: Request) -> Response:
        """Makes a segment: ``{"name": ..., "type": "manual" | "dynamic"}``."""
        wanted = await _body(request)
        kind = wanted.get("type", "manual")
        if not isinstance(wanted.get("name"), str) or kind not in {"manual", "dynamic"}:
            return _json({"error": "name, and type manual or dynamic, must be given"}, 400)
        segment = self._workspace.add_segment(wanted["name"], "", now_s(), kind)
        self._workspace.changes += 1
        return _json(showing.show_segment(segment, whole=True), 201)

    async def suppress(self, request: Request) -> Response:
        """Blocks identifiers: ``{"id": ...}``, ``{"email": ...}`` or both; one of each, or a list."""
        wanted = await _body(request)
        pairs = [
            (kind, value)
            for kind in ("id", "email")
            for value in (wanted[kind] if isinstance(wanted.get(kind), list) else [wanted.get(kind)])
            if isinstance(value, str)
        ]
        if not pairs:
            return _json({"error": "id or email must be given"}, 400)
        self._workspace.suppress(pairs, now_s())
        self._workspace.changes += 1
        return _json({"suppressed": len(self._workspace.suppressed)})

    async def list_faults(self, _request: Request) -> Response:
        """The fault rules that were given, and how often each has fired."""
        return _json(self._faults.as_json())

    async def add_faults(self, request: Request) -> Response:
        """Puts fault rules in force: a JSON list."""
        try:
            self._faults.add(await request.body())
        except ValueError as error:
            return _json({"error": str(error)}, 400)
        return _json(self._faults.as_json())

    async def clear_faults(self, _request: Request) -> Response:
        """Ends all fault rules."""
        self._faults.clear()
        return _json([])

    async def reset(self, _request: Request) -> Response:
        """Empties the workspace, the list of requests and the faults."""
        self._workspace.clear()
        self._faults.clear()
        self._requests.clear()
        return _json({})


def _endpoint(show: Callable[[Request], Response]) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        return show(request)

    return endpoint


def _page(
    request: Request,
    rows: Iterable[Any],
    show: Callable[[Any], Shown],
    texts: Callable[[Any], Iterator[Any]],
    *,
    total: int | None = None,
    ordered: bool = False,
) -> Response:
    """A part of a list as JSON.

    ``total`` is the number of rows where that is known without walking them; ``ordered`` rows come latest first.
    """
    asked = request.query_params
    offset, limit = asked.get("offset", "0"), asked.get("limit")
    if not offset.isdecimal() or not (limit is None or limit.isdecimal()):
        return _json({"error": "limit and offset must be numbers"}, 400)
    search = asked.get("search", "").lower()
    if search:
        rows = [row for row in rows if any(search in str(text).lower() for text in texts(row))]
        total = None
    if asked.get("newest") == "1" and not ordered:
        rows = list(rows)[::-1]
    if total is None:
        rows = rows if isinstance(rows, Collection) else list(rows)
        total = len(rows)
    chosen = islice(rows, int(offset), None if limit is None else int(offset) + int(limit))
    response = _json([show(row) for row in chosen])
    response.headers["x-total-count"] = str(total)
    return response


async def _body(request: Request) -> dict[str, Any]:
    try:
        content = loads(await request.body())
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _json(content: Any, status: int = 200) -> Response:
    return Response(dumps(content) + b"\n", status, media_type="application/json")
