"""The second look after a delivery: rows that were accepted and, as the workspace's feed says, not applied.

What the look needs lies in the run's folder, so that a run that goes on after a stop looks at the whole delivery:

    <run folder>/read_back.json     the window of time, and why it could not be looked at, where it could not

A feed that does not answer fails nothing: the rows stay delivered, and the run says that they were not verified.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson

from reverse_etl.changeset.parts import private_file
from reverse_etl.delivery.books import Books, Cause
from reverse_etl.destinations.customerio.activities import Window
from reverse_etl.errors import WorkspaceError
from reverse_etl.report import Outcome

if TYPE_CHECKING:
    from pathlib import Path

    from reverse_etl.changeset.parts import Facts, RunFolder
    from reverse_etl.destinations.customerio.activities import Activity
    from reverse_etl.destinations.customerio.destination import CustomerIO

STAGE: Final = "read_back"

_LEFT: Final = Cause("delivery", "stopped", "", "the run stopped before this row had an answer.")


async def begin(destination: CustomerIO, folder: RunFolder) -> None:
    """Notes from when on activities are those of this run, before its first row; once for all its attempts."""
    if not destination.reads_back or "since" in _known(folder):
        return
    try:
        window = await destination.activity_window()
    except WorkspaceError as error:
        _write(folder, {"why": error.message})
    else:
        _write(folder, {"since": window.since, "seen": sorted(window.seen)})


async def finish(destination: CustomerIO, folder: RunFolder, facts: Facts, queries: list[str]) -> None:
    """Reads the feed and enters what was not applied into the books of the delivered rows.

    Raises:
        StateError: The run's folder cannot be written.
    """
    known = _known(folder)
    if not destination.reads_back or "since" not in known:
        return
    window = Window(int(known["since"]), frozenset(known["seen"]))
    try:
        found, whole = await destination.read_activities(window)
    except WorkspaceError as error:
        _write(folder, {**known, "why": error.message})
        return
    why = "" if whole else "the feed of activities is longer than can be read."
    _write(folder, {**known, "why": why})
    for query in queries:
        _enter(destination, folder, facts, query, found)


def not_verified(folder: RunFolder) -> str:
    """Why the rows were not looked at after their delivery, a sentence; empty where they were, or need not be."""
    return str(_known(folder).get("why", ""))


def _enter(destination: CustomerIO, folder: RunFolder, facts: Facts, query: str, found: list[Activity]) -> None:
    parts = folder.parts(query)
    outcomes = parts.outcomes(getattr(facts, query))
    if not found or not np.any(outcomes == Outcome.DELIVERED):
        return
    books = None
    for kept in destination.not_applied(parts, outcomes.copy(), found):
        books = books or Books(parts, outcomes, destination.identifiers)
        numbers = kept.rows.to_pylist()
        # Their keys are in the journal already, from when they were accepted.
        keys = [0] * len(numbers)
        if kept.outcome is Outcome.EXCLUDED:
            books.exclude(numbers, keys)
        else:
            books.fail(numbers, keys, kept.outcome, Cause(STAGE, kept.reason, kept.field, kept.message))
    if books is not None:
        books.close(_LEFT)


def _path(folder: RunFolder) -> Path:
    return folder.path / "read_back.json"


def _known(folder: RunFolder) -> dict[str, Any]:
    path = _path(folder)
    known: dict[str, Any] = orjson.loads(path.read_bytes()) if path.exists() else {}
    return known


def _write(folder: RunFolder, known: dict[str, Any]) -> None:
    partial = _path(folder).with_suffix(".tmp")
    with private_file(partial) as file:
        file.write(orjson.dumps(known))
    partial.replace(_path(folder))
    if folder.shared is not None:
        folder.shared.put_one(folder.path, _path(folder).name)
