"""``/2/httpapi`` and ``/batch``: a request's events are taken whole, or none of them is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from reverse_etl.sandbox.amplitude.checks import ID_LENGTHS, INVALID, MISSING, is_reserved, problem_of
from reverse_etl.sandbox.amplitude.project import Project
from reverse_etl.sandbox.amplitude.rates import Key, Rates, lists
from reverse_etl.sandbox.amplitude.settings import AmplitudeSettings
from reverse_etl.sandbox.base import Clock, json_answer, own_fault
from reverse_etl.sandbox.faults import Action

FIREWALL: Final = "<html><head><title>403 Forbidden</title></head><body><h1>403 Forbidden</h1></body></html>"
OWN_FAULTS: Final = {
    "key_revoked": "answers 400 as if the API key were another project's",
    "ingested_fewer": "answers 200, takes all but `missing` events (1) or those of `ids`, and counts only what it took",
    "throttled": "answers 429 for the events of `ids`, or for every nth (`every`), and takes nothing",
    "daily_quota": "answers 429 as over the quota of a day for the events of `ids`, and takes nothing",
    "silenced": "answers 400 for events of the devices `ids`, under silenced_events and silenced_devices",
    "unnamed": "answers 400 without naming a position where an event of `ids` is among the events",
    "invalid": "answers 400 for the events of `ids`, as if `field` (event_properties) were wrong",
}


class Upload:
    """The two endpoints over one project."""

    def __init__(
        self,
        project: Callable[[], Project],
        rates: Callable[[], Rates],
        settings: Callable[[], AmplitudeSettings],
        clock: Clock,
    ) -> None:
        self._project = project
        self._rates = rates
        self._settings = settings
        self._clock = clock

    async def http(self, request: Request) -> Response:
        """``/2/httpapi``: names the first wrong event of each field alone."""
        settings = self._settings()
        return await self._take(request, settings.max_bytes_http, settings.eps_http, first_only=True)

    async def batch(self, request: Request) -> Response:
        """``/batch``: names all of them."""
        settings = self._settings()
        return await self._take(request, settings.max_bytes_batch, settings.eps_batch, first_only=False)

    async def _take(self, request: Request, max_bytes: int, per_second: int, *, first_only: bool) -> Response:
        body = await request.body()
        settings = self._settings()
        if settings.blocked_text and settings.blocked_text.encode() in body:
            return HTMLResponse(FIREWALL, 403)
        if len(body) > max_bytes:
            return _too_large()
        try:
            content = orjson.loads(body)
        except ValueError:
            return refused("Invalid JSON request body")
        if not request.headers.get("content-type", "").startswith("application/json"):
            return refused("Invalid Content-Type")
        if type(content) is not dict:
            return refused("Invalid JSON request body")
        api_key, events = content.get("api_key"), content.get("events")
        if not api_key:
            return refused("Request missing required field", missing_field="api_key")
        fault = own_fault(request, *OWN_FAULTS)
        if api_key != settings.api_key or (fault is not None and fault.own == "key_revoked"):
            return refused(f"Invalid API key: {api_key}")
        if not events or type(events) is not list:
            return refused("Request missing required field", missing_field="events")
        request.scope["sandbox.items"] = len(events)
        most_items = request.scope.get("sandbox.most_items")
        if len(events) > (settings.max_events if most_items is None else most_items):
            return _too_large()
        options = content.get("options")
        shortest = options.get("min_id_length", 5) if type(options) is dict else 5
        problems = _problems(events, settings, shortest if type(shortest) is int else 5, first_only=first_only)
        if problems:
            return refused("Request has invalid or missing fields", problems)
        answer = _spoilt(events, fault, per_second) if fault is not None else None
        if answer is not None:
            return answer
        now = self._clock.now()
        keys = list(map(_key, events))
        throttled = self._rates().throttled(keys, now, per_second, settings.daily_events)
        if throttled is not None:
            return _throttled(per_second, throttled)
        ingested = self._keep(events, fault, now, settings)
        return json_answer(
            200,
            {
                "code": 200,
                "events_ingested": ingested,
                "payload_size_bytes": len(body),
                "server_upload_time": int(now * 1000),
            },
        )

    def _keep(self, events: list[Any], fault: Action | None, now: float, settings: AmplitudeSettings) -> int:
        """Takes events, all but those that a fault loses; returns how many."""
        taken = events
        if fault is not None and fault.own == "ingested_fewer":
            ids = fault.details.get("ids")
            missing = int(fault.details.get("missing", 1))
            taken = [e for e in events if _key(e)[1] not in ids] if ids else events[: max(0, len(events) - missing)]
        project = self._project()
        for event in taken:
            if is_reserved(event):
                project.dropped += 1
            else:
                project.take(event, now, identify_once=settings.identify_once)
        return len(taken)


def refused(error: str, named: Mapping[str, Any] | None = None, *, missing_field: str | None = None) -> Response:
    """A 400: nothing was taken."""
    content = {
        "code": 400,
        "error": error,
        "missing_field": missing_field,
        INVALID: {},
        MISSING: {},
        ID_LENGTHS: {},
        "silenced_events": [],
        "silenced_devices": [],
        **(named or {}),
    }
    return json_answer(400, content)


def _too_large() -> Response:
    return json_answer(413, {"code": 413, "error": "Payload too large"})


def _throttled(per_second: int, who: dict[str, Any]) -> Response:
    return json_answer(
        429, {"code": 429, "error": "Too many requests for some devices and users", "eps_threshold": per_second, **who}
    )


def _problems(
    events: list[Any], settings: AmplitudeSettings, min_id_length: int, *, first_only: bool
) -> dict[str, dict[str, list[int]]]:
    """Positions by field, in the lists of the answer; of each field only the first if so."""
    found: dict[str, dict[str, list[int]]] = {}
    for place, event in enumerate(events):
        problem = problem_of(event, settings, min_id_length)
        if problem is not None:
            places = found.setdefault(problem[0], {}).setdefault(problem[1], [])
            if not (first_only and places):
                places.append(place)
    return found


def _key(event: dict[str, Any]) -> Key:
    user_id = event.get("user_id")
    return ("user", user_id) if user_id is not None else ("device", event.get("device_id") or "")


def _spoilt(events: list[Any], fault: Action, per_second: int) -> Response | None:
    """The answer that a fault wants, if it is about any of these events."""
    ids = fault.details.get("ids") or ()
    every = fault.details.get("every")
    places = [
        place
        for place, event in enumerate(events)
        if _key(event)[1] in ids or (every is not None and (place + 1) % every == 0)
    ]
    if not places or fault.own == "ingested_fewer":
        return None
    who = dict.fromkeys((_key(events[place]) for place in places), per_second + 1)
    if fault.own == "throttled":
        return _throttled(per_second, lists(who, places, {}))
    if fault.own == "daily_quota":
        return _throttled(per_second, lists(who, places, dict.fromkeys(who, 500_001)))
    if fault.own == "silenced":
        return refused("Devices silenced", {"silenced_events": places, "silenced_devices": [name for _, name in who]})
    if fault.own == "unnamed":
        return refused("Invalid request")
    return refused("Invalid fields", {INVALID: {str(fault.details.get("field", "event_properties")): places}})
