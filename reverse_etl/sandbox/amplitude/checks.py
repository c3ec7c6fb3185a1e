"""Which events are refused, and for which of their fields.

Documented: required fields, length of ids, reserved names and ids, time in milliseconds, depth of 40, 1,024 characters.
Inferred: the field under which a mixture of operations, a wrong type or a string that is too long is named.
"""

from __future__ import annotations

from typing import Any, Final

from reverse_etl.sandbox.amplitude.operations import is_mixed
from reverse_etl.sandbox.amplitude.project import GROUP_IDENTIFY
from reverse_etl.sandbox.amplitude.settings import AmplitudeSettings

MISSING: Final = "events_with_missing_fields"
INVALID: Final = "events_with_invalid_fields"
ID_LENGTHS: Final = "events_with_invalid_id_lengths"
MAX_STRING: Final = 1024
MAX_DEPTH: Final = 40
RESERVED_IDS: Final = frozenset(
    [
        "anonymous",
        "nil",
        "none",
        "null",
        "n/a",
        "na",
        "undefined",
        "unknown",
        "{}",
        "lmy47d",
        "0",
        "-1",
        "00000000-0000-0000-0000-000000000000",
    ]
) | {""}
RESERVED_EVENTS: Final = frozenset(
    f"[Amplitude] {name}"
    for name in (
        "Start Session",
        "End Session",
        "Revenue",
        "Revenue (Verified)",
        "Revenue (Unverified)",
        "Merged User",
    )
)
_OBJECTS: Final = ("event_properties", "user_properties", "group_properties", "groups", "plan")
_TEXTS: Final = (
    "insert_id",
    "app_version",
    "platform",
    "country",
    "city",
    "language",
    "ip",
    "productId",
    "revenueType",
)
_NUMBERS: Final = ("price", "quantity", "revenue", "location_lat", "location_lng")
_Problem = tuple[str, str]


def problem_of(event: Any, settings: AmplitudeSettings, min_id_length: int) -> _Problem | None:
    """What is wrong with an event: the list of the answer that names it, and the field; None where nothing is.

    Strings that are too long are cut here where that is set.
    """
    if type(event) is not dict:
        return INVALID, "event"
    kind = event.get("event_type")
    if not kind:
        return MISSING, "event_type"
    if type(kind) is not str or kind in RESERVED_EVENTS:
        return INVALID, "event_type"
    user_id, device_id = event.get("user_id"), event.get("device_id")
    if user_id is None and device_id is None and kind != GROUP_IDENTIFY:
        return MISSING, "user_id"
    for name, value in (("user_id", user_id), ("device_id", device_id)):
        if value is not None:
            if type(value) is not str:
                return INVALID, name
            if len(value) < min_id_length:
                return ID_LENGTHS, name
            if settings.reserved_ids == "refuse" and value.lower() in RESERVED_IDS:
                return INVALID, name
    time = event.get("time")
    if time is not None and (type(time) is not int or time < 0):
        return INVALID, "time"
    return _of_values(event, settings)


def is_reserved(event: dict[str, Any]) -> bool:
    """Whether an event is of nobody: its user id, or its device id where it has no other, is a reserved one."""
    value = event.get("user_id")
    if value is None:
        value = event.get("device_id")
    return value is not None and value.lower() in RESERVED_IDS


def _of_values(event: dict[str, Any], settings: AmplitudeSettings) -> _Problem | None:
    for name in _OBJECTS:
        value = event.get(name)
        if value is None:
            continue
        if type(value) is not dict or not _fits(value, 1, cut=settings.long_strings == "cut"):
            return INVALID, name
        if name in ("user_properties", "group_properties") and is_mixed(value):
            return INVALID, name
    for name in _TEXTS:
        value = event.get(name)
        if value is not None and type(value) is not str:
            return INVALID, name
    for name in _NUMBERS:
        value = event.get(name)
        if value is not None and type(value) not in (int, float):
            return INVALID, name
    return None


def _fits(value: Any, depth: int, *, cut: bool) -> bool:
    """Whether no string in an object or list is too long and nothing too deep; with ``cut`` such strings are cut."""
    if depth > MAX_DEPTH:
        return False
    places = value.items() if type(value) is dict else enumerate(value)
    for place, held in list(places) if cut else places:
        kind = type(held)
        if kind is str:
            if len(held) > MAX_STRING:
                if not cut:
                    return False
                value[place] = held[:MAX_STRING]
        elif (kind is dict or kind is list) and not _fits(held, depth + 1, cut=cut):
            return False
    return True
