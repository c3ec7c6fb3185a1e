"""The records of one object, column by column, and who is found under which key. What is allowed is in ``writing``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reverse_etl.sandbox.base import RecordsToLookAt
from reverse_etl.sandbox.salesforce.ids import place_of, record_id
from reverse_etl.sandbox.salesforce.schema import Field, SObject

_MADE_BY_US = ("Id", "IsDeleted", "CreatedDate", "LastModifiedDate", "SystemModstamp")
Found = int | tuple[int, ...]


class Table:
    """A record is a place in all columns; it keeps its place when it is deleted.

    Attributes:
        columns: Values by the field's name; null where there is none.
        index: By the field's name: the place under each key, or the places where several records have it.
    """

    def __init__(self, sobject: SObject) -> None:
        self.sobject = sobject
        self.clear()

    def clear(self) -> None:
        """Forgets all records."""
        stored = [field for field in self.sobject.fields if field.name not in _MADE_BY_US]
        self.stored = {field.name: field for field in stored}
        self.columns: dict[str, list[Any]] = {field.name: [] for field in stored}
        self.created: list[str] = []
        self.modified: list[str] = []
        self.deleted: set[int] = set()
        self.index: dict[str, dict[Any, Found]] = {field.name: {} for field in stored if field.is_indexed}

    def __len__(self) -> int:
        return len(self.created) - len(self.deleted)

    def places(self) -> Iterator[int]:
        """Where records are that are not deleted."""
        return (place for place in range(len(self.created)) if place not in self.deleted)

    def find(self, field: Field, value: Any) -> tuple[int, ...]:
        """The records with a value of an indexed field."""
        found = self.index[field.name].get(field.fold(value))
        return () if found is None else (found,) if isinstance(found, int) else found

    def find_id(self, text: str) -> int | None:
        """The record under an id; None where there is none, or it is deleted.

        Raises:
            ValueError: It is no id.
        """
        place = place_of(self.sobject.prefix, text)
        return None if place is None or place >= len(self.created) or place in self.deleted else place

    def was_deleted(self, text: str) -> bool:
        """Whether an id is of a record that is deleted."""
        return place_of(self.sobject.prefix, text) in self.deleted

    def id_at(self, place: int) -> str:
        """The id of a record."""
        return record_id(self.sobject.prefix, place)

    def value(self, name: str, place: int) -> Any:
        """One value, also of the fields that Salesforce sets."""
        match name:
            case "Id":
                return self.id_at(place)
            case "IsDeleted":
                return place in self.deleted
            case "CreatedDate":
                return self.created[place]
            case "LastModifiedDate" | "SystemModstamp":
                return self.modified[place]
            case _:
                return self.columns[name][place]

    def record(self, place: int) -> dict[str, Any]:
        """One record with all its fields."""
        return {field.name: self.value(field.name, place) for field in self.sobject.fields}

    def records(self) -> RecordsToLookAt:
        """All records, deleted ones included, oldest first."""
        return RecordsToLookAt(self.record, range(len(self.created)))

    def add_key(self, field: Field, value: Any, place: int) -> None:
        """A record is found under one more value."""
        keys, key = self.index[field.name], field.fold(value)
        held = keys.get(key)
        keys[key] = place if held is None else (*((held,) if isinstance(held, int) else held), place)

    def add_keys(self, field: Field, values: list[Any], first: int) -> None:
        """The records from a place on are found under these values, null under none."""
        if field.unique and None not in values:
            self.index[field.name].update(zip(field.folded(values), range(first, first + len(values)), strict=True))
            return
        for offset, value in enumerate(values):
            if value is not None:
                self.add_key(field, value, first + offset)

    def drop_key(self, field: Field, value: Any, place: int) -> None:
        """A record is no longer found under a value."""
        keys, key = self.index[field.name], field.fold(value)
        left = tuple(each for each in self.find(field, value) if each != place)
        if left:
            keys[key] = left[0] if len(left) == 1 else left
        else:
            keys.pop(key, None)

    def delete(self, place: int) -> None:
        """Deletes a record; its keys are free."""
        for name in self.index:
            value = self.columns[name][place]
            if value is not None:
                self.drop_key(self.stored[name], value, place)
        self.deleted.add(place)
