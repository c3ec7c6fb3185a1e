"""The calls about companies, about tags of many at once, and about attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.requests import Request

from reverse_etl.sandbox.faults import Action
from reverse_etl.sandbox.intercom import attributes, companies, contacts
from reverse_etl.sandbox.intercom.answers import NotAllowed
from reverse_etl.sandbox.intercom.searching import page
from reverse_etl.sandbox.intercom.showing import show_company, show_tag
from reverse_etl.sandbox.intercom.workspace import Company, Shown, Tag

if TYPE_CHECKING:
    from reverse_etl.sandbox.intercom.standin import Intercom


class CompanyCalls:
    """Each takes the request, its JSON and its fault, and returns what is answered with 200."""

    def __init__(self, intercom: Intercom) -> None:
        self._intercom = intercom

    def every(self, request: Request, _sent: Shown, _fault: Action | None) -> Shown:
        """Companies that somebody belongs to, page by page; or the one of a ``company_id`` or ``name``."""
        held = self._intercom.workspace
        visible = [company for company in held.companies.values() if company.contacts]
        for name in ("company_id", "name"):
            wanted = request.query_params.get(name)
            if wanted is not None:
                for company in visible:
                    if wanted == (company.company_id if name == "company_id" else company.fields.get("name")):
                        return show_company(held, company)
                raise NotAllowed(404, "company_not_found", "Company Not Found")
        return page([show_company(held, company) for company in visible], dict(request.query_params), usual=15)

    def show(self, request: Request, _sent: Shown, _fault: Action | None) -> Shown:
        """One company of Intercom's id; a hidden one too: whoever wrote it knows the id."""
        held = self._intercom.workspace
        return show_company(held, companies.existing(held, request.path_params["company_id"]))

    def write(self, _request: Request, sent: Shown, fault: Action | None) -> Shown:
        """Makes or changes the company of a ``company_id``."""
        intercom = self._intercom
        if fault is not None and fault.own == "unique_company_constraint":
            raise NotAllowed(400, "unique_company_constraint", "A company with this company_id already exists")
        company = companies.written(intercom.workspace, sent, intercom.settings, intercom.clock.now())
        return show_company(intercom.workspace, company)

    def of_contact(self, request: Request, _sent: Shown, _fault: Action | None) -> Shown:
        """The companies that a contact belongs to."""
        held = self._intercom.workspace
        contact = contacts.existing(held, request.path_params["contact_id"])
        found = [show_company(held, held.companies[company_id]) for company_id in contact.companies]
        listed = page(found, dict(request.query_params))
        # The description has one of these names, its own example the other.
        return {**listed, "companies": listed["data"]}

    def attach(self, request: Request, sent: Shown, _fault: Action | None) -> Shown:
        """Lets a contact belong to a company."""
        held = self._intercom.workspace
        contact = contacts.existing(held, request.path_params["contact_id"])
        return show_company(held, companies.attach(held, contact, sent.get("id")))

    def detach(self, request: Request, _sent: Shown, _fault: Action | None) -> Shown:
        """Ends that."""
        held = self._intercom.workspace
        contact = contacts.existing(held, request.path_params["contact_id"])
        company = companies.existing(held, request.path_params["company_id"])
        contact.companies.pop(company.id, None)
        company.contacts.pop(contact.id, None)
        return show_company(held, company)

    def write_tag(self, _request: Request, sent: Shown, _fault: Action | None) -> Shown:
        """Makes a tag, or puts it on contacts or companies: on all of them, or on none where one does not exist."""
        name = sent.get("name")
        if not isinstance(name, str) or not name:
            raise NotAllowed(400, "parameter_invalid", "invalid tag parameters")
        held = self._intercom.workspace
        users = [(contacts.existing(held, str(one.get("id"))), one) for one in _list(sent, "users")]
        found = [(self._company(one), one) for one in _list(sent, "companies")]
        tag = held.tag_of(name)
        now = int(self._intercom.clock.now())
        for contact, one in users:
            contacts.reindex(held, contact, self._intercom.settings, now)
            if one.get("untag"):
                contact.tags.pop(tag.id, None)
            else:
                contact.tags.setdefault(tag.id, now)
        for company, one in found:
            _set_tag(company, tag, is_on=not one.get("untag"))
        return show_tag(tag)

    def attributes(self, request: Request, _sent: Shown, _fault: Action | None) -> Shown:
        """The attributes of a model, or of both."""
        model = request.query_params.get("model")
        with_archived = request.query_params.get("include_archived") == "true"
        if model not in (None, *attributes.MODELS):
            raise NotAllowed(400, "parameter_invalid", f"model must be one of {', '.join(attributes.MODELS)}")
        found = [
            attributes.show(attribute)
            for attribute in self._intercom.workspace.attributes.values()
            if model in (None, attribute.model) and (with_archived or not attribute.is_archived)
        ]
        return {"type": "list", "data": found}

    def add_attribute(self, _request: Request, sent: Shown, _fault: Action | None) -> Shown:
        """A new attribute."""
        return attributes.show(attributes.made(self._intercom.workspace.attributes, sent))

    def _company(self, one: dict[str, Any]) -> Company:
        held = self._intercom.workspace
        company = held.companies.get(str(one.get("id"))) or held.by_company_id.get(str(one.get("company_id")))
        if company is None:
            raise NotAllowed(404, "company_not_found", "Company Not Found")
        return company


def _list(sent: Shown, name: str) -> list[dict[str, Any]]:
    found = sent.get(name) or []
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise NotAllowed(400, "parameter_invalid", "invalid tag parameters")
    return found


def _set_tag(company: Company, tag: Tag, *, is_on: bool) -> None:
    if is_on:
        company.tags[tag.id] = None
    else:
        company.tags.pop(tag.id, None)
