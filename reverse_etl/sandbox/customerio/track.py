"""Track v2: ``/api/v2/entity`` and ``/api/v2/batch``. What an item means is in ``operations``.

Documented: 200 ``{}``, 207 with ``batch_index`` and everything else applied, 400 for the request as a whole, 500 kb a
batch and 32 kb an entity. Inferred: 413 for more, the whole-request messages, and that items are done in order.
"""

from __future__ import annotations

from itertools import count
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from reverse_etl.sandbox.customerio import operations
from reverse_etl.sandbox.customerio.records import Problem
from reverse_etl.sandbox.customerio.validation import Validator
from reverse_etl.sandbox.customerio.workspace import Workspace, now_s
from reverse_etl.sandbox.exact_json import dumps, item_sizes, loads
from reverse_etl.sandbox.faults import RefuseItems

_HEADERS = {"content-type": "application/json; charset=utf-8", "cache-control": "no-store"}


class TrackV2:
    """The two endpoints over one workspace."""

    def __init__(self, workspace: Workspace, validator: Validator) -> None:
        self._workspace = workspace
        self._validator = validator
        self.routes = [
            Route("/api/v2/entity", self.entity, methods=["POST"]),
            Route("/api/v2/batch", self.batch, methods=["POST"]),
        ]

    async def entity(self, request: Request) -> Response:
        """One operation."""
        body = await request.body()
        settings = self._workspace.settings
        if len(body) > settings.max_item_bytes:
            return oversize(settings.oversize_status, settings.max_item_bytes)
        try:
            item = loads(body)
        except ValueError:
            return whole_request_refused("body must be JSON")
        request.scope["sandbox.items"] = 1
        problems = self._take(0, item, len(body), request.scope.get("sandbox.refuse"), now_s())
        if problems:
            return answer(400, {"errors": [problem.as_json() for problem in problems]})
        return answer(200, {})

    async def batch(self, request: Request) -> Response:
        """Many operations; those that are valid are done."""
        body = await request.body()
        settings = self._workspace.settings
        if len(body) > settings.max_request_bytes:
            return oversize(settings.oversize_status, settings.max_request_bytes)
        try:
            content = loads(body)
        except ValueError:
            return whole_request_refused("body must be JSON")
        items = content.get("batch") if type(content) is dict else None
        if type(items) is not list:
            return whole_request_refused("batch must be a list", "batch")
        request.scope["sandbox.items"] = len(items)
        most_items = request.scope.get("sandbox.most_items")
        if most_items is not None and len(items) > most_items:
            return oversize(settings.oversize_status, settings.max_request_bytes)
        sizes = item_sizes(body, items, settings.max_item_bytes)
        refuse = request.scope.get("sandbox.refuse")
        if refuse is not None and refuse.whole and any(map(refuse.refuses, count(), items)):
            return whole_request_refused(refuse.message, refuse.field)
        now = now_s()
        errors = [
            {**_index(place, len(items), refuse), **problem.as_json()}
            for place, (item, size) in enumerate(zip(items, sizes, strict=True))
            for problem in self._take(place, item, size, refuse, now)
        ]
        return answer(207, {"errors": errors}) if errors else answer(200, {})

    def _take(self, place: int, item: Any, size: int, refuse: RefuseItems | None, now: int) -> list[Problem]:
        """Applies one item, or returns why not."""
        problems = self._validator.problems(item, size)
        if problems:
            return problems
        if refuse is not None and refuse.refuses(place, item):
            return [Problem(refuse.reason, refuse.field, refuse.message)]
        problem = operations.apply(self._workspace, item, now)
        return [] if problem is None else [problem]


def _index(place: int, items: int, refuse: RefuseItems | None) -> dict[str, int]:
    """Which item an error is about, as far as the answer is to show it."""
    if refuse is None or refuse.index == "given":
        return {"batch_index": place}
    return {} if refuse.index == "none" else {"batch_index": items + place}


def answer(status: int, content: Any) -> Response:
    """JSON as Customer.io sends it: with a newline at the end."""
    return Response(dumps(content) + b"\n", status, _HEADERS)


def oversize(status: int, limit_bytes: int) -> Response:
    """The request is larger than documented."""
    return whole_request_refused(f"request cannot be larger than {limit_bytes} bytes", status=status)


def whole_request_refused(message: str, field: str = "", *, status: int = 400) -> Response:
    """An answer without ``batch_index``: nothing was applied."""
    return answer(status, {"errors": [Problem("invalid", field, message).as_json()]})
