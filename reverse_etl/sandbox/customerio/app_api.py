"""The App API around people: segments, object types, objects, activities, workspaces, and its rate limit.

Documented: the paths, the answers' shapes, 10 requests a second with 429 and ``Retry-After``, paging by ``start`` and
``limit``. Inferred: ``start`` is a number as text, activities come latest first, counts are never stale.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from itertools import islice
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from reverse_etl.sandbox.customerio import filters
from reverse_etl.sandbox.customerio.records import CustomObject, Segment
from reverse_etl.sandbox.customerio.showing import show_activity
from reverse_etl.sandbox.customerio.track import answer
from reverse_etl.sandbox.customerio.workspace import Workspace, now_s
from reverse_etl.sandbox.exact_json import loads

Shown = dict[str, Any]
Endpoint = Callable[[Request], Awaitable[Response]]


class NotAllowed(Exception):  # noqa: N818 - an answer, made where it is found
    """An answer other than 200."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class RateLimit:
    """At most this many requests in any second."""

    def __init__(self, per_second: float) -> None:
        self.per_second = per_second
        self._taken: deque[float] = deque()

    def wait_s(self, now: float) -> int:
        """Whole seconds to wait before the next request; 0 takes one now."""
        while self._taken and self._taken[0] <= now - 1:
            self._taken.popleft()
        if self.per_second and len(self._taken) >= self.per_second:
            return max(1, math.ceil(self._taken[0] + 1 - now))
        self._taken.append(now)
        return 0


class AppApi:
    """Endpoints of the App API over one workspace; ``customers`` holds those about single people."""

    def __init__(self, workspace: Workspace, limit: RateLimit) -> None:
        self._workspace = workspace
        self._limit = limit
        self.routes = [
            self.route("/v1/segments", self.segments),
            self.route("/v1/segments", self.create_segment, "POST"),
            self.route("/v1/segments/{segment_id}", self.segment),
            self.route("/v1/segments/{segment_id}", self.delete_segment, "DELETE"),
            self.route("/v1/segments/{segment_id}/customer_count", self.customer_count),
            self.route("/v1/segments/{segment_id}/membership", self.membership),
            self.route("/v1/segments/{segment_id}/used_by", self.used_by),
            self.route("/v1/object_types", self.object_types),
            self.route("/v1/objects", self.objects, "POST"),
            self.route("/v1/objects/{type_id}/{object_id:path}/attributes", self.object_attributes),
            self.route("/v1/objects/{type_id}/{object_id:path}/relationships", self.object_relationships),
            self.route("/v1/activities", self.activities),
            self.route("/v1/workspaces", self.workspaces),
        ]

    def route(self, path: str, show: Endpoint, method: str = "GET") -> Route:
        """A route with the rate limit and error answers of the App API."""

        async def endpoint(request: Request) -> Response:
            wait_s = self._limit.wait_s(time.monotonic())
            if wait_s:
                response = error(429, f"rate limited to {self._limit.per_second:g} requests per 1s")
                response.headers["retry-after"] = str(wait_s)
                return response
            try:
                return await show(request)
            except NotAllowed as refused:
                return error(refused.status, refused.detail)

        return Route(path, endpoint, methods=[method])

    async def segments(self, _request: Request) -> Response:
        """All segments."""
        return answer(200, {"segments": [_show(segment) for segment in self._workspace.segments.values()]})

    async def create_segment(self, request: Request) -> Response:
        """A new manual segment."""
        wanted = (await content(request)).get("segment")
        name = wanted.get("name") if isinstance(wanted, dict) else None
        if not isinstance(wanted, dict) or not isinstance(name, str) or not name.strip():
            raise NotAllowed(400, "segment name must be present")
        self._workspace.changes += 1
        segment = self._workspace.add_segment(name, str(wanted.get("description") or ""), now_s())
        return answer(200, {"segment": _show(segment)})

    async def segment(self, request: Request) -> Response:
        """One segment."""
        return answer(200, {"segment": _show(self._segment(request))})

    async def delete_segment(self, request: Request) -> Response:
        """Deletes a segment; its people stay."""
        del self._workspace.segments[self._segment(request).id]
        self._workspace.changes += 1
        return Response(status_code=204)

    async def customer_count(self, request: Request) -> Response:
        """How many people are in a segment."""
        segment = self._segment(request)
        return answer(200, {"segment_id": segment.id, "count": len(segment.members)})

    async def membership(self, request: Request) -> Response:
        """People of a segment, page by page."""
        segment = self._segment(request)
        people, following = page(request, segment.members, 1000, 30_000)
        ids = [person.id or person.cio_id for person in people]
        identifiers = [person.identifiers() for person in people]
        return answer(200, {"segment_id": segment.id, "ids": ids, "identifiers": identifiers, "next": following})

    async def used_by(self, request: Request) -> Response:
        """Nothing: there are no campaigns here."""
        self._segment(request)
        return answer(200, {"used_by": {"campaigns": [], "draft_newsletters": [], "sent_newsletters": []}})

    async def object_types(self, _request: Request) -> Response:
        """The object types there are."""
        types = [
            {
                "id": type_id,
                "name": name,
                "slug": name.lower().replace(" ", "_"),
                "singular_name": _singular(name),
                "singular_slug": _singular(name).lower().replace(" ", "_"),
                "enabled": True,
                "icon": "",
            }
            for type_id, name in self._workspace.object_types.items()
        ]
        return answer(200, {"types": types})

    async def objects(self, request: Request) -> Response:
        """Objects of a type that a filter lets through, page by page."""
        wanted = await content(request)
        type_id = wanted.get("object_type_id")
        if type_id not in self._workspace.object_types:
            raise NotAllowed(400, "The specified Object Type does not exist.")
        passes = filters.object_filter(wanted.get("filter") or {})
        if passes is None:
            raise NotAllowed(400, "filter is not one the sandbox knows")
        held = [each for each in self._workspace.objects.values() if each.type_id == type_id and passes(each)]
        found, following = page(request, held, 50, 1000)
        identifiers = [{"cio_object_id": each.cio_id, "object_id": each.id} for each in found]
        return answer(200, {"identifiers": identifiers, "ids": [each.id for each in found], "next": following})

    async def object_attributes(self, request: Request) -> Response:
        """An object's attributes, all values as strings."""
        held = self._object(request)
        identifiers = {"object_type_id": held.type_id, "object_id": held.id, "cio_object_id": held.cio_id}
        texts = {name: filters.text(value) for name, value in held.attributes.items()}
        return answer(200, {"object": {"identifiers": identifiers, "attributes": texts, "timestamps": {}}})

    async def object_relationships(self, request: Request) -> Response:
        """People related to an object, page by page."""
        held = self._object(request)
        found, following = page(request, held.relationships.items(), 50, 1000)
        shown = [
            {"identifiers": person.identifiers(), "attributes": {n: filters.text(v) for n, v in attributes.items()}}
            for person, attributes in found
        ]
        return answer(200, {"cio_relationships": shown, "next": following})

    async def activities(self, request: Request) -> Response:
        """What happened, latest first, page by page: by type, name and person."""
        asked = request.query_params
        person = None
        if "customer_id" in asked:
            person = self._workspace.find(asked.get("id_type", "id"), asked["customer_id"])
            if person is None:
                raise NotAllowed(404, "customer not found")
        rows = (
            activity
            for activity in self._workspace.log.newest_first()
            if asked.get("type") in (None, activity.type)
            and asked.get("name") in (None, activity.name)
            and (person is None or activity.person is person)
        )
        found, following = page(request, rows, 10, 100)
        return answer(200, {"activities": [show_activity(activity) for activity in found], "next": following})

    async def workspaces(self, _request: Request) -> Response:
        """The one workspace there is."""
        shown = {
            "id": 3,
            "name": self._workspace.settings.workspace_name,
            "people": len(self._workspace.people),
            "object_types": len(self._workspace.object_types),
            "objects": len(self._workspace.objects),
            "messages_sent": 0,
            "billable_messages_sent": 0,
        }
        return answer(200, {"workspaces": [shown]})

    def _segment(self, request: Request) -> Segment:
        text = request.path_params["segment_id"]
        segment = self._workspace.segments.get(int(text)) if text.isascii() and text.isdigit() else None
        if segment is None:
            raise NotAllowed(404, "segment not found")
        return segment

    def _object(self, request: Request) -> CustomObject:
        type_id, object_id = request.path_params["type_id"], request.path_params["object_id"]
        if request.query_params.get("id_type") == "cio_object_id":
            held = self._workspace.objects_by_cio_id.get(object_id)
        else:
            held = self._workspace.objects.get((type_id, object_id))
        if held is None:
            raise NotAllowed(404, "object not found")
        return held


