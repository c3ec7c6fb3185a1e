"""Track v2's operations on people, done to the workspace once an item is found valid; objects are in ``objects``.

Documented: an event with an ``id`` seen before is dropped; merging needs an existing primary and deletes the secondary;
suppressing deletes the profile and blocks its identifiers. Inferred: which activities are recorded; and, a switch
(``create_missing``), that an event creates the person it names.
"""

from __future__ import annotations

from typing import Any

from reverse_etl.sandbox.customerio import identity, objects
from reverse_etl.sandbox.customerio.records import Event, Person, Problem
from reverse_etl.sandbox.customerio.workspace import Workspace

Item = dict[str, Any]


def apply(workspace: Workspace, item: Item, now: int) -> Problem | None:
    """Does one valid item; a problem only where the workspace is set to refuse suppressed people in the answer."""
    action = item["action"]
    if item["type"] == "object":
        return objects.apply(workspace, item, now)
    if action == "merge":
        _merge(workspace, item["primary"], item["secondary"], now)
        return None
    ((kind, value),) = item["identifiers"].items()
    if workspace.suppressed and workspace.settings.suppressed == "error" and action != "unsuppress":
        attributes = item.get("attributes", {}) if action == "identify" else {}
        if identity.is_suppressed(workspace, kind, value, attributes.get("id"), attributes.get("email")):
            return Problem("suppressed", f"identifiers.{kind}", "person is suppressed")
    if action == "identify":
        person = identity.identify(
            workspace, kind, value, item.get("attributes", {}), timestamp=item.get("timestamp"), now=now
        )
        if person is not None and "cio_relationships" in item:
            objects.relate_person(workspace, person, item["cio_relationships"], now)
        return None
    _ACTIONS[action](workspace, kind, value, item, now)
    return None


def add_event(workspace: Workspace, kind: str, value: str, item: Item, now: int) -> None:
    """Keeps an event, screen or page of a person."""
    person = identity.known_person(workspace, kind, value, "failed_event", now)
    if person is None:
        return
    event = Event(
        id=item.get("id"),
        name=item["name"],
        timestamp=now if item.get("timestamp") is None else item["timestamp"],
        person=person,
        attributes=item.get("attributes", {}),
        kind=item.get("action", "event"),
    )
    if workspace.add_event(event):
        workspace.changes += 1
        workspace.log.add(event.kind, person, now, {}, event.name)


def delete_person(workspace: Workspace, kind: str, value: str, _item: Item, now: int) -> None:
    """Deletes a person; nothing happens where there is none."""
    person = workspace.find(kind, value)
    if person is not None:
        workspace.changes += 1
        workspace.remove_person(person)
        workspace.log.add("profile_delete", person, now, {})


def suppress(workspace: Workspace, kind: str, value: str, _item: Item, now: int) -> None:
    """Deletes a person for good and blocks their identifiers; an identifier that no person has is blocked too."""
    person = workspace.find(kind, value)
    workspace.changes += 1
    workspace.suppress([(kind, value)], now)
    workspace.log.add("profile_delete", person, now, {"suppressed": True})


def unsuppress(workspace: Workspace, kind: str, value: str, _item: Item, _now: int) -> None:
    """Frees an identifier."""
    workspace.changes += 1
    workspace.unsuppress(kind, value)


def merge(workspace: Workspace, primary: Person, secondary: Person, now: int) -> None:
    """Moves to ``primary`` what it does not have itself, and deletes ``secondary``."""
    workspace.changes += 1
    primary.attributes = {**secondary.attributes, **primary.attributes}
    for held, attributes in list((secondary.relationships or {}).items()):
        if workspace.relate(primary, held):
            held.relationships[primary].update(attributes)
    for segment in workspace.segments_of(secondary):
        segment.members[primary] = None
    for event in workspace.events:
        if event.person is secondary:
            event.person = primary
    new_id, new_email = secondary.id, secondary.email
    workspace.remove_person(secondary)
    if primary.id is None and new_id is not None:
        workspace.set_id(primary, new_id)
    if primary.email is None and new_email is not None:
        workspace.set_email(primary, new_email)
    workspace.log.add("profile_merge", primary, now, {"secondary": secondary.identifiers()})


def _merge(workspace: Workspace, primary: dict[str, str], secondary: dict[str, str], now: int) -> None:
    ((kind, value),) = primary.items()
    ((other_kind, other_value),) = secondary.items()
    kept, merged = workspace.find(kind, value), workspace.find(other_kind, other_value)
    if kept is None or merged is None or kept is merged:
        which = "primary" if kept is None else "secondary"
        reason = "primary and secondary are one person" if kept and kept is merged else f"{which} does not exist"
        workspace.log.refuse("failed_profile_merge", primary, now, reason, person=kept)
        return
    merge(workspace, kept, merged, now)


def _add_device(workspace: Workspace, kind: str, value: str, item: Item, now: int) -> None:
    person = identity.known_person(workspace, kind, value, "failed_attribute_change", now)
    if person is not None:
        workspace.changes += 1
        person.devices = {**(person.devices or {}), item["device"]["token"]: item["device"]}


def _delete_device(workspace: Workspace, kind: str, value: str, item: Item, _now: int) -> None:
    person = workspace.find(kind, value)
    if person is not None and person.devices:
        workspace.changes += 1
        person.devices.pop(item["device"]["token"], None)


def _add_relationships(workspace: Workspace, kind: str, value: str, item: Item, now: int) -> None:
    person = identity.known_person(workspace, kind, value, "relationship_failed_attribute_change", now)
    if person is not None:
        objects.relate_person(workspace, person, item["cio_relationships"], now)


def _delete_relationships(workspace: Workspace, kind: str, value: str, item: Item, now: int) -> None:
    person = workspace.find(kind, value)
    if person is not None:
        objects.unrelate_person(workspace, person, item["cio_relationships"], now)


_ACTIONS = {
    "event": add_event,
    "screen": add_event,
    "page": add_event,
    "delete": delete_person,
    "suppress": suppress,
    "unsuppress": unsuppress,
    "add_device": _add_device,
    "delete_device": _delete_device,
    "add_relationships": _add_relationships,
    "delete_relationships": _delete_relationships,
}
