"""The contents of one workspace, and who is found under which key. Whether a change is allowed is decided elsewhere."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any, Final

from reverse_etl.sandbox.intercom.attributes import Attribute, first_attributes

WINDOW_S: Final = 10
APP_ID: Final = "sandbox"
Shown = dict[str, Any]


@dataclass(slots=True)
class Contact:
    """A user or a lead.

    Attributes:
        fields: ``email, phone, name, signed_up_at`` and the like, as they were sent.
        indexed: What a search sees while the latest change is younger than the lag; None: nothing.
        changed_at: Unix seconds of that change.
    """

    id: str
    role: str
    external_id: str | None
    created_at: int
    updated_at: int
    fields: dict[str, Any] = field(default_factory=dict)
    custom_attributes: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, int] = field(default_factory=dict)
    companies: dict[str, None] = field(default_factory=dict)
    is_archived: bool = False
    indexed: Shown | None = None
    changed_at: float = 0.0

    @property
    def email(self) -> str | None:
        """The e-mail address; it need not be this contact's alone."""
        email: str | None = self.fields.get("email")
        return email


@dataclass(slots=True)
class Company:
    """A company; nobody sees it until a contact is attached."""

    id: str
    company_id: str
    created_at: int
    updated_at: int
    fields: dict[str, Any] = field(default_factory=dict)
    custom_attributes: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, None] = field(default_factory=dict)
    contacts: dict[str, None] = field(default_factory=dict)


@dataclass(slots=True)
class Tag:
    """A tag."""

    id: str
    name: str


class IntercomWorkspace:
    """Everything a workspace holds."""

    def __init__(self) -> None:
        self.contacts: dict[str, Contact] = {}
        self.by_external_id: dict[str, Contact] = {}
        self.by_email: dict[str, dict[str, Contact]] = {}
        self.companies: dict[str, Company] = {}
        self.by_company_id: dict[str, Company] = {}
        self.tags: dict[str, Tag] = {}
        self.attributes: dict[tuple[str, str], Attribute] = first_attributes()
        self.window = -1
        self.calls = 0

    def add_contact(self, role: str, external_id: str | None, now: int) -> Contact:
        """A new contact; the caller has made sure that its external id is not taken."""
        contact = Contact(new_id(), role, external_id, now, now)
        self.contacts[contact.id] = contact
        if external_id is not None:
            self.by_external_id[external_id] = contact
        return contact

    def set_external_id(self, contact: Contact, external_id: str | None) -> None:
        """Gives a contact an external id that is not taken."""
        if contact.external_id is not None:
            self.by_external_id.pop(contact.external_id, None)
        contact.external_id = external_id
        if external_id is not None:
            self.by_external_id[external_id] = contact

    def set_email(self, contact: Contact, email: str | None) -> None:
        """Gives a contact an e-mail address, which others may have too."""
        self._forget_email(contact)
        contact.fields["email"] = email
        if email is not None:
            self.by_email.setdefault(email.lower(), {})[contact.id] = contact

    def of_email(self, email: str) -> list[Contact]:
        """Users and leads of an e-mail address, oldest first."""
        return list(self.by_email.get(email.lower(), {}).values())

    def remove(self, contact: Contact) -> None:
        """Deletes a contact for good."""
        self._forget_email(contact)
        if contact.external_id is not None:
            self.by_external_id.pop(contact.external_id, None)
        for company_id in contact.companies:
            self.companies[company_id].contacts.pop(contact.id, None)
        del self.contacts[contact.id]

    def add_company(self, company_id: str, now: int) -> Company:
        """A new company; the caller has made sure that there is none of its id."""
        company = Company(new_id(), company_id, now, now)
        self.companies[company.id] = company
        self.by_company_id[company_id] = company
        return company

    def tag_of(self, name: str) -> Tag:
        """The tag of a name, whatever its case, made if need be."""
        found = next((tag for tag in self.tags.values() if tag.name.lower() == name.lower()), None)
        if found is None:
            found = Tag(str(len(self.tags) + 1), name)
            self.tags[found.id] = found
        return found

    def call(self, now: float) -> int:
        """Counts a call; how many there are in these ten seconds."""
        window = int(now // WINDOW_S)
        if window != self.window:
            self.window, self.calls = window, 0
        self.calls += 1
        return self.calls

    def _forget_email(self, contact: Contact) -> None:
        if contact.email is not None:
            self.by_email.get(contact.email.lower(), {}).pop(contact.id, None)


def new_id() -> str:
    """An id as Intercom gives them: 24 hexadecimal digits."""
    return secrets.token_hex(12)
