"""What an account tells of its properties, and further ones that are made."""

from __future__ import annotations

from typing import Any, get_args

from starlette.responses import Response

from reverse_etl.sandbox.base import json_answer
from reverse_etl.sandbox.hubspot.objects import Objects
from reverse_etl.sandbox.hubspot.problems import Problem, not_found
from reverse_etl.sandbox.hubspot.schema import Kind, Property

_MOST_UNIQUE = 10


def show_all(objects: Objects) -> Response:
    """Every property of a type."""
    return json_answer(200, {"results": [each.as_json() for each in objects.kind.properties.values()]})


def show_one(objects: Objects, name: str) -> Response:
    """One property."""
    found = objects.kind.properties.get(name)
    return not_found(f"Property {name} does not exist") if found is None else json_answer(200, found.as_json())


def make(objects: Objects, body: dict[str, Any]) -> Response:
    """A further property, as the properties endpoint takes it."""
    try:
        made = parsed(body)
        add(objects, made)
    except ValueError as error:
        return Problem(str(error)).answer()
    return json_answer(201, made.as_json())


def parsed(body: dict[str, Any]) -> Property:
    """A property as the properties endpoint names its parts.

    Raises:
        ValueError: It has no name, or no type.
    """
    name = body.get("name")
    kind: Kind | None = next((each for each in get_args(Kind) if each == body.get("type")), None)
    if not isinstance(name, str) or not name or kind is None:
        raise ValueError(f"name and type are required; types are {', '.join(get_args(Kind))}")
    return Property(
        name,
        kind,
        tuple(str(each["value"]) for each in body.get("options", [])),
        unique=bool(body.get("hasUniqueValue")),
        read_only=bool(body.get("readOnlyValue")),
        several=body.get("fieldType") == "checkbox",
        label=str(body.get("label", "")),
        hubspot_defined=False,
    )


def add(objects: Objects, made: Property) -> None:
    """Gives a type one more property.

    Raises:
        ValueError: There is one of that name, or ten of its type are unique.
    """
    if made.name in objects.kind.properties:
        raise ValueError(f"A property named '{made.name}' already exists.")
    if made.unique and sum(each.unique for each in objects.kind.properties.values()) >= _MOST_UNIQUE:
        raise ValueError(f"{objects.kind.name} may have {_MOST_UNIQUE} unique properties")
    objects.kind.properties[made.name] = made
    if made.unique:
        objects.index(made.name)