def error(status: int, detail: str) -> Response:
    """An error in the App API's form."""
    return answer(status, {"errors": [{"detail": detail, "status": str(status)}]})


async def content(request: Request) -> dict[str, Any]:
    """A request's JSON object.

    Raises:
        NotAllowed: It is none.
    """
    try:
        sent = loads(await request.body())
    except ValueError:
        raise NotAllowed(400, "body must be JSON") from None
    if not isinstance(sent, dict):
        raise NotAllowed(400, "body must be an object")
    return sent


def page(request: Request, rows: Iterable[Any], default: int, most: int) -> tuple[list[Any], str]:
    """The rows from ``start`` on, at most ``limit``, and the ``start`` of the next page; empty on the last.

    Raises:
        NotAllowed: ``start`` or ``limit`` is no number that may be asked for.
    """
    asked = request.query_params
    start_text, limit_text = asked.get("start") or "0", asked.get("limit") or str(default)
    if not start_text.isdecimal() or not limit_text.isdecimal() or not 1 <= int(limit_text) <= most:
        raise NotAllowed(400, f"start must be a token of the last page, and limit between 1 and {most}")
    start, limit = int(start_text), int(limit_text)
    found = list(islice(rows, start, start + limit + 1))
    return found[:limit], str(start + limit) if len(found) > limit else ""


def _show(segment: Segment) -> Shown:
    return {
        "id": segment.id,
        "deduplicate_id": f"{segment.id}:{segment.updated_at}",
        "name": segment.name,
        "description": segment.description,
        "state": "finished",
        "progress": None,
        "type": segment.type,
        "tags": None,
        "created_at": segment.created_at,
        "updated_at": segment.updated_at,
    }


def _singular(name: str) -> str:
    return name[:-3] + "y" if name.endswith("ies") else name.removesuffix("s")
