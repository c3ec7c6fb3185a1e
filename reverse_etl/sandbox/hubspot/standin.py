"""The stand-in for HubSpot: the addresses of its calls, its credentials and what it can do wrong."""

from __future__ import annotations

import hmac
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, ClassVar, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Scope

from reverse_etl.sandbox.base import JSON, Answer, Record, Standin, own_fault
from reverse_etl.sandbox.hubspot import inputs, properties, writing
from reverse_etl.sandbox.hubspot.account import Account, Settings
from reverse_etl.sandbox.hubspot.calls import Call, Calls
from reverse_etl.sandbox.hubspot.limits import refused as refused_by_limit
from reverse_etl.sandbox.hubspot.objects import Objects
from reverse_etl.sandbox.hubspot.problems import not_found, refusal

_DATE: Final = re.compile(r"20\d\d-\d\d(-beta)?")
_WORDED: Final = {
    400: ("VALIDATION_ERROR", "Invalid input"),
    401: ("INVALID_AUTHENTICATION", "Authentication credentials not found or invalid."),
    403: ("MISSING_SCOPES", "This app hasn't been granted all required scopes to make this call."),
    404: ("OBJECT_NOT_FOUND", "resource not found"),
    409: ("CONFLICT", "Contact already exists. Existing ID: 151000000"),
    423: ("LOCKED", "The record is locked, wait at least 2 seconds"),
    429: ("RATE_LIMITS", "You have reached your ten_secondly_rolling limit."),
    477: ("MIGRATION_IN_PROGRESS", "The account is being moved to another data centre"),
}
_FAULTS_OF_A_STATUS: Final = {"conflict": 409, "locked": 423, "migrating": 477}
_FAULTS_OF_A_LIMIT: Final = {"daily_limit": "DAILY", "ten_second_limit": "TEN_SECONDLY_ROLLING"}


