"""Track v1: the region, people by address, manual segments, merging. Meanings are those of ``operations``.

Documented: the paths, 200 ``{}``, the error texts, 1–1000 ids a segment call, unknown people ignored, ``cio_`` before a
``cio_id`` in a path. Inferred: a path with a valid e-mail address means one, 404 for an unknown segment, 400 for a
data-driven one. An ``environment_id`` is made with the contents: an emptied sandbox is another workspace.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from reverse_etl.sandbox.customerio import operations
from reverse_etl.sandbox.customerio.identity import is_email
from reverse_etl.sandbox.customerio.records import Problem, Segment
from reverse_etl.sandbox.customerio.track import answer, oversize
from reverse_etl.sandbox.customerio.validation import Validator, event_problems
from reverse_etl.sandbox.customerio.workspace import Workspace, now_s
from reverse_etl.sandbox.exact_json import loads

Item = dict[str, Any]
MAX_BODY_KILOBYTES = 150
MAX_EVENT_KILOBYTES = 100
MAX_SEGMENT_IDS = 1000
_CUSTOMER = "/api/v1/customers/{identifier:path}"


class TrackV1:
    """The endpoints over one workspace."""

    def __init__(self, workspace: Workspace, validator: Validator) -> None:
        self._workspace = workspace
        self._validator = validator
        self.routes = [
            Route("/api/v1/accounts/region", self.region, methods=["GET"]),
            Route(f"{_CUSTOMER}/events", self.event, methods=["POST"]),
            Route(f"{_CUSTOMER}/suppress", self._action("suppress"), methods=["POST"]),
            Route(f"{_CUSTOMER}/unsuppress", self._action("unsuppress"), methods=["POST"]),
            Route(_CUSTOMER, self.identify, methods=["PUT"]),
            Route(_CUSTOMER, self._action("delete"), methods=["DELETE"]),
            Route("/api/v1/merge_customers", self.merge, methods=["POST"]),
            Route("/api/v1/segments/{segment_id}/add_customers", self.add_to_segment, methods=["POST"]),
            Route("/api/v1/segments/{segment_id}/remove_customers", self.remove_from_segment, methods=["POST"]),
        ]

    async def region(self, _request: Request) -> Response:
        """Where the account lives; the answer is Customer.io's, so the address is not this server's."""
        region = self._workspace.settings.region
        host = "track.customer.io" if region == "us" else "track-eu.customer.io"
        return answer(
            200, {"url": f"https://{host}", "region": region, "environment_id": self._workspace.environment_id}
        )

    async def identify(self, request: Request) -> Response:
        """Creates or updates a person, and their relationships."""
        content = await self._content(request)
        if isinstance(content, Response):
            return content
        relationships = content.pop("cio_relationships", None)
        item: Item = {"action": "identify", "attributes": content}
        if "_timestamp" in content:
            item["timestamp"] = content.pop("_timestamp")
        items = [item]
        if relationships is not None:
            if not isinstance(relationships, dict):
                return refused("cio_relationships must be an object")
            action, named = relationships.get("action"), relationships.get("relationships")
            if action == "add_relationships":
                item["cio_relationships"] = named
            else:
                items.append({"action": action, "cio_relationships": named})
        return self._take(request, items)

    async def event(self, request: Request) -> Response:
        """Keeps an event: ``{"name", "data", "id", "timestamp", "type"}``."""
        content = await self._content(request, MAX_EVENT_KILOBYTES)
        if isinstance(content, Response):
            return content
        kinds = {"screen": "screen", "page": "page"}
        item = {"action": kinds.get(str(content.get("type")), "event"), "attributes": content.get("data", {})}
        item |= {name: content[name] for name in ("name", "id", "timestamp") if name in content}
        problems = event_problems(item)
        return refused(problems[0].message) if problems else self._take(request, [item])

    async def merge(self, request: Request) -> Response:
        """Merges two people."""
        content = await self._content(request)
        if isinstance(content, Response):
            return content
        return self._take(request, [{**content, "action": "merge"}])

    async def add_to_segment(self, request: Request) -> Response:
        """Puts people into a manual segment."""
        return await self._change_segment(request, adding=True)

    async def remove_from_segment(self, request: Request) -> Response:
        """Takes people out of a manual segment."""
        return await self._change_segment(request, adding=False)

    async def _change_segment(self, request: Request, *, adding: bool) -> Response:
        content = await self._content(request)
        if isinstance(content, Response):
            return content
        kind = request.query_params.get("id_type", "id")
        ids = content.get("ids")
        if kind not in {"id", "email", "cio_id"}:
            return answer(400, {"meta": {"errors": ["id_type must be one of id, email, cio_id"]}})
        if not isinstance(ids, list) or not all(isinstance(value, str) for value in ids):
            return answer(400, {"meta": {"errors": ["ids must be a list of strings"]}})
        request.scope["sandbox.items"] = len(ids)
        if not 1 <= len(ids) <= MAX_SEGMENT_IDS:
            return answer(400, {"meta": {"errors": ["ids must hold between 1 and 1000 values"]}})
        segment = self._segment(request.path_params["segment_id"])
        if segment is None:
            return answer(404, {"meta": {"errors": ["segment not found"]}})
        if segment.type != "manual":
            return answer(400, {"meta": {"errors": ["segment is not a manual segment"]}})
        self._workspace.changes += 1
        segment.updated_at = now_s()
        for value in ids:
            person = self._workspace.find(kind, value)
            if person is not None and adding:
                segment.members[person] = None
            elif person is not None:
                segment.members.pop(person, None)
        return answer(200, {})

    def _segment(self, text: str) -> Segment | None:
        return self._workspace.segments.get(int(text)) if text.isascii() and text.isdigit() else None

    def _action(self, action: str) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            return self._take(request, [{"action": action}])

        return endpoint

    def _take(self, request: Request, items: list[Item]) -> Response:
        """Does operations of the person in the path; the first problem is the answer."""
        request.scope["sandbox.items"] = 1
        path = request.path_params.get("identifier")
        whole = [
            {"type": "person", **({} if path is None else {"identifiers": _path_identifier(path)}), **item}
            for item in items
        ]
        # v1 has no limit of 32 kb, so the size given is only large enough for values to be looked at.
        problems: list[Problem] = [p for item in whole for p in self._validator.problems(item, 2000)]
        for item in whole if not problems else ():
            problem = operations.apply(self._workspace, item, now_s())
            problems += [] if problem is None else [problem]
        return refused(problems[0].message) if problems else answer(200, {})

    async def _content(self, request: Request, limit_kilobytes: int = MAX_BODY_KILOBYTES) -> Item | Response:
        settings = self._workspace.settings
        body = await request.body()
        if len(body) > limit_kilobytes * settings.kilobyte:
            return oversize(settings.oversize_status, limit_kilobytes * settings.kilobyte)
        try:
            content = loads(body)
        except ValueError:
            return refused("body must be JSON")
        return content if isinstance(content, dict) else refused("body must be an object")


def refused(message: str) -> Response:
    """A request refused, in v1's form."""
    return answer(400, {"meta": {"error": message}})


def _path_identifier(text: str) -> dict[str, str]:
    if text.startswith("cio_"):
        return {"cio_id": text.removeprefix("cio_")}
    return {"email": text} if is_email(text) else {"id": text}
