"""The workspace's contents in one file, between starts: JSON lines, whole or not at all, readable by the owner alone.

Requests and faults are not contents, and are forgotten when the server ends.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from reverse_etl.errors import ConfigError
from reverse_etl.sandbox.customerio.records import Activity, CustomObject, Event, Person, Segment
from reverse_etl.sandbox.customerio.workspace import Workspace
from reverse_etl.sandbox.exact_json import dumps, loads

FORMAT = "reverse-etl sandbox 1"
QUIET_S = 0.5
LONGEST_UNSAVED_S = 5.0
_LINES_AT_ONCE = 5000
_SAVING_SHARE = 0.1


def save(workspace: Workspace, path: Path) -> None:
    """Writes everything; an interrupted save leaves the last one in place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".tmp")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        lines = _lines(workspace)
        while part := [dumps(line) for line in islice(lines, _LINES_AT_ONCE)]:
            file.write(b"\n".join(part) + b"\n")
    partial.replace(path)


def load(workspace: Workspace, path: Path) -> None:
    """Reads what ``save`` wrote into an empty workspace; a file that is not there is an empty one.

    Raises:
        ConfigError: The file cannot be read, or is not a sandbox's.
    """
    if not path.exists():
        return
    try:
        with path.open("rb") as file:
            for line in file:
                kind, *values = loads(line)
                _RESTORE[kind](workspace, *values)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ConfigError(
            f"{path} cannot be read as a sandbox's contents ({type(error).__name__}).",
            hint="Move it away to start empty, or name another file.",
        ) from None


class Saver:
    """Saves in the background: soon after things go quiet, and every few seconds while they do not.

    Saving stops the server for a moment, so the larger the contents are the rarer it is: a tenth of the time at most.
    """

    def __init__(self, workspace: Workspace, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._workspace = workspace
        self._path = path
        self._clock = clock
        self._saved = self._seen = workspace.changes
        self._changed_at = self._saved_at = clock()
        self._last_save_s = 0.0

    def save_if_due(self) -> bool:
        """Saves when it is time to; True when it was."""
        now = self._clock()
        changes = self._workspace.changes
        if changes != self._seen:
            self._seen = changes
            self._changed_at = now
        if changes == self._saved:
            return False
        since_s = now - self._saved_at
        is_quiet = now - self._changed_at >= QUIET_S
        if since_s < self._last_save_s / _SAVING_SHARE or not (is_quiet or since_s >= LONGEST_UNSAVED_S):
            return False
        self.save()
        return True

    def save(self) -> None:
        """Saves now, unless nothing has changed since the last time."""
        if self._workspace.changes == self._saved:
            return
        started = self._clock()
        self._saved = self._workspace.changes
        save(self._workspace, self._path)
        self._saved_at = self._clock()
        self._last_save_s = self._saved_at - started

    async def run(self) -> None:
        """Saves until cancelled."""
        while True:
            await asyncio.sleep(QUIET_S / 2)
            self.save_if_due()


def _lines(workspace: Workspace) -> Iterator[list[Any]]:
    made = [workspace.people_made, workspace.objects_made, workspace.segments_made]
    yield ["format", FORMAT]
    yield ["made", *made]
    yield ["environment", workspace.environment_id]
    for person in workspace.people.values():
        identifiers = [person.cio_id, person.id, person.email]
        times = [person.created_at, person.updated_at, person.changed_at]
        yield ["person", *identifiers, person.attributes, *times, person.devices]
    for held in workspace.objects.values():
        yield ["object", held.type_id, held.id, held.cio_id, held.attributes, held.created_at, held.updated_at]
        for person, attributes in held.relationships.items():
            yield ["relationship", held.type_id, held.id, person.cio_id, attributes]
    for segment in workspace.segments.values():
        facts = [segment.id, segment.name, segment.description, segment.created_at, segment.updated_at, segment.type]
        yield ["segment", *facts, [person.cio_id for person in segment.members]]
    for (kind, value), at in workspace.suppressed.items():
        yield ["suppressed", kind, value, at]
    for event in workspace.events:
        identifiers = list(event.person.identifiers().values())
        yield ["event", event.id, event.name, event.timestamp, identifiers, event.attributes, event.kind]
    for activity in workspace.log:
        concerned = None if activity.person is None else list(activity.person.identifiers().values())
        facts = [activity.number, activity.type, activity.timestamp, concerned]
        yield ["activity", *facts, activity.sent_identifiers, activity.data, activity.name]


def _format(_workspace: Workspace, found: str) -> None:
    if found != FORMAT:
        raise ValueError("another format")


def _made(workspace: Workspace, people: int, objects: int, segments: int) -> None:
    workspace.people_made, workspace.objects_made, workspace.segments_made = people, objects, segments


def _environment(workspace: Workspace, environment_id: int) -> None:
    workspace.environment_id = environment_id


def _person(workspace: Workspace, *values: Any) -> None:
    *facts, devices = values
    person = Person(*facts)
    person.devices = devices
    workspace.index_person(person)


def _object(workspace: Workspace, *values: Any) -> None:
    workspace.index_object(CustomObject(*values))


def _relationship(workspace: Workspace, type_id: str, object_id: str, cio_id: str, attributes: dict[str, Any]) -> None:
    person, held = workspace.people[cio_id], workspace.objects[(type_id, object_id)]
    workspace.relate(person, held)
    held.relationships[person].update(attributes)


def _segment(workspace: Workspace, *values: Any) -> None:
    *facts, members = values
    segment = Segment(*facts)
    segment.members = {workspace.people[cio_id]: None for cio_id in members}
    workspace.segments[segment.id] = segment


def _suppressed(workspace: Workspace, kind: str, value: str, at: int) -> None:
    workspace.suppressed[(kind, value)] = at


def _event(
    workspace: Workspace, event_id: str | None, name: str, timestamp: float, identifiers: list[Any], *rest: Any
) -> None:
    workspace.add_event(Event(event_id, name, timestamp, _person_of(workspace, identifiers), *rest))


def _activity(
    workspace: Workspace, number: int, kind: str, timestamp: int, concerned: list[Any] | None, *rest: Any
) -> None:
    person = None if concerned is None else _person_of(workspace, concerned)
    workspace.log.put_back(Activity(number, kind, timestamp, person, *rest))


def _person_of(workspace: Workspace, identifiers: list[Any]) -> Person:
    """A person, who may have been deleted since."""
    cio_id, person_id, email = identifiers
    return workspace.people.get(cio_id) or Person(cio_id, person_id, email, {}, 0, 0)


_RESTORE: dict[str, Callable[..., None]] = {
    "format": _format,
    "made": _made,
    "environment": _environment,
    "person": _person,
    "object": _object,
    "relationship": _relationship,
    "segment": _segment,
    "suppressed": _suppressed,
    "event": _event,
    "activity": _activity,
}
