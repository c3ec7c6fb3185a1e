"""The audience filters of the App API, and values as it shows them: always as text.

A filter is ``{"and": [...]}``, ``{"or": [...]}``, ``{"not": ...}`` or one condition: on people a ``segment`` or an
``attribute``, on objects an ``object_attribute``. An empty filter lets everything through.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from reverse_etl.sandbox.customerio.records import CustomObject, Person
from reverse_etl.sandbox.customerio.workspace import Workspace
from reverse_etl.sandbox.exact_json import dumps

Passes = Callable[[Any], bool]


def text(value: Any) -> str:
    """A value as the App API answers it."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, Decimal) else dumps(value).decode()


def all_attributes(person: Person) -> dict[str, Any]:
    """A person's attributes with the identifiers among them, as the App API has them."""
    known = {name: value for name, value in person.identifiers().items() if value is not None}
    return {**person.attributes, **known}


def people_filter(workspace: Workspace, wanted: Any) -> Callable[[Person], bool] | None:
    """A filter on people; None where it is not one known here."""

    def condition(name: str, sought: Any) -> Passes | None:
        if name == "segment" and isinstance(sought, dict):
            segment = workspace.segments.get(sought.get("id", 0))
            return None if segment is None else lambda person: person in segment.members
        return _on_attribute(sought, all_attributes) if name == "attribute" else None

    return _filter(wanted, condition)


def object_filter(wanted: Any) -> Callable[[CustomObject], bool] | None:
    """A filter on objects; None where it is not one known here."""

    def condition(name: str, sought: Any) -> Passes | None:
        if name != "object_attribute":
            return None
        return _on_attribute(sought, lambda held: {"object_id": held.id, **held.attributes})

    return _filter(wanted, condition)


def _filter(wanted: Any, condition: Callable[[str, Any], Passes | None]) -> Passes | None:
    if not isinstance(wanted, dict) or len(wanted) > 1:
        return None
    if not wanted:
        return lambda _row: True
    ((name, sought),) = wanted.items()
    if name == "not":
        inner = _filter(sought, condition)
        return None if inner is None else lambda row: not inner(row)
    if name not in {"and", "or"}:
        return condition(name, sought)
    if not isinstance(sought, list):
        return None
    parts = [part for each in sought if (part := _filter(each, condition)) is not None]
    if len(parts) != len(sought):
        return None
    combine = all if name == "and" else any
    return lambda row: combine(part(row) for part in parts)


def _on_attribute(sought: Any, attributes: Callable[[Any], dict[str, Any]]) -> Passes | None:
    if not isinstance(sought, dict) or not isinstance(sought.get("field"), str):
        return None
    field = sought["field"]
    if sought.get("operator") == "exists":
        return lambda row: field in attributes(row)
    if sought.get("operator") != "eq":
        return None
    value = text(sought.get("value"))
    return lambda row: field in attributes(row) and text(attributes(row)[field]) == value
