"""What a workspace holds: people, objects, events, segments, activities. Plain records without rules."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

Attributes = dict[str, Any]
Identifiers = dict[str, Any]


@dataclass(eq=False, slots=True)
class Person:
    """One profile. ``email`` keeps the spelling it was first given; it is found without regard to case.

    Attributes:
        attributes: Without ``id`` and ``email``.
        updated_at: Unix seconds of the last change that came without a timestamp of its own.
        changed_at: Unix seconds of each attribute's last change; None until a change came with a timestamp.
        relationships: Attributes of the relationship to each object; None until there is one.
    """

    cio_id: str
    id: str | None
    email: str | None
    attributes: Attributes
    created_at: int
    updated_at: int
    changed_at: dict[str, float] | None = None
    relationships: dict[CustomObject, Attributes] | None = None
    devices: dict[str, dict[str, Any]] | None = None

    def identifiers(self) -> Identifiers:
        """``cio_id``, ``id`` and ``email``; the last two may be null."""
        return {"cio_id": self.cio_id, "id": self.id, "email": self.email}


@dataclass(eq=False, slots=True)
class CustomObject:
    """One object; ``(type_id, id)`` is unique."""

    type_id: str
    id: str
    cio_id: str
    attributes: Attributes
    created_at: int
    updated_at: int
    relationships: dict[Person, Attributes] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class Event:
    """One event, screen or page view.

    Attributes:
        id: The sender's ULID; null where it sent none.
        timestamp: Unix seconds, as sent, else the time of receipt.
    """

    id: str | None
    name: str
    timestamp: float
    person: Person
    attributes: Attributes
    kind: str = "event"


@dataclass(eq=False, slots=True)
class Segment:
    """One segment. ``members`` keeps the order in which people were added."""

    id: int
    name: str
    description: str
    created_at: int
    updated_at: int
    type: str = "manual"
    members: dict[Person, None] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class Activity:
    """Something that happened to a person or an object, after the request was answered.

    Attributes:
        number: From 1, in order; also the activity's place in the feed.
        type: Customer.io's name for it, such as ``failed_attribute_change``.
        person: Null where it concerns no known person.
        sent_identifiers: How the request named the person.
        data: What happened; refusals hold ``reason`` and, where there is one, ``field``.
    """

    number: int
    type: str
    timestamp: int
    person: Person | None
    sent_identifiers: Identifiers
    data: dict[str, Any]
    name: str = ""


class Problem(NamedTuple):
    """Why one item is refused in the answer itself."""

    reason: str
    field: str
    message: str

    def as_json(self) -> dict[str, Any]:
        """As Track v2 writes it."""
        return self._asdict()
