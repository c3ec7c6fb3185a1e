"""Contacts: who is somebody already, and what may be written about them.

Documented: one of e-mail, external id, role; that leads have no external id; 200 and 404. Seen with clients: the 409
and its text, that several users can share an e-mail address. Inferred: that an archived contact is not found, and that
an e-mail address alone is a match for any user who has it.
"""

from __future__ import annotations

from typing import Any, Final

from reverse_etl.sandbox.faults import Action
from reverse_etl.sandbox.intercom.answers import NotAllowed, not_found
from reverse_etl.sandbox.intercom.attributes import checked
from reverse_etl.sandbox.intercom.settings import IntercomSettings
from reverse_etl.sandbox.intercom.showing import show_contact
from reverse_etl.sandbox.intercom.workspace import Contact, IntercomWorkspace, Shown

_TEXTS: Final = ("email", "phone", "name", "external_id", "avatar")
_TIMES: Final = ("signed_up_at", "last_seen_at")
_PLAIN: Final = ("phone", "name", "signed_up_at", "last_seen_at", "owner_id", "unsubscribed_from_emails")
_LATEST_TIME: Final = 100_000_000_000


def created(
    workspace: IntercomWorkspace, sent: Shown, settings: IntercomSettings, now: float, fault: Action | None
) -> Contact:
    """A new contact.

    Raises:
        NotAllowed: It exists already, or what was sent is not right.
    """
    external_id, email = sent.get("external_id"), sent.get("email")
    if not (external_id or email or sent.get("role")):
        raise NotAllowed(400, "parameter_not_found", "one of email, external_id or role must be specified")
    _check(sent)
    role = sent.get("role") or "user"
    if role == "lead" and external_id:
        raise NotAllowed(400, "parameter_invalid", "external_id cannot be set for a lead")
    custom = checked(workspace.attributes, "contact", sent.get("custom_attributes"), settings)
    same = _same(workspace, role, external_id, email)
    if same is not None:
        raise conflict(same, fault)
    contact = workspace.add_contact(role, external_id or None, int(now))
    write(workspace, contact, sent, custom, now)
    contact.changed_at = now
    return contact


def updated(
    workspace: IntercomWorkspace,
    contact_id: str,
    sent: Shown,
    settings: IntercomSettings,
    now: float,
    fault: Action | None,
) -> Contact:
    """A contact with what was sent changed, and the rest as it was.

    Raises:
        NotAllowed: There is none, another one has that external id, or what was sent is not right.
    """
    contact = existing(workspace, contact_id)
    _check(sent)
    role = sent.get("role") or contact.role
    external_id = sent.get("external_id", contact.external_id)
    if role == "lead" and sent.get("external_id"):
        raise NotAllowed(400, "parameter_invalid", "external_id cannot be set for a lead")
    custom = checked(workspace.attributes, "contact", sent.get("custom_attributes"), settings)
    other = workspace.by_external_id.get(external_id or "")
    if other is not None and other is not contact:
        raise conflict(other, fault)
    reindex(workspace, contact, settings, now)
    contact.role = role
    if external_id != contact.external_id:
        workspace.set_external_id(contact, external_id or None)
    write(workspace, contact, sent, custom, now)
    return contact


def existing(workspace: IntercomWorkspace, contact_id: str, *, archived: bool = False) -> Contact:
    """The contact of Intercom's id.

    Raises:
        NotAllowed: There is none, or it is archived and may not be.
    """
    contact = workspace.contacts.get(contact_id)
    if contact is None or (contact.is_archived and not archived):
        raise not_found()
    return contact


def reindex(workspace: IntercomWorkspace, contact: Contact, settings: IntercomSettings, now: float) -> None:
    """Before a change: lets searches see what was there, until they see the change."""
    if now - contact.changed_at >= settings.search_lag_s:
        contact.indexed = show_contact(workspace, contact)
    contact.changed_at = now


def conflict(contact: Contact, fault: Action | None) -> NotAllowed:
    """A 409; where a fault wants it, without the id."""
    which = "An archived contact" if contact.is_archived else "A contact"
    text = f"{which} matching those details already exists"
    if fault is None or fault.own != "conflict_without_id":
        text += f" with id={contact.id}"
    return NotAllowed(409, "conflict", text)


def write(workspace: IntercomWorkspace, contact: Contact, sent: Shown, custom: dict[str, Any], now: float) -> None:
    """Keeps what was sent and checked."""
    for name in _PLAIN:
        if name in sent:
            contact.fields[name] = sent[name]
    if "email" in sent:
        workspace.set_email(contact, sent["email"] or None)
    for name, value in custom.items():
        if value is None:
            contact.custom_attributes.pop(name, None)
        else:
            contact.custom_attributes[name] = value
    contact.updated_at = int(now)


def _same(workspace: IntercomWorkspace, role: str, external_id: str | None, email: str | None) -> Contact | None:
    """Whom a contact to be made would be a twin of."""
    if role == "lead":
        return None
    if external_id:
        if external_id in workspace.by_external_id:
            return workspace.by_external_id[external_id]
        users = (each for each in workspace.of_email(email or "") if each.role == "user")
        return next((each for each in users if each.external_id is None), None)
    return next((each for each in workspace.of_email(email or "") if each.role == "user"), None)


def _check(sent: Shown) -> None:
    for name in _TEXTS:
        if sent.get(name) is not None and not isinstance(sent[name], str):
            raise NotAllowed(400, "parameter_invalid", f"{name} is invalid")
    email = sent.get("email")
    if email and ("@" not in email[1:-1] or " " in email):
        raise NotAllowed(400, "parameter_invalid", "email is invalid")
    if sent.get("role") not in (None, "user", "lead"):
        raise NotAllowed(400, "parameter_invalid", "role must be one of user, lead")
    for name in _TIMES:
        value = sent.get(name)
        if value is not None and not (type(value) is int and 0 <= value < _LATEST_TIME):
            raise NotAllowed(400, "parameter_invalid", f"{name} must be in Unix seconds")
    if sent.get("owner_id") is not None and type(sent["owner_id"]) is not int:
        raise NotAllowed(400, "parameter_invalid", "owner_id is invalid")
