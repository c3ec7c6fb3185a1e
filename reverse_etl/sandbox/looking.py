"""Looking into a stand-in, and making it go wrong: what ``/_sandbox/...`` has for each of them.

* ``GET /_sandbox/`` a page, ``GET /_sandbox/records.json`` all records by kind, ``GET /_sandbox/records/KIND`` a list
* ``GET /_sandbox/requests``, ``GET /_sandbox/requests/by_path``, ``GET /_sandbox/counts``
* ``GET``, ``POST``, ``DELETE /_sandbox/faults``; ``GET``, ``POST /_sandbox/settings``
* ``GET``, ``POST /_sandbox/clock`` ``{"stop": true, "advance_s": 604800}``
* ``POST /_sandbox/records`` ``{KIND: [record, ...]}`` sets up; ``POST /_sandbox/reset`` forgets everything
"""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from reverse_etl.sandbox.base import Standin
from reverse_etl.sandbox.exact_json import loads
from reverse_etl.sandbox.faults import Faults
from reverse_etl.sandbox.listing import as_json, body_of, page
from reverse_etl.sandbox.record_page import STYLE, shown_page
from reverse_etl.sandbox.requests import SeenRequest, by_path, request_texts, show_request
from reverse_etl.sandbox.settings import changed


class Looking:
    """The endpoints for people and tests over one stand-in."""

    def __init__(self, standin: Standin, faults: Faults, requests: list[SeenRequest]) -> None:
        self._standin = standin
        self._faults = faults
        self._requests = requests
        self._settings = standin.settings
        gets = {
            "": self.page,
            "page.css": self.style,
            "records.json": self.records,
            "records/{kind}": self.kind,
            "requests": self.requests,
            "requests/by_path": self.requests_by_path,
            "counts": self.counts,
            "faults": self.list_faults,
            "settings": self.show_settings,
            "clock": self.show_clock,
        }
        posts = {
            "records": self.put,
            "faults": self.add_faults,
            "settings": self.set_settings,
            "clock": self.set_clock,
            "reset": self.reset,
        }
        self.routes = [Route(f"/_sandbox/{path}", show, methods=["GET"]) for path, show in gets.items()]
        self.routes += [Route(f"/_sandbox/{path}", do, methods=["POST"]) for path, do in posts.items()]
        self.routes += [
            Route("/_sandbox/faults", self.clear_faults, methods=["DELETE"]),
            Route("/_sandbox", self.to_page, methods=["GET"]),
        ]
        if not any(isinstance(route, Route) and route.path == "/" for route in standin.routes):
            self.routes.append(Route("/", self.to_page, methods=["GET"]))

    async def to_page(self, _request: Request) -> Response:
        """Leads to the page."""
        return RedirectResponse("/_sandbox/")

    async def page(self, request: Request) -> Response:
        """All that it holds, for people to look at."""
        asked = request.query_params
        return shown_page(self._standin, self._faults, self._requests, asked.get("kind", ""), asked.get("search", ""))

    async def style(self, _request: Request) -> Response:
        """How the page looks."""
        return Response(STYLE, media_type="text/css")

    async def records(self, _request: Request) -> Response:
        """All records by kind, oldest first."""
        return as_json({kind: list(records) for kind, records in self._standin.records().items()})

    async def kind(self, request: Request) -> Response:
        """Records of one kind, as a list."""
        records = self._standin.records().get(request.path_params["kind"])
        if records is None:
            return as_json({"error": f"there are {', '.join(self._standin.records())}"}, 404)
        return page(request, records, dict, lambda record: iter(record.values()))

    async def requests(self, request: Request) -> Response:
        """Requests in the order in which they arrived; ``bodies=0`` leaves their bodies out."""
        show = partial(show_request, whole=request.query_params.get("bodies") != "0")
        return page(request, self._requests, show, request_texts)

    async def requests_by_path(self, _request: Request) -> Response:
        """How many requests each path met, and with which statuses."""
        return as_json(by_path(self._requests))

    async def counts(self, _request: Request) -> Response:
        """How much there is of everything."""
        held = {"service": self._standin.NAME, **self._standin.counts()}
        return as_json({**held, "requests": len(self._requests), "faults": self._faults.active()})

    async def put(self, request: Request) -> Response:
        """Sets records up, each list under its kind; the answer has them as they are kept."""
        kept: dict[str, list[Any]] = {}
        try:
            for kind, records in (await body_of(request)).items():
                kept[kind] = [self._standin.put(kind, record) for record in records]
        except (ValueError, TypeError, LookupError) as error:
            return as_json({"error": f"{type(error).__name__}: {error}"}, 400)
        return as_json(kept, 201)

    async def list_faults(self, _request: Request) -> Response:
        """The fault rules that were given, and how often each has fired."""
        return as_json(self._faults.as_json())

    async def add_faults(self, request: Request) -> Response:
        """Puts fault rules in force: a JSON list, an empty one to end all."""
        try:
            self._faults.add(await request.body())
        except ValueError as error:
            return as_json({"error": str(error)}, 400)
        return as_json(self._faults.as_json())

    async def clear_faults(self, _request: Request) -> Response:
        """Ends all fault rules."""
        self._faults.clear()
        return as_json([])

    async def show_settings(self, _request: Request) -> Response:
        """What is set."""
        return as_json(_plain(self._standin.settings))

    async def set_settings(self, request: Request) -> Response:
        """Sets some of what can be set, until the next reset."""
        if self._standin.FIXED:
            return self._fixed()
        try:
            self._standin.settings = changed(self._standin.settings, loads(await request.body()))
        except (ValueError, AttributeError) as error:
            return as_json({"error": str(error)}, 400)
        return as_json(_plain(self._standin.settings))

    async def show_clock(self, _request: Request) -> Response:
        """The time there."""
        return as_json({"now": self._standin.clock.now()})

    async def set_clock(self, request: Request) -> Response:
        """Stops the time there or moves it ahead."""
        if self._standin.FIXED:
            return self._fixed()
        wanted = await body_of(request)
        if wanted.get("stop"):
            self._standin.clock.stop()
        ahead_s = wanted.get("advance_s", 0)
        if isinstance(ahead_s, int | float):
            self._standin.clock.advance(ahead_s)
        return as_json({"now": self._standin.clock.now()})

    def _fixed(self) -> Response:
        return as_json({"error": f"settings and time of {self._standin.NAME} are those it was started with"}, 409)

    async def reset(self, _request: Request) -> Response:
        """Forgets records, requests, faults, settings and time."""
        self._standin.settings = self._settings
        self._standin.clock.reset()
        self._standin.forget()
        self._faults.clear()
        self._requests.clear()
        return as_json({})


def _plain(settings: Any) -> dict[str, Any]:
    return {
        name: value if value is None or isinstance(value, bool | int | float | str) else str(value)
        for name, value in dataclasses.asdict(settings).items()
    }
