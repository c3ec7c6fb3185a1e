"""How ``/_sandbox/...`` shows each record, and which of its texts a search looks through."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reverse_etl.sandbox.customerio.records import Activity, CustomObject, Event, Person, Segment

Shown = dict[str, Any]


def show_person(person: Person) -> Shown:
    """A person with attributes."""
    return {"cio_id": person.cio_id, "id": person.id, "email": person.email, "attributes": person.attributes}


def show_object(held: CustomObject, type_names: dict[str, str]) -> Shown:
    """An object with attributes and the number of people related to it."""
    return {
        "object_type_id": held.type_id,
        "object_id": held.id,
        "attributes": held.attributes,
        "cio_object_id": held.cio_id,
        "object_type": type_names.get(held.type_id, held.type_id),
        "people": len(held.relationships),
    }


def show_relationship(held: CustomObject, person: Person, attributes: dict[str, Any]) -> Shown:
    """A relationship, from its object's side."""
    return {
        "object_type_id": held.type_id,
        "object_id": held.id,
        "person": {"id": person.id, "email": person.email, "cio_id": person.cio_id},
        "attributes": attributes,
    }


def show_event(event: Event) -> Shown:
    """An event; ``id`` is null where none was sent."""
    return {
        "id": event.id,
        "name": event.name,
        "timestamp": event.timestamp,
        "person": {"id": event.person.id, "email": event.person.email, "cio_id": event.person.cio_id},
        "attributes": event.attributes,
        "type": event.kind,
    }


def show_segment(segment: Segment, *, whole: bool) -> Shown:
    """A segment with its people, or with their number alone."""
    shown: Shown = {"id": segment.id, "name": segment.name, "type": segment.type, "count": len(segment.members)}
    return {**shown, "people": [person.identifiers() for person in segment.members]} if whole else shown


def show_activity(activity: Activity) -> Shown:
    """An activity with the person's identifiers as they are now, else as they were sent."""
    identifiers = activity.sent_identifiers if activity.person is None else activity.person.identifiers()
    return {
        "id": f"{activity.number:026d}",
        "type": activity.type,
        "name": activity.name,
        "timestamp": activity.timestamp,
        "customer_id": identifiers.get("id") or identifiers.get("cio_id"),
        "customer_identifiers": identifiers,
        "sent_identifiers": activity.sent_identifiers,
        "data": activity.data,
    }


def person_texts(person: Person) -> Iterator[Any]:
    """What is searched of a person."""
    yield from person.identifiers().values()
    yield from person.attributes.values()


def object_texts(held: CustomObject) -> Iterator[Any]:
    """What is searched of an object."""
    yield held.id
    yield from held.attributes.values()


def event_texts(event: Event) -> Iterator[Any]:
    """What is searched of an event."""
    yield event.name
    yield event.id
    yield from event.person.identifiers().values()
    yield from event.attributes.values()


def segment_texts(segment: Segment) -> Iterator[Any]:
    """What is searched of a segment."""
    yield segment.name


def activity_texts(activity: Activity) -> Iterator[Any]:
    """What is searched of an activity."""
    yield activity.type
    yield activity.name
    yield from activity.data.values()
    yield from activity.sent_identifiers.values()
    if activity.person is not None:
        yield from activity.person.identifiers().values()
