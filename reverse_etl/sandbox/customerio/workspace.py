"""The contents of one workspace and who is found under which identifier.

Other modules decide whether a change is allowed.

A person is found by ``id``, by ``email`` without regard to case, and by ``cio_id``; an object by type and id or by its
``cio_object_id``. The indexes here are the only ones, so nothing else adds or removes a record.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable
from typing import Literal

from reverse_etl.sandbox.customerio.activity_log import ActivityLog
from reverse_etl.sandbox.customerio.records import CustomObject, Event, Person, Segment
from reverse_etl.sandbox.customerio.settings import SandboxSettings

SegmentType = Literal["manual", "dynamic"]


def now_s() -> int:
    """Unix seconds."""
    return int(time.time())


class Workspace:
    """Everything a workspace holds. One thread only: the server's event loop."""

    def __init__(self, settings: SandboxSettings) -> None:
        self.settings = settings
        self.object_types = settings.object_type_names()
        self.changes = 0
        self.clear()

    def clear(self) -> None:
        """Forgets everything, the identifiers given out included: an empty workspace is another one."""
        self.environment_id = secrets.randbelow(2**47) + 2**47
        self.people: dict[str, Person] = {}
        self.by_id: dict[str, Person] = {}
        self.by_email: dict[str, Person] = {}
        self.objects: dict[tuple[str, str], CustomObject] = {}
        self.objects_by_cio_id: dict[str, CustomObject] = {}
        self.events: list[Event] = []
        self.event_ids: set[str] = set()
        self.segments: dict[int, Segment] = {}
        self.suppressed: dict[tuple[str, str], int] = {}
        self.log = ActivityLog(self.settings.activities_kept)
        self.relationship_count = 0
        self.people_made = 0
        self.objects_made = 0
        self.segments_made = 0
        self.changes += 1

    def find(self, kind: str, value: str) -> Person | None:
        """The person under an identifier: kind ``id``, ``email`` or ``cio_id``."""
        if kind == "id":
            return self.by_id.get(value)
        if kind == "email":
            return self.by_email.get(value.lower())
        return self.people.get(value)

    def add_person(self, person_id: str | None, email: str | None, now: int) -> Person:
        """A new person; the caller has made sure that neither identifier is taken."""
        self.people_made += 1
        person = Person(f"a3{self.people_made:06x}", person_id, email, {}, now, now)
        self.index_person(person)
        return person

    def index_person(self, person: Person) -> None:
        """Makes a person findable under the identifiers it has."""
        self.people[person.cio_id] = person
        if person.id is not None:
            self.by_id[person.id] = person
        if person.email is not None:
            self.by_email[person.email.lower()] = person

    def set_id(self, person: Person, person_id: str) -> None:
        """Gives a person an id that is not taken."""
        if person.id is not None:
            del self.by_id[person.id]
        person.id = person_id
        self.by_id[person_id] = person

    def set_email(self, person: Person, email: str) -> None:
        """Gives a person an e-mail address that is not taken."""
        if person.email is not None:
            del self.by_email[person.email.lower()]
        person.email = email
        self.by_email[email.lower()] = person

    def remove_person(self, person: Person) -> None:
        """Removes a person with their relationships and memberships; their events stay."""
        del self.people[person.cio_id]
        if person.id is not None:
            del self.by_id[person.id]
        if person.email is not None:
            del self.by_email[person.email.lower()]
        for held in list(person.relationships or ()):
            self.unrelate(person, held)
        for segment in self.segments.values():
            segment.members.pop(person, None)

    def add_object(self, type_id: str, object_id: str, now: int) -> CustomObject:
        """A new object; the caller has made sure that there is none."""
        self.objects_made += 1
        made = CustomObject(type_id, object_id, f"ob{self.objects_made:06x}", {}, now, now)
        self.index_object(made)
        return made

    def index_object(self, held: CustomObject) -> None:
        """Makes an object findable."""
        self.objects[(held.type_id, held.id)] = held
        self.objects_by_cio_id[held.cio_id] = held

    def remove_object(self, held: CustomObject) -> None:
        """Removes an object and its relationships."""
        for person in list(held.relationships):
            self.unrelate(person, held)
        del self.objects[(held.type_id, held.id)]
        del self.objects_by_cio_id[held.cio_id]

    def relate(self, person: Person, held: CustomObject) -> bool:
        """Makes sure that the two are related; True when they were not."""
        if person in held.relationships:
            return False
        attributes = held.relationships[person] = {}
        if person.relationships is None:
            person.relationships = {}
        person.relationships[held] = attributes
        self.relationship_count += 1
        return True

    def unrelate(self, person: Person, held: CustomObject) -> bool:
        """Ends a relationship; True when there was one."""
        if held.relationships.pop(person, None) is None:
            return False
        if person.relationships is not None:
            del person.relationships[held]
        self.relationship_count -= 1
        return True

    def add_event(self, event: Event) -> bool:
        """Keeps an event; False when one with its id is there already."""
        if event.id is not None:
            if event.id in self.event_ids:
                return False
            self.event_ids.add(event.id)
        self.events.append(event)
        return True

    def add_segment(self, name: str, description: str, now: int, kind: SegmentType = "manual") -> Segment:
        """A new, empty segment; names need not be unique."""
        self.segments_made += 1
        segment = Segment(self.segments_made, name, description, now, now, kind)
        self.segments[segment.id] = segment
        return segment

    def segments_of(self, person: Person) -> list[Segment]:
        """The segments a person is in, in the order of their ids."""
        return [segment for segment in self.segments.values() if person in segment.members]

    def suppress(self, identifiers: Iterable[tuple[str, str]], now: int) -> None:
        """Blocks identifiers, and deletes whoever is found under one, blocking all identifiers of theirs too."""
        for kind, value in list(identifiers):
            person = self.find(kind, value)
            self._block(kind, value, now)
            if person is not None:
                if person.id is not None:
                    self._block("id", person.id, now)
                if person.email is not None:
                    self._block("email", person.email, now)
                self.remove_person(person)

    def unsuppress(self, kind: str, value: str) -> None:
        """Frees one identifier; the person does not come back."""
        self.suppressed.pop((kind, value.lower() if kind == "email" else value), None)

    def is_suppressed(self, kind: str, value: str) -> bool:
        """Whether an identifier is blocked."""
        return (kind, value.lower() if kind == "email" else value) in self.suppressed

    def _block(self, kind: str, value: str, now: int) -> None:
        if kind != "cio_id":
            self.suppressed[(kind, value.lower() if kind == "email" else value)] = now

    def counts(self) -> dict[str, int]:
        """How much there is of everything, without counting through it."""
        return {
            "people": len(self.people),
            "objects": len(self.objects),
            "relationships": self.relationship_count,
            "events": len(self.events),
            "segments": len(self.segments),
            "suppressed": len(self.suppressed),
            "activities": self.log.count,
            "refused_activities": len(self.log.refusals),
        }
