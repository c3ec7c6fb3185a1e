"""The second look after a delivery: rows that were accepted and, as the workspace's feed reports, not applied.

What the look needs lies in the run's folder, so that a run that continues after a stop looks at the whole delivery:

    <run folder>/read_back.json     the window of time, and why it could not be looked at, where it could not;
                                    up to where the sync's runs had read before, and what was found between;
                                    up to where this one has read

A feed that does not answer fails nothing: the rows stay delivered. However the run ended, it reports that they were not
verified.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson

from reverse_etl.changeset.scope import Reads
from reverse_etl.delivery import late_refusals
from reverse_etl.destinations.powers import Verifies, Window
from reverse_etl.errors import DestinationError
from reverse_etl.files.private import whole_file
from reverse_etl.ledger.ledger import Ledger
from reverse_etl.report import STOPPED, Cause, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from reverse_etl.changeset.parts import RunFolder
    from reverse_etl.config.streams import Stream
    from reverse_etl.destinations.base import Destination
    from reverse_etl.destinations.powers import Reported
    from reverse_etl.destinations.tables import TableDestination

STAGE: Final = "read_back"

_MOST_BETWEEN_S: Final = 86_400

_TOO_LONG: Final = "the feed of activities is longer than can be read. See the workspace's activity log."

_ENDED_BEFORE: Final = "the run ended before the workspace's activities were read."


def continue_from(folder: RunFolder, position: str) -> None:
    """Notes up to where the sync's earlier runs read the feed, as ``reported`` gave it; empty for nowhere.

    Raises:
        StateError: The run's folder cannot be written.
    """
    if position and "since" not in (known := _known(folder)):
        _write(folder, {**known, "before": orjson.loads(position)})


async def begin(destination: Destination | TableDestination, folder: RunFolder) -> None:
    """Notes from when on activities are those of this run, before its first row; once for all its attempts.

    What came into the feed since the sync's last run is noted too, for ``earlier``.
    """
    known = _known(folder)
    if not isinstance(destination, Verifies) or not destination.reads_back or "since" in known:
        return
    try:
        window = await destination.activity_window()
        late = await late_refusals.find(destination, folder, known.get("before", {}), now_s=window.since)
    except DestinationError as error:
        _write(folder, {**known, "why": _why(error)})
    else:
        noted = {"since": window.since, "seen": sorted(window.seen), "late": late}
        noted["read_to"] = _position(destination, folder, window)
        _write(folder, {key: value for key, value in known.items() if key != "why"} | noted)


async def finish(destination: Destination | TableDestination, folder: RunFolder, streams: Sequence[Stream]) -> None:
    """Reads the feed and enters what was not applied into the ledgers of the sync's streams.

    Raises:
        StateError: The run's folder cannot be written.
    """
    known = _known(folder)
    if not isinstance(destination, Verifies) or not destination.reads_back or "since" not in known:
        return
    window = Window(int(known["since"]), frozenset(known["seen"]))
    try:
        # Before the reading, so that nothing that comes meanwhile is left out.
        read_to = await destination.activity_window()
        found, whole = await destination.read_activities(window)
    except DestinationError as error:
        _write(folder, {**known, "why": _why(error)})
        return
    why = "" if whole else _TOO_LONG
    entered = {activity.id for activity in found if activity.at >= read_to.since}
    position = _position(destination, folder, Window(read_to.since, read_to.seen | entered))
    _write(folder, {**known, "why": why, "read_to": position})
    for stream in streams:
        _enter(destination, folder, stream, found)


def not_verified(folder: RunFolder, sync: str = "") -> str:
    """That the rows were not looked at after their delivery, and why; empty where they were, or need not be.

    Args:
        folder: The run's.
        sync: The sync's name; empty where no further run looks.

    Returns:
        Sentences, the last of which is what to do.
    """
    known = _known(folder)
    # Reading, whether it succeeded or not, leaves why it did not.
    why = known.get("why", _ended_before(folder, sync) if "since" in known else "")
    return f"What became of the rows after they were accepted was not verified: {why}" if why else ""


def _ended_before(folder: RunFolder, sync: str) -> str:
    """A run that continues this one looks at all of its rows; one that starts afresh reads on in the feed."""
    facts = folder.facts()
    which = "run" if facts is None or facts.reads is Reads.CHANGES else "run that sends rows"
    return f"{_ENDED_BEFORE} The next {which} reads them: reverse-etl run {sync}" if sync else _ENDED_BEFORE


def is_due(position: str, now: datetime) -> bool:
    """Whether a run that sends nothing reads the feed too: the changesets and the feed itself are not kept for ever."""
    return bool(position) and now.timestamp() - float(orjson.loads(position)["since"]) > _MOST_BETWEEN_S


def earlier(folder: RunFolder, sync: str) -> str:
    """What the workspace reported of earlier runs' rows after these had ended, in sentences; empty for nothing."""
    return late_refusals.sentence(_known(folder).get("late", {}), sync)


def reported(folder: RunFolder) -> str:
    """Up to where the feed was read, for ``continue_from`` of the next run; what lies before is not reported again.

    Raises:
        StateError: The run's folder cannot be written.
    """
    known = _known(folder)
    position = known.pop("read_to", None)
    if position is None:
        return ""
    _write(folder, {**known, "late": {}})
    return orjson.dumps(position).decode()


def _why(error: DestinationError) -> str:
    return f"{error.message} {error.hint}".rstrip()


def _position(destination: Verifies, folder: RunFolder, read_to: Window) -> dict[str, Any]:
    return {
        "since": read_to.since,
        "seen": sorted(read_to.seen),
        "recipient": asdict(destination.recipient),
        "changeset": folder.path.name,
    }


def _enter(destination: Verifies, folder: RunFolder, stream: Stream, found: list[Reported]) -> None:
    parts = folder.parts(stream.name)
    outcomes = folder.outcomes(stream.name)
    if not found or not np.any(outcomes == Outcome.DELIVERED):
        return
    ledger = None
    for kept in destination.not_applied(parts, outcomes.copy(), found):
        ledger = ledger or Ledger(parts, outcomes, destination.identifiers, identified_by=stream.identifier)
        numbers = kept.rows.to_pylist()
        # Their keys are in the journal already, from when they were accepted.
        keys = [0] * len(numbers)
        if kept.outcome is Outcome.EXCLUDED:
            ledger.exclude(numbers, keys, [Cause(STAGE, kept.why)])
        else:
            ledger.fail(numbers, keys, kept.outcome, Cause(STAGE, kept.why))
    if ledger is not None:
        ledger.close(STOPPED)


def _path(folder: RunFolder) -> Path:
    return folder.path / "read_back.json"


def _known(folder: RunFolder) -> dict[str, Any]:
    path = _path(folder)
    known: dict[str, Any] = orjson.loads(path.read_bytes()) if path.exists() else {}
    return known


def _write(folder: RunFolder, known: dict[str, Any]) -> None:
    with whole_file(_path(folder)) as file:
        file.write(orjson.dumps(known))
    if folder.shared is not None:
        folder.shared.put_one(folder.path, _path(folder).name)
