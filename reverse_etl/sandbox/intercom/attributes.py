"""Data attributes: which there are, and which values they take.

Documented: an attribute must exist, its name is case-sensitive, its type is one of five or a list of options.
Inferred: 255 characters a text, that null clears, that a whole number is a float.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

from reverse_etl.sandbox.intercom.answers import NotAllowed
from reverse_etl.sandbox.intercom.settings import IntercomSettings

MODELS: Final = ("contact", "company")
TYPES: Final = {"string": str, "integer": int, "float": float, "boolean": bool, "date": int, "datetime": int}
MAX_TEXT: Final = 255
_NAME: Final = re.compile(r"[\w $€£¥-]+")
_LATEST_TIME: Final = 100_000_000_000
_STANDARD: Final = {
    "contact": {
        "email": "string",
        "name": "string",
        "phone": "string",
        "external_id": "string",
        "signed_up_at": "date",
    },
    "company": {"name": "string", "company_id": "string", "monthly_spend": "float", "size": "integer"},
}
_CUSTOM: Final = {
    "contact": {"plan": "string", "seats": "integer", "score": "float", "active": "boolean", "renewal_at": "date"},
    "company": {"plan": "string", "seats": "integer", "score": "float", "active": "boolean", "renewal_at": "date"},
}


@dataclass(slots=True)
class Attribute:
    """One attribute of contacts or of companies; ``options`` are empty where any text will do."""

    id: int
    model: str
    name: str
    data_type: str
    is_custom: bool = True
    is_archived: bool = False
    is_writable: bool = True
    description: str = ""
    options: list[str] = field(default_factory=list)


def first_attributes() -> dict[tuple[str, str], Attribute]:
    """What a workspace begins with: the standard ones, five types of one's own, and ``tier`` with options."""
    found: dict[tuple[str, str], Attribute] = {}
    for model in MODELS:
        for name, kind in _STANDARD[model].items():
            writable = name != "company_id"
            found[model, name] = Attribute(len(found) + 1, model, name, kind, is_custom=False, is_writable=writable)
        for name, kind in _CUSTOM[model].items():
            found[model, name] = Attribute(len(found) + 1, model, name, kind)
        found[model, "tier"] = Attribute(len(found) + 1, model, "tier", "string", options=["gold", "silver"])
    return found


def made(attributes: dict[tuple[str, str], Attribute], wanted: dict[str, Any]) -> Attribute:
    """A new custom attribute, kept among the others.

    Raises:
        NotAllowed: Its name is taken or none, or its model or type is unknown.
    """
    name, model, kind = wanted.get("name"), wanted.get("model"), wanted.get("data_type")
    if not name or not model or not kind:
        raise NotAllowed(400, "parameter_not_found", "name, model and data_type are required")
    options = wanted.get("options") or []
    if model not in MODELS or (kind not in TYPES and kind != "options"):
        raise NotAllowed(400, "parameter_invalid", f"model or data_type is invalid: {model}, {kind}")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        text = "Your name for this attribute must only contain alphanumeric characters, currency symbols, and hyphens"
        raise NotAllowed(400, "parameter_invalid", text)
    if (model, name) in attributes:
        raise NotAllowed(400, "parameter_invalid", f"You already have '{name}' in your {model} data.")
    if kind == "options" and len(options) < 2:
        raise NotAllowed(400, "parameter_invalid", "The Data Attribute model field must have at least two options")
    values = [str(option["value"]) if isinstance(option, dict) else str(option) for option in options]
    attribute = Attribute(
        len(attributes) + 1,
        model,
        name,
        "string" if kind == "options" else "date" if kind == "datetime" else kind,
        description=str(wanted.get("description") or ""),
        options=values,
    )
    attributes[model, name] = attribute
    return attribute


def checked(
    attributes: dict[tuple[str, str], Attribute], model: str, sent: Any, settings: IntercomSettings
) -> dict[str, Any]:
    """The custom attributes of a request as they are to be kept; null is what clears.

    Raises:
        NotAllowed: One does not exist, or its value is none of its type or its options.
    """
    if sent is None:
        return {}
    if not isinstance(sent, dict):
        raise NotAllowed(400, "parameter_invalid", "custom_attributes must be an object")
    found = {}
    for name, value in sent.items():
        attribute = attributes.get((model, name))
        if attribute is None or not attribute.is_custom or attribute.is_archived:
            raise NotAllowed(400, "parameter_invalid", f"Custom attribute '{name}' does not exist")
        found[name] = None if value is None else _value(attribute, value, settings)
    return found


def show(attribute: Attribute) -> dict[str, Any]:
    """An attribute as the API shows it."""
    shown: dict[str, Any] = {
        "type": "data_attribute",
        "id": attribute.id,
        "name": attribute.name,
        "full_name": f"custom_attributes.{attribute.name}" if attribute.is_custom else attribute.name,
        "label": attribute.name,
        "description": attribute.description,
        "data_type": attribute.data_type,
        "api_writable": attribute.is_writable,
        "ui_writable": False,
        "messenger_writable": False,
        "custom": attribute.is_custom,
        "archived": attribute.is_archived,
        "model": attribute.model,
    }
    return {**shown, "options": attribute.options} if attribute.options else shown


def _value(attribute: Attribute, value: Any, settings: IntercomSettings) -> Any:
    kind = attribute.data_type
    expected = TYPES[kind]
    fits = type(value) is expected or (kind == "float" and type(value) is int)
    if fits and kind == "date":
        fits = 0 <= value < _LATEST_TIME
    if not fits:
        raise NotAllowed(400, "parameter_invalid", f"Custom attribute '{attribute.name}' must be of type {kind}")
    if kind == "string":
        if attribute.options and value not in attribute.options and settings.unknown_option == "refuse":
            raise NotAllowed(400, "parameter_invalid", f"Custom attribute '{attribute.name}' has no such option")
        if len(value) > MAX_TEXT:
            if settings.long_values == "refuse":
                raise NotAllowed(400, "parameter_invalid", f"Custom attribute '{attribute.name}' is too long")
            return value[:MAX_TEXT]
    return value
