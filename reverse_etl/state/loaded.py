"""Which syncs Dagster has loaded, and with which schedules: noted by the sensor that its daemon asks once a minute.

The sensor runs in the code server that the daemon uses, so a note is what Dagster knows, whatever the files say by now.
A code location has a note of its own; one without a sign for some minutes says nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, Literal

import sqlalchemy as sa

from reverse_etl.state.schema import LOADED

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from reverse_etl.config.syncs import SyncConfig
    from reverse_etl.state.store import Store

InDagster = Literal["loaded", "not_loaded", "older"]
"""Whether Dagster has a sync: as its file is, not at all, or with an older schedule or workspace."""

_COUNTS_FOR: Final = timedelta(minutes=3)
_FORGOTTEN_AFTER: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What Dagster had loaded at the last look.

    Attributes:
        marks: By sync, one for each code location that has it.
        silent: Syncs of code locations that have given no sign in the last minutes.
        known: Whether any has.
    """

    marks: Mapping[str, frozenset[str]] = field(default_factory=dict)
    silent: frozenset[str] = frozenset()
    known: bool = False

    def without_file(self, known: Collection[str]) -> list[str]:
        """The syncs that it has and that are not among ``known``, by name."""
        return sorted(self.marks.keys() - known)

    def has(self, sync: SyncConfig) -> InDagster | None:
        """Whether it has a sync as its file is now; None where that is not known."""
        if found := self.marks.get(sync.name):
            return "loaded" if mark(sync) in found else "older"
        return "not_loaded" if self.known and sync.name not in self.silent else None


def mark(sync: SyncConfig) -> str:
    """What Dagster has to load to start a sync's runs as the file says; each run reads all else again."""
    said = [sync.destination, sync.schedule.model_dump(mode="json")]
    return blake2b(json.dumps(said, sort_keys=True).encode(), digest_size=8).hexdigest()


def note_loaded(store: Store, location: str, marks: Mapping[str, str], at: datetime) -> None:
    """Notes what a code location has loaded; of one that has loaded the same, only when.

    Args:
        store: The state.
        location: Its name.
        marks: By sync.
        at: Now, aware.
    """
    syncs = json.dumps(dict(sorted(marks.items())))
    digest = blake2b(syncs.encode(), digest_size=16).hexdigest()
    same = (LOADED.c.location == location) & (LOADED.c.digest == digest)
    with store.writing() as connection:
        if connection.execute(sa.update(LOADED).where(same).values(looked_at=at)).rowcount:
            return
        now = {"digest": digest, "syncs": syncs, "looked_at": at}
        store.put(connection, LOADED, {"location": location, **now}, now)
        connection.execute(sa.delete(LOADED).where(LOADED.c.looked_at < at - _FORGOTTEN_AFTER))


def loaded(connection: sa.Connection, now: datetime) -> Loaded:
    """What Dagster has loaded, by the notes of the last minutes."""
    fresh, silent = [], set()
    for syncs, looked_at in connection.execute(sa.select(LOADED.c.syncs, LOADED.c.looked_at)):
        if looked_at > now - _COUNTS_FOR:
            fresh.append(json.loads(syncs))
        else:
            silent |= json.loads(syncs).keys()
    marks: dict[str, frozenset[str]] = {}
    for note in fresh:
        for name, found in note.items():
            marks[name] = marks.get(name, frozenset()) | {found}
    return Loaded(marks, frozenset(silent), known=bool(fresh))
