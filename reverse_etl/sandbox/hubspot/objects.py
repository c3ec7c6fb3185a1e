"""The records of one object type, and who is found under which unique value. What is allowed is decided in ``writing``.

A contact is found by its e-mail address, without regard to case, and by its further ones (``hs_additional_emails``).
An archived record is found by nothing, and frees its unique values.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from reverse_etl.sandbox.hubspot.schema import LIFECYCLE_STAGES, ObjectType

_FURTHER_EMAILS = "hs_additional_emails"
_STAGE = "lifecyclestage"


@dataclass(eq=False, slots=True)
class Record:
    """One record.

    Attributes:
        properties: Those that have a value, but for those that HubSpot sets.
        created_at: ISO 8601, as all times here.
        searchable_from: Unix seconds from which on a search finds it as it is.
    """

    id: str
    properties: dict[str, str]
    created_at: str
    updated_at: str
    searchable_from: float
    archived_at: str | None = None

    def as_json(self, asked: list[str] | None = None) -> dict[str, Any]:
        """As answers show it: with all properties, or with those asked for, null where there is no value."""
        own = {
            **self.properties,
            "hs_object_id": self.id,
            "createdate": self.created_at,
            "hs_lastmodifieddate": self.updated_at,
            "lastmodifieddate": self.updated_at,
        }
        return {
            "id": self.id,
            "properties": own if asked is None else {name: own.get(name) for name in asked},
            "createdAt": self.created_at,
            "updatedAt": self.updated_at,
            "archived": self.archived_at is not None,
            **({"archivedAt": self.archived_at} if self.archived_at is not None else {}),
        }


class Objects:
    """The records of one type."""

    def __init__(self, kind: ObjectType) -> None:
        self.kind = kind
        self.clear()

    def clear(self) -> None:
        """Forgets all of them."""
        self.live: dict[str, Record] = {}
        self.archived: dict[str, Record] = {}
        self._by_value: dict[str, dict[str, Record]] = {}

    def __iter__(self) -> Iterator[Record]:
        yield from self.live.values()
        yield from self.archived.values()

    def shown(self) -> Iterator[dict[str, Any]]:
        """Its records as answers show them, each made when it is looked at."""
        return map(Record.as_json, self)

    def find(self, name: str | None, value: str) -> Record | None:
        """The live record under an id, or under the value of a property that finds."""
        if name is None:
            return self.live.get(value)
        return self._by_value.get(name, {}).get(folded(name, value))

    def create(self, record_id: str, properties: dict[str, str], now: str, searchable_from: float) -> Record:
        """A new record; the caller has made sure that its unique values are free."""
        record = Record(record_id, {}, now, now, searchable_from)
        self.live[record_id] = record
        self._set(record, properties)
        return record

    def update(self, record: Record, properties: dict[str, str], now: str, searchable_from: float) -> None:
        """Changes what is given; an empty text clears. A life-cycle stage moves forward only, otherwise it stays."""
        self._set(record, properties)
        record.updated_at = now
        record.searchable_from = searchable_from

    def archive(self, record: Record, now: str) -> None:
        """Archives a record."""
        for name in self.kind.unique_names():
            for value in values_of(name, record.properties):
                self._by_value.get(name, {}).pop(value, None)
        del self.live[record.id]
        self.archived[record.id] = record
        record.archived_at = now

    def index(self, name: str) -> None:
        """Makes records findable by a property that became unique."""
        self._by_value[name] = {
            value: each for each in self.live.values() for value in values_of(name, each.properties)
        }

    def _set(self, record: Record, properties: dict[str, str]) -> None:
        before = {name: values_of(name, record.properties) for name in self.kind.unique_names()}
        for name, value in properties.items():
            if not value:
                record.properties.pop(name, None)
            elif name != _STAGE or _is_forward(record.properties.get(name), value):
                record.properties[name] = value
        for name, values in before.items():
            found = self._by_value.setdefault(name, {})
            for value in values:
                found.pop(value, None)
            for value in values_of(name, record.properties):
                found[value] = record


def values_of(name: str, properties: dict[str, str]) -> list[str]:
    """The values under which a property finds a record."""
    values = [properties[name]] if name in properties else []
    if name == "email":
        values += filter(None, properties.get(_FURTHER_EMAILS, "").split(";"))
    return list(dict.fromkeys(folded(name, value) for value in values))


def folded(name: str, value: str) -> str:
    """A value as it finds: an e-mail address without regard to case."""
    return value.lower() if name == "email" else value


def _is_forward(now: str | None, then: str) -> bool:
    return now is None or LIFECYCLE_STAGES.index(then) >= LIFECYCLE_STAGES.index(now)
