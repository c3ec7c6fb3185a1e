"""Who an identify means, and what it may change. Everything here happens after the request was answered with 200.

Documented: an ``id`` sent with a known e-mail address updates that person; identifiers that belong to different people,
or that are set already, end as a failed attribute change; only ``cio_id`` may change an identifier (or a workspace's
setting, here ``change_email_by_id``); an unknown ``cio_id`` is dropped; ``_update`` for an unknown person does nothing;
whatever names a suppressed person is ignored; ``timestamp`` orders competing updates.

Inferred: such a failure leaves the whole update undone; null and ``""`` clear a person's attribute and leave an
identifier as it is; an attribute without a timestamp counts as changed on receipt.
"""

from __future__ import annotations

import re
from typing import Any

from reverse_etl.sandbox.customerio.records import Attributes, Person
from reverse_etl.sandbox.customerio.workspace import Workspace

MAX_ATTRIBUTES = 300

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_EMAIL = re.compile(rf'(?:{_ATOM}(?:\.{_ATOM})*|"(?:[ !#-\[\]-~]|\\[ -~])*")@{_LABEL}(?:\.{_LABEL})+')


def is_email(value: Any) -> bool:
    """Whether a value is an e-mail address of RFC 5322: ASCII, a domain with a dot."""
    return isinstance(value, str) and len(value) <= 254 and _EMAIL.fullmatch(value) is not None


def identify(
    workspace: Workspace, kind: str, value: str, attributes: Attributes, *, timestamp: float | None, now: int
) -> Person | None:
    """Creates or updates the person; None where nothing was done, which the activities then show.

    ``kind`` is ``id``, ``email`` or ``cio_id``. ``attributes`` are handed over: the caller does not use them again.
    ``timestamp``, in Unix seconds, is when the change was made; None for now.
    """
    update_only = "_update" in attributes and is_true(attributes.pop("_update"))
    person = workspace.find(kind, value)
    new_id = attributes.pop("id", None) or (value if kind == "id" else None)
    new_email = attributes.pop("email", None) or (value if kind == "email" else None)
    if workspace.suppressed and is_suppressed(workspace, kind, value, new_id, new_email):
        refuse_change(workspace, (kind, value), person, now, "person is suppressed")
        return None
    if person is None or (new_id and new_id != person.id) or (new_email and new_email != person.email):
        person, reason, field = _settle(workspace, person, (kind, value), new_id, new_email)
        if reason:
            refuse_change(workspace, (kind, value), person, now, reason, field)
            return None
    if person is None and update_only:
        workspace.log.refuse("skipped_update", {kind: value}, now, "person does not exist")
        return None
    if person is not None and _is_too_much(person, attributes):
        refuse_change(workspace, (kind, value), person, now, "person has more than 300 attributes")
        return None
    workspace.changes += 1
    if person is None:
        person = workspace.add_person(new_id, new_email, now)
        workspace.log.add("profile_create", person, now, {"attributes": len(attributes)})
    else:
        if new_id and new_id != person.id:
            workspace.set_id(person, new_id)
        if new_email and new_email != person.email:
            workspace.set_email(person, new_email)
        workspace.log.add("attribute_change", person, now, {"attributes": len(attributes)})
    _merge(person, attributes, timestamp, now)
    return person


def known_person(workspace: Workspace, kind: str, value: str, failed: str, now: int) -> Person | None:
    """The person an event or a relationship names, created where the workspace does so.

    None where no person can be meant, recorded as an activity of type ``failed``.
    """
    person = workspace.find(kind, value)
    if person is not None:
        return person
    if workspace.suppressed and workspace.is_suppressed(kind, value):
        reason = "person is suppressed"
    elif kind == "cio_id" or not workspace.settings.create_missing:
        reason = "person does not exist"
    elif kind == "email" and not is_email(value):
        reason = "email address is invalid"
    else:
        return identify(workspace, kind, value, {}, timestamp=None, now=now)
    workspace.log.refuse(failed, {kind: value}, now, reason)
    return None


def refuse_change(
    workspace: Workspace, sent: tuple[str, str], person: Person | None, now: int, reason: str, field: str = ""
) -> None:
    """Records that an accepted change of a person was not made."""
    workspace.log.refuse("failed_attribute_change", dict([sent]), now, reason, person=person, field=field)


def is_suppressed(workspace: Workspace, kind: str, value: str, new_id: Any = None, new_email: Any = None) -> bool:
    """Whether any identifier that a request names is blocked."""
    blocked = workspace.is_suppressed
    return (
        blocked(kind, value)
        or (isinstance(new_id, str) and blocked("id", new_id))
        or (isinstance(new_email, str) and blocked("email", new_email))
    )


def is_true(value: Any) -> bool:
    """Whether a flag is set: true, 1, or either as text in any case."""
    return value is True or value == 1 or (isinstance(value, str) and value.lower() in {"true", "1"})


def _settle(
    workspace: Workspace, person: Person | None, sent: tuple[str, str], new_id: Any, new_email: Any
) -> tuple[Person | None, str, str]:
    """The person to change, else null for a new one; then, where it may not be, the reason and the field."""
    kind, value = sent
    if kind == "cio_id" and person is None:
        return None, "cio_id does not exist", "cio_id"
    if new_email and not is_email(new_email):
        return person, "email address is invalid", "email"
    id_owner = workspace.by_id.get(new_id) if new_id else None
    email_owner = workspace.by_email.get(new_email.lower()) if new_email else None
    if person is None:
        if (new_id if kind == "id" else new_email.lower()) != (value if kind == "id" else value.lower()):
            return None, "identifiers do not match", kind
        other = email_owner if kind == "id" else id_owner
        if other is not None and (other.id if kind == "id" else other.email) is None:
            person = other
    if new_id and id_owner is not person:
        if id_owner is not None:
            return person, "id belongs to another person", "id"
        if person is not None and person.id is not None and kind != "cio_id":
            return person, "id is set already", "id"
    if new_email and email_owner is not person:
        if email_owner is not None:
            return person, "email belongs to another person", "email"
        may_change = kind == "cio_id" or (kind == "id" and workspace.settings.change_email_by_id)
        if person is not None and person.email is not None and not may_change:
            return person, "email is set already", "email"
    return person, "", ""


def _is_too_much(person: Person, attributes: Attributes) -> bool:
    held = person.attributes
    many = len(held) + len(attributes) > MAX_ATTRIBUTES
    return many and len(held.keys() | attributes.keys()) > MAX_ATTRIBUTES


def _merge(person: Person, attributes: Attributes, timestamp: float | None, now: int) -> None:
    held = person.attributes
    if timestamp is not None or person.changed_at is not None:
        attributes = _in_time(person, attributes, now if timestamp is None else timestamp)
    if timestamp is None:
        person.updated_at = now
    values = attributes.values()
    if None in values or "" in values:
        for name, value in attributes.items():
            if value is None or value == "":
                held.pop(name, None)
            else:
                held[name] = value
    elif held:
        held.update(attributes)
    else:
        person.attributes = attributes


def _in_time(person: Person, attributes: Attributes, timestamp: float) -> Attributes:
    """The attributes that no later update has changed already; their times are noted."""
    if person.changed_at is None:
        person.changed_at = dict.fromkeys(person.attributes, person.updated_at)
    changed_at = person.changed_at
    current = {name: value for name, value in attributes.items() if timestamp >= changed_at.get(name, timestamp)}
    changed_at.update(dict.fromkeys(current, timestamp))
    return current
