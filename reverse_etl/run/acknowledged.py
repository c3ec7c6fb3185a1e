"""What a sync's destination acknowledged, generation by generation: written when a run ends, or accounts for another.

Which rows differ from it is for ``changes``.
"""

from __future__ import annotations

import hashlib
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from reverse_etl.changes.attributes import StreamValues
from reverse_etl.changes.commit import Reading, commit, doubt_all, forget_answers
from reverse_etl.changes.compared import Compared, compared
from reverse_etl.changes.enter_values import enter_values
from reverse_etl.changes.fingerprints import VERSION
from reverse_etl.changes.forget import forget_before, forget_strangers
from reverse_etl.changes.generation import Generations, Made
from reverse_etl.changes.gone import gone_in_log
from reverse_etl.changes.keyed import Keyed
from reverse_etl.changes.secret import secret_id, secret_of
from reverse_etl.changeset.recipient import rows_for
from reverse_etl.config.streams import ROWS
from reverse_etl.errors import StateError
from reverse_etl.files.scratch import scratch_in
from reverse_etl.files.storage import storage_from_environment
from reverse_etl.run.remembers import compares
from reverse_etl.run.sharing import fetch
from reverse_etl.state.snapshots import Snapshot, move_snapshot, snapshot_of

if TYPE_CHECKING:
    from reverse_etl.changeset.parts import Facts, RunFolder
    from reverse_etl.config.syncs import SyncConfig
    from reverse_etl.destinations.powers import Compares, Merges
    from reverse_etl.run.record import SyncRun


def write_generation(run: SyncRun, facts: Facts) -> int | None:
    """Writes what is acknowledged once a run has come to its end.

    Returns:
        The generation that it follows, to be moved on in the transaction that closes the run; None where nothing was
        sent.

    Raises:
        StateError: It cannot be written.
    """
    found = compared(run.folder)
    if found is None or not compares(run.sync):
        return None
    snapshot = snapshot_of(run.store, run.sync.name)
    if (snapshot.generation, snapshot.sending) != (found.generation, run.folder.path.name):
        return None
    _write(run, run.folder, facts, found, made_by=snapshot.made_by, certain=found.certain)
    return found.generation


def forget_old_generations(run: SyncRun, generation: int) -> None:
    """Removes the files that nothing needs once a generation counts; what cannot be removed now is removed later."""
    keep, now = run.sync.changes.keep, time.time()
    with suppress(StateError):
        forget_before(generations_of(run), generation, kept_since=None if keep is None else now - keep.total_seconds())
        forget_strangers(generations_of(run), generation, now=now)


def settle(run: SyncRun, snapshot: Snapshot) -> Snapshot:
    """Accounts for a run that stopped while it sent and is not continued: what has no answer is in doubt."""
    folder = run.home.run_folder(run.sync.name, snapshot.sending)
    fetch(folder)
    facts, found = folder.facts(), compared(folder)
    if facts is not None and found is not None and found.generation == snapshot.generation:
        _write(run, folder, facts, found, made_by=snapshot.made_by, certain=False)
    else:
        _write_doubt(run, snapshot)
    with run.store.writing() as connection:
        move_snapshot(connection, run.sync.name, generation=snapshot.generation, changeset=snapshot.sending)
    return snapshot_of(run.store, run.sync.name)


def _write(run: SyncRun, folder: RunFolder, facts: Facts, found: Compared, *, made_by: str, certain: bool) -> None:
    generations, secret = generations_of(run), secret_of(run.home.path)
    made = generations.made(found.generation, made_by) if found.known else None
    rows = rows_for(folder)
    generations.begin(found.generation + 1)
    counts: dict[str, int] = {}
    needed: dict[str, dict[str, str]] = {}
    gone = 0
    with scratch_in(folder.path / "scratch") as database:
        for stream in run.sync.streams:
            name = stream.name
            before = generations.stream(found.generation, name) if made and name in made.rows else None
            after = generations.stream(found.generation + 1, name)
            reading = Reading(
                read_at=facts.started_at,
                whole=facts.has_all_rows,
                certain=certain,
                other_shape=name in found.reshaped,
                leave=run.sync.mirrors,
                expires_s=kind_of(run.sync).forgets_after_s(run.sync, name),
                named=run.sync.gone(name) is not None,
                among=gone_in_log(folder.parts(name)),
                removals=folder.parts(stream.gone) if stream.gone in folder.removals() else None,
            )
            counts[name], here = commit(folder.parts(name), before, after, database, reading)
            gone += here
            if (values := found.values.get(name)) is not None:
                files = generations.needed_values(made, name) if made and values.known else []
                rows_with_values, anew = enter_values(
                    folder.parts(name),
                    acknowledged=(before, after),
                    files=files,
                    after=generations.values(found.generation + 1, name),
                    values=values,
                    database=database,
                )
                needed[name] = {} if anew or made is None else dict(made.values[name])
                if anew or rows_with_values:
                    needed[name][str(found.generation + 1)] = ""
            forget_answers(folder.parts(name))
    now = int(time.time())
    generations.seal(
        found.generation + 1,
        Made(
            run_id=folder.path.name,
            read_at=facts.started_at,
            full_at=now if made is None or (found.everything and facts.completes) else made.full_at,
            recipient=rows.recipient.as_text() if rows else "",
            secret_id=secret_id(secret),
            shapes=found.shapes or shapes_of(run.sync),
            identities=found.identities or identities_of(run.sync),
            rows=counts,
            gone=gone,
            follows=made_by if made is not None else "",
            attributes={name: list(found.values[name].names) for name in needed},
            values=needed,
            left={name: list(found.values[name].left) for name in needed},
            made_at=now,
            sent_by=run.run_id if run.folder.path == folder.path else "",
        ),
    )


