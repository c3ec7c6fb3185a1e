"""The App API about single people: finding them, and reading what is known of them. Values are always text.

Documented: an unknown e-mail address is an empty list, an unknown person 404, and people missing from a bulk lookup of
at most 100 ids are left out. Documented as a trap: an address is found without regard to case, but a literal ``+`` in a
query is a space. Inferred: 400 for an ``id_type`` other than ``id``, ``email``, ``cio_id``.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from reverse_etl.sandbox.customerio.app_api import AppApi, NotAllowed, content, page
from reverse_etl.sandbox.customerio.filters import all_attributes, people_filter, text
from reverse_etl.sandbox.customerio.records import Person
from reverse_etl.sandbox.customerio.track import answer
from reverse_etl.sandbox.customerio.workspace import Workspace

MAX_BULK_IDS = 100
Shown = dict[str, Any]


class AppCustomers:
    """The endpoints over one workspace, with the rate limit of ``api``."""

    def __init__(self, workspace: Workspace, api: AppApi) -> None:
        self._workspace = workspace
        one = "/v1/customers/{identifier:path}"
        self.routes = [
            api.route("/v1/customers", self.by_email),
            api.route("/v1/customers", self.by_filter, "POST"),
            api.route("/v1/customers/attributes", self.bulk_attributes, "POST"),
            api.route(f"{one}/attributes", self.attributes),
            api.route(f"{one}/relationships", self.relationships),
            api.route(f"{one}/segments", self.segments),
        ]

    async def by_email(self, request: Request) -> Response:
        """The person with an e-mail address, as a list."""
        if "email" not in request.query_params:
            raise NotAllowed(400, "email must be present")
        person = self._workspace.find("email", request.query_params["email"])
        return answer(200, {"results": [] if person is None else [person.identifiers()]})

    async def by_filter(self, request: Request) -> Response:
        """People whom a filter lets through, page by page."""
        passes = people_filter(self._workspace, (await content(request)).get("filter") or {})
        if passes is None:
            raise NotAllowed(400, "filter is not one the sandbox knows")
        matching = (person for person in self._workspace.people.values() if passes(person))
        people, following = page(request, matching, 50, 1000)
        ids = [person.id or person.cio_id for person in people]
        return answer(200, {"identifiers": [p.identifiers() for p in people], "ids": ids, "next": following})

    async def bulk_attributes(self, request: Request) -> Response:
        """Attributes of up to 100 people; those who do not exist are left out."""
        sent = await content(request)
        ids = sent.get("ids")
        if not isinstance(ids, list) or not 1 <= len(ids) <= MAX_BULK_IDS:
            raise NotAllowed(400, "ids must hold between 1 and 100 values")
        kind = _kind(sent.get("id_type", request.query_params.get("id_type", "id")))
        found = (self._workspace.find(kind, str(value)) for value in ids)
        return answer(200, {"customers": [_show(person) for person in found if person is not None]})

    async def attributes(self, request: Request) -> Response:
        """Attributes of one person."""
        return answer(200, {"customer": _show(self._person(request))})

    async def relationships(self, request: Request) -> Response:
        """Objects a person is related to, page by page."""
        person = self._person(request)
        found, following = page(request, (person.relationships or {}).items(), 50, 1000)
        shown = [
            {
                "identifiers": {
                    "object_type_id": held.type_id,
                    "object_id": held.id,
                    "cio_object_id": held.cio_id,
                },
                "attributes": {name: text(value) for name, value in attributes.items()},
            }
            for held, attributes in found
        ]
        return answer(200, {"cio_relationships": shown, "next": following})

    async def segments(self, request: Request) -> Response:
        """Segments a person is in."""
        found = self._workspace.segments_of(self._person(request))
        return answer(200, {"segments": [{"id": segment.id, "name": segment.name} for segment in found]})

    def _person(self, request: Request) -> Person:
        kind = _kind(request.query_params.get("id_type", "id"))
        person = self._workspace.find(kind, request.path_params["identifier"])
        if person is None:
            raise NotAllowed(404, "customer not found")
        return person


def _kind(id_type: Any) -> str:
    if id_type not in {"id", "email", "cio_id"}:
        raise NotAllowed(400, "id_type must be one of id, email, cio_id")
    return str(id_type)


def _show(person: Person) -> Shown:
    devices = list((person.devices or {}).values())
    return {
        "id": person.id or "",
        "identifiers": person.identifiers(),
        "attributes": {name: text(value) for name, value in all_attributes(person).items()},
        "timestamps": {"cio_id": person.created_at},
        "unsubscribed": text(person.attributes.get("unsubscribed", "")).lower() in {"true", "1"},
        "devices": devices,
    }
