"""What each call does: its scope checked, its object types found. The addresses of the calls are in ``standin``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import Response

from reverse_etl.sandbox.base import json_answer, own_fault
from reverse_etl.sandbox.hubspot import inputs, properties, reading, writing
from reverse_etl.sandbox.hubspot.account import Account
from reverse_etl.sandbox.hubspot.associations import TYPES
from reverse_etl.sandbox.hubspot.inputs import MalformedError
from reverse_etl.sandbox.hubspot.objects import Objects
from reverse_etl.sandbox.hubspot.problems import Problem

Call = Callable[[Request, Any], Response]


class Calls:
    """The calls on one account. Each takes the request and its body."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def write(self, request: Request, body: dict[str, Any]) -> Response:
        """A batch that creates, updates or upserts."""
        objects = self._objects(request, "write")
        verb = request.url.path.rpartition("/")[2]
        not_text = self._account.settings.values_not_text
        given = inputs.writes(body, creates=verb == "create", not_text=not_text)
        request.scope["sandbox.items"] = len(given)
        return writing.write(self._account, objects, _verb(verb), given, own_fault(request, *writing.OWN_FAULTS))

    def archive(self, request: Request, body: dict[str, Any]) -> Response:
        """A batch that archives."""
        return writing.archive(self._account, self._objects(request, "write"), inputs.ids(body))

    def read_batch(self, request: Request, body: dict[str, Any]) -> Response:
        """A batch that is read."""
        return reading.read_batch(self._account, self._objects(request, "read"), body)

    def search(self, request: Request, body: dict[str, Any]) -> Response:
        """A search."""
        return reading.search(self._account, self._objects(request, "read"), body)

    def read_one(self, request: Request, _body: None) -> Response:
        """One record, by its id or a unique value."""
        asked = request.query_params
        objects = self._objects(request, "read")
        return reading.read_one(objects, request.path_params["id"], asked.get("idProperty"), asked.get("properties"))

    def page(self, request: Request, _body: None) -> Response:
        """A page of the records of a type."""
        asked = request.query_params
        return reading.page(self._objects(request, "read"), asked.get("limit", ""), asked.get("after", ""))

    def properties(self, request: Request, _body: None) -> Response:
        """The properties of a type."""
        return properties.show_all(self._objects(request, "read", of="schemas"))

    def property(self, request: Request, _body: None) -> Response:
        """One property."""
        return properties.show_one(self._objects(request, "read", of="schemas"), request.path_params["name"])

    def make_property(self, request: Request, body: dict[str, Any]) -> Response:
        """A further property."""
        return properties.make(self._objects(request, "write", of="schemas"), body)

    def make_list(self, _request: Request, body: dict[str, Any]) -> Response:
        """A new list."""
        self._need("crm.lists.write")
        return self._account.lists.create(
            body, self._account.objects(str(body.get("objectTypeId"))), self._account.now()
        )

    def show_list(self, request: Request, _body: None) -> Response:
        """One list."""
        self._need("crm.lists.read")
        return self._account.lists.show(request.path_params["list"])

    def members(self, request: Request, _body: None) -> Response:
        """The members of a list."""
        self._need("crm.lists.read")
        return self._account.lists.show_members(request.path_params["list"])

    def add_and_remove(self, request: Request, body: dict[str, Any]) -> Response:
        """Changes the members of a list."""
        return self._change_members(request, body.get("recordIdsToAdd", []), body.get("recordIdsToRemove", []))

    def add(self, request: Request, body: list[Any]) -> Response:
        """Adds members to a list."""
        return self._change_members(request, body, [])

    def remove(self, request: Request, body: list[Any]) -> Response:
        """Takes members off a list."""
        return self._change_members(request, [], body)

    def associate(self, request: Request, body: dict[str, Any]) -> Response:
        """Creates associations of the types that each input names."""
        start, to = self._pair(request, "write")
        return self._account.associations.create(start, to, body, self._account.now(), default=False)

    def associate_default(self, request: Request, body: dict[str, Any]) -> Response:
        """Creates plain associations."""
        start, to = self._pair(request, "write")
        return self._account.associations.create(start, to, body, self._account.now(), default=True)

    def dissociate(self, request: Request, body: dict[str, Any]) -> Response:
        """Ends associations."""
        start, to = self._pair(request, "write")
        return self._account.associations.archive(start, to, body)

    def associated(self, request: Request, body: dict[str, Any]) -> Response:
        """What records are associated with."""
        start, to = self._pair(request, "read")
        return self._account.associations.read(start, to, body, self._account.now())

    def labels(self, request: Request, _body: None) -> Response:
        """The types of associations between two types of records."""
        start, to = self._pair(request, "read")
        found = TYPES.get((start.kind.id, to.kind.id), [])
        return json_answer(200, {"results": [each.as_json() for each in found]})

    def schemas(self, _request: Request, _body: None) -> Response:
        """The account's own object types."""
        self._need("crm.schemas.custom.read")
        own = [each.kind for each in self._account if each.kind.id.startswith("2-")]
        return json_answer(
            200,
            {
                "results": [
                    {
                        "objectTypeId": kind.id,
                        "id": kind.id.partition("-")[2],
                        "name": kind.name,
                        "fullyQualifiedName": kind.others[0],
                        "labels": {"singular": kind.singular.capitalize(), "plural": kind.name.capitalize()},
                        "requiredProperties": list(kind.required),
                        "primaryDisplayProperty": kind.required[0],
                        "properties": [each.as_json() for each in kind.properties.values()],
                        "associations": [],
                        "archived": False,
                    }
                    for kind in own
                ]
            },
        )

    def details(self, _request: Request, _body: None) -> Response:
        """Which account this is."""
        told = {"accountType": "STANDARD", "timeZone": "UTC", "utcOffset": "+00:00", "utcOffsetMilliseconds": 0}
        money = {"companyCurrency": "EUR", "additionalCurrencies": []}
        hosts = {"uiDomain": "app.hubspot.com", "dataHostingLocation": "na1"}
        return json_answer(200, {"portalId": self._account.settings.portal_id, **told, **money, **hosts})

    def usage(self, _request: Request, _body: None) -> Response:
        """How much of the day's calls is used."""
        told = {
            "name": "private-apps-api-calls-daily",
            "usageLimit": self._account.settings.calls_a_day,
            "currentUsage": self._account.limits.used_today,
            "collectedAt": self._account.now(),
            "fetchStatus": "SUCCESS",
            "resetsAt": self._account.now()[:10] + "T23:59:59.999Z",
        }
        return json_answer(200, {"results": [told]})

    def token_info(self, _request: Request, body: dict[str, Any]) -> Response:
        """What the app may do."""
        if body.get("tokenKey") != self._account.settings.access_token:
            return Problem("The access token is invalid", "INVALID_AUTHENTICATION", 401).answer()
        told = {"userId": 1, "appId": 1, "hubId": self._account.settings.portal_id, "scopes": self._account.scopes()}
        return json_answer(200, told)

    def _change_members(self, request: Request, add: Any, remove: Any) -> Response:
        self._need("crm.lists.write")
        found = self._account.lists.by_id.get(request.path_params["list"])
        objects = None if found is None else self._account.objects(found.object_type_id)
        return self._account.lists.change(request.path_params["list"], objects, add, remove, self._account.now())

    def _pair(self, request: Request, verb: Literal["read", "write"]) -> tuple[Objects, Objects]:
        return self._objects(request, verb), self._objects(request, verb, "to")

    def _objects(
        self, request: Request, verb: Literal["read", "write"], which: str = "type", *, of: str = "objects"
    ) -> Objects:
        """The records of the type that the path names.

        Raises:
            MalformedError: There is no such type, or the app may not do that with it.
        """
        name = request.path_params[which]
        found = self._account.objects(name)
        if found is None:
            raise MalformedError(Problem(f"Unable to infer object type from: {name}").answer())
        self._need(found.kind.scope_for(verb).replace("crm.objects.", f"crm.{of}."))
        return found

    def _need(self, scope: str) -> None:
        refused = self._account.refuse_without(scope)
        if refused is not None:
            raise MalformedError(refused)


def _verb(text: str) -> writing.Verb:
    return "create" if text == "create" else "update" if text == "update" else "upsert"
