"""What Track v2 refuses in the answer itself, item by item; who a person is and what may change: see ``identity``.

Documented: the limits (150-byte ids and attribute names, 1000-byte values, 300 attributes, 100-byte event names, 32 kb
items), exactly one identifier, ``object_type_id`` as a string-formatted integer from "1", an event's ``id`` as a ULID.
Inferred: that each of these refuses the whole item, the ``reason`` words, the messages beyond v1's, and that a list or
mapping counts as its compact JSON towards the 1000 bytes of a value.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from reverse_etl.sandbox.customerio.records import Problem
from reverse_etl.sandbox.customerio.settings import SandboxSettings
from reverse_etl.sandbox.exact_json import dumps

MAX_ID_BYTES = 150
MAX_NAME_BYTES = 150
MAX_VALUE_BYTES = 1000
MAX_ATTRIBUTES = 300
MAX_EVENT_NAME_BYTES = 100
_NAMES_REMEMBERED = 50_000

_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{25}")
_PERSON_KINDS = frozenset({"id", "email", "cio_id"})
_PERSON_ACTIONS = frozenset(
    {
        "identify",
        "event",
        "screen",
        "page",
        "delete",
        "suppress",
        "unsuppress",
        "add_relationships",
        "delete_relationships",
        "add_device",
        "delete_device",
        "merge",
    }
)
_OBJECT_ACTIONS = frozenset({"identify", "identify_anonymous", "delete", "add_relationships", "delete_relationships"})
EVENT_ACTIONS = frozenset({"event", "screen", "page"})


class Validator:
    """Checks items against one workspace's limits; remembers attribute names it has found short enough."""

    def __init__(self, settings: SandboxSettings) -> None:
        self._max_item_bytes = settings.max_item_bytes
        self._object_types = frozenset(settings.object_type_names())
        self._refuse_unknown_type = settings.unknown_object_type == "error"
        self._good_names: set[str] = set()

    def problems(self, item: Any, size: int) -> list[Problem]:
        """Why an item, of ``size`` bytes as sent, is refused; empty where it is accepted."""
        if type(item) is not dict:
            return [Problem("invalid", "", "item must be an object")]
        if size > self._max_item_bytes:
            return [Problem("invalid", "", f"item cannot be larger than {self._max_item_bytes} bytes")]
        kind = item.get("type")
        if kind == "person":
            return self._person(item, size)
        if kind == "object":
            return self._object(item, size)
        if kind is None:
            return [Problem("required", "type", "type must be present")]
        return [Problem("invalid", "type", "type must be one of person, object")]

    def attributes(self, attributes: Any, field: str, size: int) -> list[Problem]:
        """Why attributes of a person, object or relationship are refused."""
        if type(attributes) is not dict:
            return [Problem("invalid", field, f"{field} must be an object")]
        if len(attributes) > MAX_ATTRIBUTES:
            return [Problem("invalid", field, "cannot identify more than 300 attributes in one request")]
        found = []
        if not attributes.keys() <= self._good_names:
            for name in attributes:
                if len(name) > MAX_NAME_BYTES or len(name.encode()) > MAX_NAME_BYTES:
                    found.append(Problem("invalid", field, "attribute name cannot be longer than 150 bytes"))
                elif not name:
                    found.append(Problem("invalid", field, "attribute name cannot be blank"))
                elif len(self._good_names) < _NAMES_REMEMBERED:
                    self._good_names.add(name)
        if size > MAX_VALUE_BYTES:
            for name, value in attributes.items():
                if _is_too_long(value):
                    message = f"value for attribute '{name}' cannot be longer than 1000 bytes"
                    found.append(Problem("invalid", f"{field}.{name}", message))
        return found

    def _person(self, item: dict[str, Any], size: int) -> list[Problem]:
        action = item.get("action")
        if action == "merge":
            return _identifier(item.get("primary"), "primary") + _identifier(item.get("secondary"), "secondary")
        found = _identifier(item.get("identifiers"), "identifiers")
        if action == "identify":
            if "attributes" in item:
                attributes = item["attributes"]
                found += self.attributes(attributes, "attributes", size)
                if type(attributes) is dict and "id" in attributes:
                    found += _id_attribute(attributes["id"])
            if "timestamp" in item:
                found += _timestamp(item["timestamp"])
            if "cio_relationships" in item:
                found += self._relationships(item["cio_relationships"], self._object_identifiers, size)
        elif action in EVENT_ACTIONS:
            found += event_problems(item)
        elif action in {"add_relationships", "delete_relationships"}:
            found += self._relationships(item.get("cio_relationships"), self._object_identifiers, size)
        elif action in {"add_device", "delete_device"}:
            found += _device(item.get("device"))
        elif action not in _PERSON_ACTIONS:
            found.append(_unknown_action(action, _PERSON_ACTIONS))
        return found

    def _object(self, item: dict[str, Any], size: int) -> list[Problem]:
        action = item.get("action")
        found = self._object_identifiers(item.get("identifiers"), "identifiers")
        if action not in _OBJECT_ACTIONS:
            return [*found, _unknown_action(action, _OBJECT_ACTIONS)]
        if action == "identify" and "attributes" in item:
            found += self.attributes(item["attributes"], "attributes", size)
        if action in {"add_relationships", "delete_relationships"} or (
            action == "identify" and "cio_relationships" in item
        ):
            found += self._relationships(item.get("cio_relationships"), _identifier, size)
        return found

    def _object_identifiers(self, identifiers: Any, field: str) -> list[Problem]:
        if type(identifiers) is not dict or not identifiers:
            return [Problem("required", field, f"{field} must be present")]
        if identifiers.keys() == {"cio_object_id"}:
            return _text(identifiers["cio_object_id"], f"{field}.cio_object_id")
        if identifiers.keys() != {"object_type_id", "object_id"}:
            return [Problem("invalid", field, f"{field} must be object_type_id and object_id, or cio_object_id")]
        found = _text(identifiers["object_id"], f"{field}.object_id")
        type_id = identifiers["object_type_id"]
        name = f"{field}.object_type_id"
        if type(type_id) is not str or not type_id.isascii() or not type_id.isdigit() or type_id[0] == "0":
            return [*found, Problem("invalid", name, "object_type_id must be a string-formatted integer")]
        if self._refuse_unknown_type and type_id not in self._object_types:
            return [*found, Problem("invalid", name, "The specified Object Type does not exist.")]
        return found

    def _relationships(
        self, relationships: Any, identifiers: Callable[[Any, str], list[Problem]], size: int
    ) -> list[Problem]:
        field = "cio_relationships"
        if type(relationships) is not list or not relationships:
            return [Problem("required", field, f"{field} must be a list that is not empty")]
        found = []
        for place, relationship in enumerate(relationships):
            where = f"{field}[{place}]"
            if type(relationship) is not dict:
                found.append(Problem("invalid", where, "relationship must be an object"))
                continue
            found += identifiers(relationship.get("identifiers"), f"{where}.identifiers")
            if relationship.get("relationship_attributes") is not None:
                attributes = relationship["relationship_attributes"]
                found += self.attributes(attributes, f"{where}.relationship_attributes", size)
        return found


