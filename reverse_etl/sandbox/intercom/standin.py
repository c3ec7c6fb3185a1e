"""The stand-in workspace of Intercom as one of the sandbox's services."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any, Final

import orjson

from reverse_etl.sandbox.base import JSON, Answer, Record, Standin
from reverse_etl.sandbox.intercom import attributes, contacts
from reverse_etl.sandbox.intercom.answers import NotAllowed, error_list
from reverse_etl.sandbox.intercom.api import OWN_FAULTS, Api
from reverse_etl.sandbox.intercom.companies import written
from reverse_etl.sandbox.intercom.settings import IntercomSettings
from reverse_etl.sandbox.intercom.showing import show_company, show_contact
from reverse_etl.sandbox.intercom.workspace import IntercomWorkspace

_CODES: Final = {
    401: ("unauthorized", "Access Token Invalid"),
    403: ("api_plan_restricted", "Active subscription needed."),
    408: ("server_timeout", "Request timed out"),
    429: ("rate_limit_exceeded", "Exceeded rate limit"),
    503: ("service_unavailable", "Service is unavailable"),
    504: ("server_timeout", "Request timed out"),
}


class Intercom(Standin):
    """A workspace with one access token."""

    NAME = "intercom"
    TITLE = "Intercom"
    PORT = 8703
    SETTINGS = IntercomSettings
    OWN_FAULTS = OWN_FAULTS

    def __init__(self, settings: IntercomSettings) -> None:
        super().__init__(settings)
        self.forget()
        self.routes = list(Api(self).routes)

    def forget(self) -> None:
        """The attributes of the beginning, and nobody."""
        self.workspace = IntercomWorkspace()

    def worded(self, status: int, path: str, details: Mapping[str, Any]) -> Answer:  # noqa: ARG002 - all alike
        """A list of errors."""
        code, message = _CODES.get(status, ("server_error", "Internal Server Error"))
        return Answer(status, JSON, orjson.dumps(error_list(str(details.get("code", code)), message)))

    def records(self) -> Mapping[str, Iterable[Record]]:
        """Contacts with the names of their tags and companies, companies, tags, attributes."""
        held = self.workspace
        return {
            "contacts": (
                {
                    "id": contact.id,
                    "role": contact.role,
                    "external_id": contact.external_id,
                    **contact.fields,
                    "email": contact.email,
                    "custom_attributes": contact.custom_attributes,
                    "tags": [held.tags[tag_id].name for tag_id in contact.tags],
                    "companies": [held.companies[company_id].company_id for company_id in contact.companies],
                    "archived": contact.is_archived,
                }
                for contact in held.contacts.values()
            ),
            "companies": (
                {
                    "id": company.id,
                    "company_id": company.company_id,
                    **company.fields,
                    "custom_attributes": company.custom_attributes,
                    "tags": [held.tags[tag_id].name for tag_id in company.tags],
                    "contacts": len(company.contacts),
                }
                for company in held.companies.values()
            ),
            "tags": map(asdict, held.tags.values()),
            "attributes": map(asdict, held.attributes.values()),
        }

    def counts(self) -> Mapping[str, Any]:
        """How much of each."""
        held = self.workspace
        return {
            "contacts": len(held.contacts),
            "companies": len(held.companies),
            "tags": len(held.tags),
            "attributes": len(held.attributes),
        }

    def put(self, kind: str, record: Record) -> Record:
        """Sets up ``contacts`` (``archived`` too), ``companies``, ``tags`` or ``attributes``, as calls take them."""
        now = self.clock.now()
        try:
            if kind == "contacts":
                contact = contacts.created(self.workspace, record, self.settings, now, None)
                contact.is_archived = bool(record.get("archived"))
                for name in record.get("tags", ()):
                    contact.tags[self.workspace.tag_of(name).id] = int(now)
                return show_contact(self.workspace, contact)
            if kind == "companies":
                return show_company(self.workspace, written(self.workspace, record, self.settings, now))
            if kind == "tags":
                return asdict(self.workspace.tag_of(record["name"]))
            if kind == "attributes":
                return attributes.show(attributes.made(self.workspace.attributes, record))
        except NotAllowed as refused:
            raise ValueError(str(refused)) from None
        return super().put(kind, record)


STANDIN: Final = Intercom