class HubSpot(Standin):
    """An account with one private app."""

    NAME = "hubspot"
    TITLE = "HubSpot"
    PORT = 8711
    SETTINGS = Settings
    OWN_FAULTS: ClassVar[Mapping[str, str]] = {
        **writing.OWN_FAULTS,
        "daily_limit": "429: the account's day is used up",
        "ten_second_limit": "429 without Retry-After",
        "locked": "423: a record is locked for some seconds",
        "migrating": "477: the account is being moved; Retry-After says for how long",
        "conflict": "409: another call made the record first; nothing is written",
    }

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._account = Account(lambda: self.settings, self.clock)
        calls = Calls(self._account)
        self.routes = [
            *self._routes("POST", "objects", "/{type}/batch/create", calls.write),
            *self._routes("POST", "objects", "/{type}/batch/update", calls.write),
            *self._routes("POST", "objects", "/{type}/batch/upsert", calls.write),
            *self._routes("POST", "objects", "/{type}/batch/archive", calls.archive),
            *self._routes("POST", "objects", "/{type}/batch/read", calls.read_batch),
            *self._routes("POST", "objects", "/{type}/search", calls.search),
            *self._routes("GET", "objects", "/{type}/{id}", calls.read_one),
            *self._routes("GET", "objects", "/{type}", calls.page),
            *self._routes("GET", "properties", "/{type}", calls.properties),
            *self._routes("POST", "properties", "/{type}", calls.make_property),
            *self._routes("GET", "properties", "/{type}/{name}", calls.property),
            *self._routes("GET", "schemas", "", calls.schemas),
            *self._routes("POST", "lists", "", calls.make_list),
            *self._routes("GET", "lists", "/{list}", calls.show_list),
            *self._routes("GET", "lists", "/{list}/memberships", calls.members),
            *self._routes("PUT", "lists", "/{list}/memberships/add-and-remove", calls.add_and_remove),
            *self._routes("PUT", "lists", "/{list}/memberships/add", calls.add, list),
            *self._routes("PUT", "lists", "/{list}/memberships/remove", calls.remove, list),
            *self._routes("POST", "associations", "/{type}/{to}/batch/create", calls.associate),
            *self._routes("POST", "associations", "/{type}/{to}/batch/associate/default", calls.associate_default),
            *self._routes("POST", "associations", "/{type}/{to}/batch/archive", calls.dissociate),
            *self._routes("POST", "associations", "/{type}/{to}/batch/read", calls.associated),
            *self._routes("GET", "associations", "/{type}/{to}/labels", calls.labels),
            Route("/account-info/v3/details", self._endpoint(calls.details)),
            Route("/account-info/v3/api-usage/daily/private-apps", self._endpoint(calls.usage)),
            Route("/oauth/v2/private-apps/get/access-token-info", self._endpoint(calls.token_info), methods=["POST"]),
        ]

    def refused(self, scope: Scope) -> Answer | None:
        """The answer to a token that is not the app's."""
        given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        if hmac.compare_digest(given, f"Bearer {self.settings.access_token}".encode()):
            return None
        return self.worded(401, scope["path"], {})

    def worded(self, status: int, path: str, details: Mapping[str, Any]) -> Answer:  # noqa: ARG002 - worded alike at all
        """An error as HubSpot words it; ``details`` may have another category and message."""
        category, message = _WORDED.get(status, ("INTERNAL_ERROR", "internal error"))
        answer = refusal(status, details.get("category", category), details.get("message", message))
        return Answer(status, JSON, bytes(answer.body))

    def records(self) -> Mapping[str, Iterable[Record]]:
        """Records by type, lists with their members, associations."""
        lists = self._account.lists.by_id.values()
        return {
            **{each.kind.name: each.shown() for each in self._account},
            "lists": [{**each.as_json(), "members": list(each.members)} for each in lists],
            "associations": self._account.associations.pairs(),
        }

    def counts(self) -> Mapping[str, Any]:
        """Live records by type, and the calls of the day."""
        live = {each.kind.name: len(each.live) for each in self._account}
        return {**live, "calls_today": self._account.limits.used_today}

    def put(self, kind: str, record: Record) -> Record:
        """A record of a type, ``{name: text}``; a property, ``{"object", "name", "type", …}``; a list.

        Raises:
            ValueError: It would be refused, or there is no such kind.
        """
        if kind == "properties":
            made = properties.parsed(record)
            properties.add(self._objects(record["object"]), made)
            return made.as_json()
        if kind == "lists":
            of = self._objects(record.get("objectTypeId", "0-1"))
            return _made(self._account.lists.create({"processingType": "MANUAL", **record}, of, self._account.now()))
        each = inputs.Input("", {name: str(value) for name, value in record.items()}, None, None)
        return _made(writing.write(self._account, self._objects(kind), "create", [each], None))

    def forget(self) -> None:
        """A new account."""
        self._account.clear()

    def _objects(self, name: str) -> Objects:
        found = self._account.objects(name)
        if found is None:
            raise ValueError(f"there is no object type {name}")
        return found

    def _routes(self, method: str, api: str, path: str, call: Call, takes: type[Any] = dict) -> list[Route]:
        """A call at its numbered and at its dated address."""
        version = "v4" if api == "associations" else "v3"
        addresses = (f"/crm/{version}/{api}{path}", f"/crm/{api}/{{date}}{path}")
        return [Route(address, self._endpoint(call, takes), methods=[method]) for address in addresses]

    def _endpoint(self, call: Call, takes: type[Any] = dict) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            most = self._account.most_calls()
            is_search = request.url.path.endswith("/search")
            response = self._refused_by_fault(request) or self._account.limits.take(most, is_search=is_search)
            if not _DATE.fullmatch(request.path_params.get("date", "2026-09")):
                response = not_found()
            if response is None:
                try:
                    has_body = request.method != "GET"
                    response = call(request, inputs.content(await request.body(), takes) if has_body else None)
                except inputs.MalformedError as malformed:
                    response = malformed.answer
            if not is_search:
                response.headers.update(self._account.limits.headers(most))
            return response

        return endpoint

    def _refused_by_fault(self, request: Request) -> Response | None:
        """The answer of a fault that lets nothing be done."""
        fault = own_fault(request, *_FAULTS_OF_A_STATUS, *_FAULTS_OF_A_LIMIT)
        if fault is None or fault.own is None:
            return None
        if fault.own in _FAULTS_OF_A_LIMIT:
            return refused_by_limit(_FAULTS_OF_A_LIMIT[fault.own], {})
        answer = self.worded(_FAULTS_OF_A_STATUS[fault.own], request.url.path, fault.details)
        headers = dict(_JSON_HEADERS)
        if fault.own == "migrating":
            headers["retry-after"] = str(fault.details.get("retry_after", 1))
        return Response(answer.body, answer.status, headers)


_JSON_HEADERS: Final = {name.decode(): value.decode() for name, value in JSON}


def _made(answer: Response) -> Record:
    """What an answer says of the one thing that was made.

    Raises:
        ValueError: It was refused.
    """
    told: dict[str, Any] = orjson.loads(answer.body)
    if answer.status_code >= 300 or told.get("errors"):
        raise ValueError(told.get("message", "it was refused"))
    found: Record = told["list"] if "list" in told else told["results"][0]
    return found


STANDIN = HubSpot
