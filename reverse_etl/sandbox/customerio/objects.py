"""Track v2's operations on objects, and relationships from either end.

Documented: null or ``""`` removes an attribute of an object or relationship; deleting an object removes its
relationships; ``cio_object_id`` only references an object that exists; at most 300 attributes, 100 kilobytes together.
Inferred, and switches: a relationship creates the person or object that it names (``create_missing``); an unknown
object type is refused in the answer (``unknown_object_type``), else here. Inferred: ``identify_anonymous``
only creates the object, as anonymous people are not kept.
"""

from __future__ import annotations

from typing import Any

from reverse_etl.sandbox.customerio import identity
from reverse_etl.sandbox.customerio.records import Attributes, CustomObject, Person, Problem
from reverse_etl.sandbox.customerio.workspace import Workspace
from reverse_etl.sandbox.exact_json import dumps

Item = dict[str, Any]
MAX_ATTRIBUTES = 300
MAX_KILOBYTES = 100


def apply(workspace: Workspace, item: Item, now: int) -> Problem | None:
    """Does one valid item of type ``object``; a problem only for a suppressed person who is to be refused."""
    action = item["action"]
    identifiers = item["identifiers"]
    if action == "delete":
        held = find_object(workspace, identifiers)
        if held is not None:
            workspace.changes += 1
            workspace.remove_object(held)
            workspace.log.add(f"_o:{held.type_id}:delete", None, now, {"object_id": held.id})
        return None
    relationships = item.get("cio_relationships", []) if action != "identify_anonymous" else []
    if action == "delete_relationships":
        held = find_object(workspace, identifiers)
        for relationship in relationships if held is not None else ():
            ((kind, value),) = relationship["identifiers"].items()
            person = workspace.find(kind, value)
            if person is not None:
                unrelate_person(workspace, person, [{"identifiers": identifiers}], now)
        return None
    if workspace.suppressed and workspace.settings.suppressed == "error":
        for place, relationship in enumerate(relationships):
            ((kind, value),) = relationship["identifiers"].items()
            if workspace.is_suppressed(kind, value):
                field = f"cio_relationships[{place}].identifiers.{kind}"
                return Problem("suppressed", field, "person is suppressed")
    create = action != "add_relationships" or workspace.settings.create_missing
    held = _object(workspace, identifiers, now, create=create)
    if held is None:
        return None
    if action == "identify":
        _change_object(workspace, held, item.get("attributes", {}), now)
    for relationship in relationships:
        ((kind, value),) = relationship["identifiers"].items()
        person = identity.known_person(workspace, kind, value, "relationship_failed_attribute_change", now)
        if person is not None:
            _relate(workspace, person, held, relationship.get("relationship_attributes"), now)
    return None


def relate_person(workspace: Workspace, person: Person, relationships: list[Item], now: int) -> None:
    """Relates a person to each object named, and changes the relationships' attributes."""
    for relationship in relationships:
        held = _object(workspace, relationship["identifiers"], now, create=workspace.settings.create_missing)
        if held is not None:
            _relate(workspace, person, held, relationship.get("relationship_attributes"), now)


def unrelate_person(workspace: Workspace, person: Person, relationships: list[Item], now: int) -> None:
    """Ends a person's relationships to the objects named, where there are any."""
    for relationship in relationships:
        held = find_object(workspace, relationship["identifiers"])
        if held is not None and workspace.unrelate(person, held):
            workspace.changes += 1
            data = {"object_type_id": held.type_id, "object_id": held.id}
            workspace.log.add("delete_relationship", person, now, data)


def find_object(workspace: Workspace, identifiers: dict[str, str]) -> CustomObject | None:
    """The object that identifiers name."""
    if "cio_object_id" in identifiers:
        return workspace.objects_by_cio_id.get(identifiers["cio_object_id"])
    return workspace.objects.get((identifiers["object_type_id"], identifiers["object_id"]))


def _object(workspace: Workspace, identifiers: dict[str, str], now: int, *, create: bool) -> CustomObject | None:
    """The object that identifiers name, created if it may be; None is recorded as a refused change."""
    held = find_object(workspace, identifiers)
    if held is not None:
        return held
    type_id = identifiers.get("object_type_id", "")
    if type_id in workspace.object_types and create:
        workspace.changes += 1
        held = workspace.add_object(type_id, identifiers["object_id"], now)
        workspace.log.add(f"_o:{type_id}:create", None, now, {"object_id": held.id})
        return held
    known = type_id in workspace.object_types or not type_id
    reason = "object does not exist" if known else "The specified Object Type does not exist."
    workspace.log.refuse(f"_o:{type_id}:failed_attribute_change", identifiers, now, reason)
    return None


def _change_object(workspace: Workspace, held: CustomObject, attributes: Attributes, now: int) -> None:
    merged = _merged(held.attributes, attributes)
    if len(merged) > MAX_ATTRIBUTES or len(dumps(merged)) > MAX_KILOBYTES * workspace.settings.kilobyte:
        sent = {"object_type_id": held.type_id, "object_id": held.id}
        reason = "object has more than 300 attributes or 100 kilobytes"
        workspace.log.refuse(f"_o:{held.type_id}:failed_attribute_change", sent, now, reason)
        return
    workspace.changes += 1
    held.attributes = merged
    held.updated_at = now
    workspace.log.add(f"_o:{held.type_id}:attribute_change", None, now, {"object_id": held.id})


def _relate(workspace: Workspace, person: Person, held: CustomObject, attributes: Attributes | None, now: int) -> None:
    workspace.changes += 1
    data = {"object_type_id": held.type_id, "object_id": held.id}
    if workspace.relate(person, held):
        workspace.log.add("add_relationship", person, now, data)
    if not attributes:
        return
    current = held.relationships[person]
    merged = _merged(current, attributes)
    if len(merged) > MAX_ATTRIBUTES or len(dumps(merged)) > MAX_KILOBYTES * workspace.settings.kilobyte:
        reason = "relationship has more than 300 attributes or 100 kilobytes"
        workspace.log.refuse(f"_r:{held.type_id}:failed_attribute_change", {**data}, now, reason, person=person)
        return
    current.clear()
    current.update(merged)
    workspace.log.add("relationship_attribute_change", person, now, data)


def _merged(held: Attributes, attributes: Attributes) -> Attributes:
    merged = {**held, **attributes}
    return {name: value for name, value in merged.items() if value is not None and value != ""}
