"""The calls about contacts and their tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request

from reverse_etl.sandbox.faults import Action
from reverse_etl.sandbox.intercom import contacts
from reverse_etl.sandbox.intercom.answers import NotAllowed, not_found
from reverse_etl.sandbox.intercom.searching import page, search
from reverse_etl.sandbox.intercom.showing import show_contact, show_tag
from reverse_etl.sandbox.intercom.workspace import Contact, Shown

if TYPE_CHECKING:
    from reverse_etl.sandbox.intercom.standin import Intercom


class ContactCalls:
    """Each takes the request, its JSON and its fault, and returns what is answered with 200."""

    def __init__(self, intercom: Intercom) -> None:
        self._intercom = intercom

    def every(self, request: Request, _sent: Shown, _fault: Action | None) -> Shown:
        """All contacts that are not archived, page by page."""
        held = self._intercom.workspace
        found = [show_contact(held, each) for each in held.contacts.values() if not each.is_archived]
        return page(found, dict(request.query_params))

    def create(self, _request: Request, sent: Shown, fault: Action | None) -> Shown:
        """A new contact, or 409."""
        intercom = self._intercom
        made = contacts.created(intercom.workspace, sent, intercom.settings, intercom.clock.now(), fault)
        return show_contact(intercom.workspace, made)

    def search(self, _request: Request, sent: Shown, _fault: Action | None) -> Shown:
        """Contacts as they were a while ago."""
        intercom = self._intercom
        return search(intercom.workspace, sent, intercom.clock.now(), intercom.settings.search_lag_s)

    def find(self, request: Request, _sent: Shown, _fault: Action | None) -> Shown:
        """The user of an external id, at once."""
        contact = self._intercom.workspace.by_external_id.get(request.path_params["external_id"])
        if contact is None or contact.is_archived:
            raise not_found()
        return show_contact(self._intercom.workspace, contact)

    def show(self, request: Request, _sent: Shown, _fault: Action | None) -> Shown:
        """One contact."""
        return show_contact(self._intercom.workspace, self._contact(request))

    def update(self, request: Request, sent: Shown, fault: Action | None) -> Shown:
        """Changes what was sent alone."""
        intercom = self._intercom
        contact_id = request.path_params["contact_id"]
        now = intercom.clock.now()
        changed = contacts.updated(intercom.workspace, contact_id, sent, intercom.settings, now, fault)
        return show_contact(intercom.workspace, changed)

    def delete(self, request: Request, _sent: Shown, _fault: Action | None) -> Shown:
        """Deletes for good; its external id is free again."""
        contact = self._contact(request, archived=True)
        self._intercom.workspace.remove(contact)
        return {**_named(contact), "deleted": True}

    def archive(self, request: Request, _sent: Shown, _fault: Action | None) -> Shown:
        """Puts away; its external id stays taken."""
        contact = self._contact(request, archived=True)
        contact.is_archived = True
        return {**_named(contact), "archived": True}

    def unarchive(self, request: Request, _sent: Shown, _fault: Action | None) -> Shown:
        """Brings back."""
        contact = self._contact(request, archived=True)
        contact.is_archived = False
        return {**_named(contact), "archived": False}

    def tags(self, request: Request, _sent: Shown, _fault: Action | None) -> Shown:
        """A contact's tags, with the time since when it has each."""
        held = self._intercom.workspace.tags
        contact = self._contact(request)
        return {"type": "list", "data": [show_tag(held[tag_id], at) for tag_id, at in contact.tags.items()]}

    def tag(self, request: Request, sent: Shown, _fault: Action | None) -> Shown:
        """Puts a tag of Intercom's id on a contact."""
        contact = self._contact(request)
        tag = self._intercom.workspace.tags.get(str(sent.get("id")))
        if tag is None:
            raise NotAllowed(404, "not_found", "Resource Not Found")
        self._changed(contact)
        at = contact.tags.setdefault(tag.id, int(self._intercom.clock.now()))
        return show_tag(tag, at)

    def untag(self, request: Request, _sent: Shown, _fault: Action | None) -> Shown:
        """Takes a tag off a contact."""
        contact = self._contact(request)
        tag = self._intercom.workspace.tags.get(request.path_params["tag_id"])
        if tag is None or tag.id not in contact.tags:
            raise NotAllowed(404, "not_found", "Resource Not Found")
        self._changed(contact)
        return show_tag(tag, contact.tags.pop(tag.id))

    def every_tag(self, _request: Request, _sent: Shown, _fault: Action | None) -> Shown:
        """All tags."""
        return {"type": "list", "data": [show_tag(tag) for tag in self._intercom.workspace.tags.values()]}

    def _contact(self, request: Request, *, archived: bool = False) -> Contact:
        return contacts.existing(self._intercom.workspace, request.path_params["contact_id"], archived=archived)

    def _changed(self, contact: Contact) -> None:
        contacts.reindex(self._intercom.workspace, contact, self._intercom.settings, self._intercom.clock.now())


def _named(contact: Contact) -> Shown:
    return {"type": "contact", "id": contact.id, "external_id": contact.external_id}