def _write_doubt(run: SyncRun, snapshot: Snapshot) -> None:
    """Nothing is known of what was sent: every key that was acknowledged is in doubt."""
    generations = generations_of(run)
    made = generations.made(snapshot.generation, snapshot.made_by) if snapshot.generation else None
    generations.begin(snapshot.generation + 1)
    if made is None:
        return
    with scratch_in(run.folder.path / "scratch") as database:
        for name in made.rows:
            doubt_all(
                generations.stream(snapshot.generation, name),
                generations.stream(snapshot.generation + 1, name),
                database,
            )
    generations.seal(
        snapshot.generation + 1,
        replace(
            made,
            run_id=snapshot.sending,
            follows=snapshot.made_by,
            attributes={},
            values={},
            made_at=int(time.time()),
            sent_by="",
        ),
    )


def kind_of(sync: SyncConfig) -> Compares:
    """The kind of destination, which compares."""
    from reverse_etl.destinations import kind
    from reverse_etl.destinations.powers import Compares

    found = kind(sync.DESTINATION)
    if not isinstance(found, Compares):
        raise TypeError(f"{sync.DESTINATION} does not compare")
    return found


def remembered_streams(sync: SyncConfig) -> dict[str, StreamValues]:
    """The streams whose values are remembered, and what the sync's file makes of them; nothing is known of any yet."""
    if not sync.remembers_values:
        return {}
    kind = known_by_attribute(sync)
    remembered = {}
    for name in (stream.name for stream in sync.streams):
        # The settings that need values without `keep` are of the rows alone.
        if (text := kind.cleared(sync, name)) is not None and (name == ROWS or sync.changes.keep is not None):
            remembered[name] = StreamValues(
                (),
                text,
                narrow=name == ROWS and sync.sends_changed_attributes,
                clear=name == ROWS and sync.clears_removed_attributes,
                lasting=kind.lasting(sync, name),
            )
    return remembered


def known_by_attribute(sync: SyncConfig) -> Merges:
    """The kind of destination, in which each attribute is known by itself."""
    from reverse_etl.destinations import kind
    from reverse_etl.destinations.powers import Merges

    found = kind(sync.DESTINATION)
    if not isinstance(found, Merges):
        raise TypeError(f"{sync.DESTINATION} remembers no values")
    return found


def keyed(sync: SyncConfig, stream: str, secret: bytes) -> Keyed:
    """What the fingerprints of a stream are made with."""
    return Keyed(
        secret, sync.name, _identity(sync, stream), sync.stream(stream) if sync.gone(stream) is not None else None
    )


def identities_of(sync: SyncConfig) -> dict[str, str]:
    """For each stream, a hash of what its keys name: with another one, acknowledged keys are of other things."""
    return {stream.name: _hash("\0".join(_identity(sync, stream.name))) for stream in sync.streams}


def _identity(sync: SyncConfig, stream: str) -> tuple[str, ...]:
    return sync.DESTINATION, sync.destination, *kind_of(sync).identity(sync, stream)


def shapes_of(sync: SyncConfig) -> dict[str, str]:
    """For each stream, a hash of what decides how a row is sent, beside its values."""
    kind = kind_of(sync)
    texts = {stream.name: f"{VERSION} {kind.shape(sync, stream.name)}" for stream in sync.streams}
    return {name: _hash(text) for name, text in texts.items()}


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def generations_of(run: SyncRun, sync: str = "") -> Generations:
    """The generations of a run's sync, or of another one."""
    return Generations(run.home.snapshots / (sync or run.sync.name), storage_from_environment())
