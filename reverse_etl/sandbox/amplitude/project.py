"""The contents of one project: users, groups, events, what was seen of each ``insert_id``, cohorts.

Whether an event is one is decided elsewhere.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final

from reverse_etl.sandbox.amplitude.operations import apply

Event = dict[str, Any]
DEDUPLICATED_S: Final = 7 * 86_400
"""How long an ``insert_id`` is remembered of a device. Source: Amplitude, HTTP V2 API, event deduplication (2026)."""

IDENTIFY: Final = "$identify"
GROUP_IDENTIFY: Final = "$groupidentify"


@dataclass(slots=True)
class User:
    """A user, or a device of nobody: ``user_id`` is None then."""

    amplitude_id: int
    user_id: str | None
    device_ids: set[str] = field(default_factory=set)
    properties: dict[str, Any] = field(default_factory=dict)
    groups: dict[str, Any] = field(default_factory=dict)
    events: int = 0


@dataclass(slots=True)
class Cohort:
    """A cohort; members are users' ids."""

    id: str
    name: str
    members: dict[str, None] = field(default_factory=dict)


class Project:
    """Everything a project holds."""

    def __init__(self, events_kept: int) -> None:
        self.events: deque[Event] = deque(maxlen=events_kept)
        self.identifies: deque[Event] = deque(maxlen=events_kept)
        self.users: dict[tuple[str, str], User] = {}
        self.by_amplitude_id: dict[int, User] = {}
        self.groups: dict[tuple[str, str], dict[str, Any]] = {}
        self.cohorts: dict[str, Cohort] = {}
        self.seen: dict[tuple[str, str], float] = {}
        self.event_count = self.identify_count = self.duplicates = self.dropped = 0

    def new_cohort(self, name: str) -> Cohort:
        """A cohort without members."""
        cohort = Cohort(f"c{len(self.cohorts) + 1:06x}", name)
        self.cohorts[cohort.id] = cohort
        return cohort

    def user(self, user_id: str | None, device_id: str | None) -> User:
        """The user of an event, made if need be; of a device alone where no user is named."""
        key = ("user", user_id) if user_id is not None else ("device", device_id or "")
        user = self.users.get(key)
        if user is None:
            user = self.users[key] = User(10_000_000_000 + len(self.users), user_id)
            self.by_amplitude_id[user.amplitude_id] = user
        if device_id is not None:
            user.device_ids.add(device_id)
        return user

    def take(self, event: Event, now: float, *, identify_once: bool) -> None:
        """Keeps an event, or drops one that was seen before.

        Args:
            event: As sent, and valid.
            now: Unix seconds.
            identify_once: Whether ``$identify`` is dropped alike.
        """
        kind = event["event_type"]
        user_id, device_id = event.get("user_id"), event.get("device_id")
        is_event = kind != IDENTIFY and kind != GROUP_IDENTIFY
        insert_id = event.get("insert_id")
        if insert_id is not None and (is_event or identify_once):
            key = (device_id or made_device_id(user_id or ""), insert_id)
            before = self.seen.get(key)
            if before is not None and now - before < DEDUPLICATED_S:
                self.duplicates += 1
                return
            self.seen[key] = now
        if kind == GROUP_IDENTIFY:
            self._group(event)
        else:
            user = self.user(user_id, device_id)
            properties = event.get("user_properties")
            if properties:
                apply(user.properties, properties)
            if event.get("groups"):
                user.groups.update(_tracked(event["groups"]))
            user.events += is_event
        if is_event:
            self.event_count += 1
            self.events.append(event)
        else:
            self.identify_count += 1
            self.identifies.append(event)

    def _group(self, event: Event) -> None:
        for kind, names in _tracked(event.get("groups") or {}).items():
            for name in names if isinstance(names, list) else [names]:
                apply(self.groups.setdefault((kind, str(name)), {}), event.get("group_properties") or {})


def made_device_id(user_id: str) -> str:
    """The device id of an event that has none: made from the user's, and the same each time."""
    return blake2b(user_id.encode(), digest_size=16).hexdigest()


def _tracked(groups: dict[str, Any]) -> dict[str, Any]:
    """The first five types with ten values each: what is beyond is not tracked, and nobody hears of it."""
    return {kind: names[:10] if isinstance(names, list) else names for kind, names in list(groups.items())[:5]}