def event_problems(event: dict[str, Any]) -> list[Problem]:
    """Why an event, screen or page is refused, apart from whose it is; v1 events are checked alike."""
    found = []
    name = event.get("name")
    if type(name) is not str or not name.strip():
        found.append(Problem("required", "name", "event name must not be blank"))
    elif len(name.encode()) > MAX_EVENT_NAME_BYTES:
        found.append(Problem("invalid", "name", "event name cannot be longer than 100 bytes"))
    if event.get("id") is not None and not (type(event["id"]) is str and _ULID.fullmatch(event["id"])):
        found.append(Problem("invalid", "id", "event id must be a valid ULID"))
    if event.get("timestamp") is not None:
        found += _timestamp(event["timestamp"])
    if type(event.get("attributes", {})) is not dict:
        found.append(Problem("invalid", "attributes", "event data must be a hash"))
    return found


def _identifier(identifiers: Any, field: str) -> list[Problem]:
    """A person's identifiers: exactly one of ``id``, ``email``, ``cio_id``."""
    if type(identifiers) is not dict or not identifiers:
        return [Problem("required", field, f"{field} must be present")]
    if len(identifiers) != 1:
        return [Problem("invalid", field, f"{field} must hold exactly one of id, email, cio_id")]
    ((kind, value),) = identifiers.items()
    if kind not in _PERSON_KINDS:
        return [Problem("invalid", f"{field}.{kind}", f"{kind} is not an identifier in this workspace")]
    if type(value) is str and value and len(value) < 38:
        return []
    return _text(value, f"{field}.{kind}")


def _text(value: Any, field: str) -> list[Problem]:
    name = field.rpartition(".")[2]
    if type(value) is not str:
        return [Problem("invalid", field, f"{name} must be a string value")]
    if not value:
        return [Problem("required", field, f"{name} cannot be an empty string")]
    if len(value.encode()) > MAX_ID_BYTES:
        return [Problem("invalid", field, f"{name} cannot be longer than 150 bytes")]
    return []


def _id_attribute(value: Any) -> list[Problem]:
    return [] if value is None or value == "" else _text(value, "attributes.id")


def _timestamp(value: Any) -> list[Problem]:
    if type(value) in (int, float) and value >= 0:
        return []
    return [Problem("invalid", "timestamp", "timestamp must be a unix timestamp in seconds")]


def _device(device: Any) -> list[Problem]:
    if type(device) is not dict or type(device.get("token")) is not str or not device["token"]:
        return [Problem("required", "device.token", "device must have a token")]
    return []


def _unknown_action(action: Any, actions: frozenset[str]) -> Problem:
    if action is None:
        return Problem("required", "action", "action must be present")
    return Problem("invalid", "action", f"action must be one of {', '.join(sorted(actions))}")


def _is_too_long(value: Any) -> bool:
    if type(value) is str:
        return len(value) > MAX_VALUE_BYTES or (
            len(value) > MAX_VALUE_BYTES // 4 and len(value.encode()) > MAX_VALUE_BYTES
        )
    return type(value) in (dict, list) and len(dumps(value)) > MAX_VALUE_BYTES
