"""The part of a run that compares: with which generation, what is marked before sending, what is entered afterwards.

Rows that were read against one generation are never sent over a newer one: what they would overwrite may be newer.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from reverse_etl.changes.commit import Reading, commit, doubt_all
from reverse_etl.changes.compare import Keyed, enter_plan, write_fingerprints, write_plan
from reverse_etl.changes.compared import Compared, compared, keep
from reverse_etl.changes.fingerprints import VERSION
from reverse_etl.changes.generation import Generations, Made
from reverse_etl.changes.secret import secret_id, secret_of
from reverse_etl.changeset.recipient import Recipient, rows_for
from reverse_etl.changeset.scope import Reads
from reverse_etl.errors import ReverseEtlError, StateError
from reverse_etl.files.private import make_private_folder
from reverse_etl.files.scratch import scratch_database
from reverse_etl.files.storage import storage_from_environment
from reverse_etl.run.sharing import fetch
from reverse_etl.state.snapshots import Snapshot, forget_snapshot, mark_sending, move_snapshot, snapshot_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

    from reverse_etl.changeset.parts import Facts, RunFolder
    from reverse_etl.config.syncs import SyncConfig
    from reverse_etl.destinations.powers import Compares
    from reverse_etl.run.record import SyncRun


def compares(sync: SyncConfig) -> bool:
    """Whether a sync sends only what differs from what was acknowledged."""
    return sync.changes.by == "compare"


def generation_to_compare_with(run: SyncRun) -> int | None:
    """The generation that rows that are read from now on are compared with; None for a sync that does not compare.

    What an earlier run left half sent, and this one does not continue, is accounted for first.

    Raises:
        StateError: Its files cannot be read or written.
    """
    if not compares(run.sync):
        return None
    known = snapshot_of(run.store, run.sync.name)
    return _settle(run, known).generation if known.sending else known.generation


def compare(run: SyncRun, facts: Facts) -> Compared:
    """Compares a run's checked rows and marks those that are not to be sent.

    Raises:
        StateError: Another run has sent newer rows; or files cannot be read or written.
    """
    sync, folder = run.sync, run.folder
    snapshot = snapshot_of(run.store, sync.name)
    _require_newest(run, facts.generation, snapshot)
    secret = secret_of(run.home.path)
    made, note = _made(run, snapshot, secret)
    shapes = _shapes(sync)
    reshaped = tuple(name for name in shapes if made is not None and made.shapes.get(name) != shapes[name])
    everything = facts.reads in (Reads.FULL, Reads.ONLY) or (made is not None and _is_due(sync, made))
    found = Compared(
        generation=snapshot.generation,
        known=made is not None,
        everything=everything,
        reshaped=reshaped,
        gone_before=made.gone if made else 0,
        certain=snapshot.sending != folder.path.name,
        note=note or _reshaped_note(reshaped),
    )
    kind = _kind(sync)
    with _database(folder) as database:
        for name in facts.streams:
            parts, outcomes = folder.parts(name), folder.outcomes(name)
            before = _generations(run).stream(snapshot.generation, name) if made and name in made.rows else None
            as_sent = partial(kind.as_sent, sync=sync, stream=name)
            write_fingerprints(parts, outcomes, as_sent, _keyed(sync, name, secret))
            write_plan(parts, before, database, all_rows=everything or name in reshaped)
            found.streams[name] = enter_plan(parts, outcomes)
            parts.write_outcomes(outcomes)
    keep(folder, found)
    return found


def begin_sending(run: SyncRun) -> None:
    """Marks that a run's rows are about to be sent.

    Raises:
        StateError: Another run has sent newer rows.
    """
    if not compares(run.sync):
        # What it sends is not compared: afterwards, nothing that was acknowledged before is certain.
        if snapshot_of(run.store, run.sync.name) != Snapshot():
            forget_snapshot(run.store, run.sync.name)
        return
    found = compared(run.folder)
    if found is None:
        raise _overtaken(run)
    if found.certain and snapshot_of(run.store, run.sync.name).sending == run.folder.path.name:
        keep(run.folder, replace(found, certain=False))
    changeset = run.folder.path.name
    if not mark_sending(run.store, run.sync.name, generation=found.generation, changeset=changeset):
        raise _overtaken(run)


def note_repeats(folder: RunFolder) -> None:
    """Notes that rows of a run may have been sent twice, so that no refusal says that nothing was applied."""
    found = compared(folder)
    if found is not None and found.certain:
        keep(folder, replace(found, certain=False))


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
    _write(run, run.folder, facts, found, certain=found.certain)
    return found.generation


def forget_old_generations(run: SyncRun, generation: int) -> None:
    """Removes the files that nothing needs once a generation counts; what cannot be removed now is removed later."""
    with suppress(StateError):
        _generations(run).forget_before(generation)


def _settle(run: SyncRun, snapshot: Snapshot) -> Snapshot:
    """Accounts for a run that stopped while it sent and is not continued: what has no answer is in doubt."""
    folder = run.home.run_folder(run.sync.name, snapshot.sending)
    fetch(folder)
    facts, found = folder.facts(), compared(folder)
    if facts is not None and found is not None and found.generation == snapshot.generation:
        _write(run, folder, facts, found, certain=False)
    else:
        _write_doubt(run, snapshot)
    with run.store.writing() as connection:
        move_snapshot(connection, run.sync.name, generation=snapshot.generation, changeset=snapshot.sending)
    return snapshot_of(run.store, run.sync.name)


def _write(run: SyncRun, folder: RunFolder, facts: Facts, found: Compared, *, certain: bool) -> None:
    generations, secret = _generations(run), secret_of(run.home.path)
    made = generations.made(found.generation) if found.known else None
    rows = rows_for(folder)
    generations.begin(found.generation + 1)
    counts: dict[str, int] = {}
    gone = 0
    with _database(folder) as database:
        for name in facts.streams:
            before = generations.stream(found.generation, name) if made and name in made.rows else None
            after = generations.stream(found.generation + 1, name)
            reading = Reading(
                read_at=facts.started_at,
                whole=facts.has_all_rows,
                certain=certain,
                other_shape=name in found.reshaped,
                expires_s=_kind(run.sync).forgets_after_s(run.sync, name),
            )
            counts[name], here = commit(folder.parts(name), before, after, database, reading)
            gone += here
    now = int(time.time())
    generations.seal(
        found.generation + 1,
        Made(
            run_id=folder.path.name,
            read_at=facts.started_at,
            full_at=now if made is None or found.everything else made.full_at,
            recipient=rows.recipient.as_text() if rows else "",
            secret_id=secret_id(secret),
            shapes=_shapes(run.sync),
            rows=counts,
            gone=gone,
        ),
    )


def _write_doubt(run: SyncRun, snapshot: Snapshot) -> None:
    """Nothing is known of what was sent: every key that was acknowledged is in doubt."""
    generations = _generations(run)
    made = generations.made(snapshot.generation) if snapshot.generation else None
    generations.begin(snapshot.generation + 1)
    if made is None:
        return
    with _database(run.folder) as database:
        for name in made.rows:
            doubt_all(
                generations.stream(snapshot.generation, name),
                generations.stream(snapshot.generation + 1, name),
                database,
            )
    generations.seal(snapshot.generation + 1, replace(made, run_id=snapshot.sending))


def _made(run: SyncRun, snapshot: Snapshot, secret: bytes) -> tuple[Made | None, str]:
    """What a generation is of, and why it cannot be used where that is worth a sentence."""
    if not snapshot.generation:
        return None, ""
    made = _generations(run).made(snapshot.generation)
    if made is None:
        return None, "The files that say what was acknowledged are missing or cut short, so every row was sent."
    if made.secret_id != secret_id(secret):
        return None, "The secret is not the one that was used before, so every row was sent."
    rows = rows_for(run.folder)
    before = Recipient.from_text(made.recipient)
    if rows is None or before is None or not before.is_same(rows.recipient):
        return None, ""
    return made, ""


def _require_newest(run: SyncRun, generation: int | None, snapshot: Snapshot) -> None:
    changeset = run.folder.path.name
    mine = snapshot.made_by == changeset
    if (generation == snapshot.generation or mine) and snapshot.sending in ("", changeset):
        return
    raise _overtaken(run)


def _overtaken(run: SyncRun) -> ReverseEtlError:
    return StateError(
        "a later run has sent newer rows than this one read, so nothing was sent.",
        hint=f"Read them again: reverse-etl run {run.sync.name}",
    ).located(run.sync.where)


def _is_due(sync: SyncConfig, made: Made) -> bool:
    every = sync.changes.full_every
    return every is not None and time.time() - made.full_at >= every.total_seconds()


def _reshaped_note(reshaped: tuple[str, ...]) -> str:
    if not reshaped:
        return ""
    return "How rows are sent changed in the sync's file, so every row was sent."


def _kind(sync: SyncConfig) -> Compares:
    from reverse_etl.destinations import kind
    from reverse_etl.destinations.powers import Compares

    found = kind(sync.DESTINATION)
    if not isinstance(found, Compares):
        raise TypeError(f"{sync.DESTINATION} does not compare")
    return found


def _shapes(sync: SyncConfig) -> dict[str, str]:
    kind = _kind(sync)
    texts = {stream.name: f"{VERSION} {kind.shape(sync, stream.name)}" for stream in sync.streams}
    return {name: hashlib.sha256(text.encode()).hexdigest()[:16] for name, text in texts.items()}


def _keyed(sync: SyncConfig, stream: str, secret: bytes) -> Keyed:
    return Keyed(secret, sync.name, (sync.DESTINATION, sync.destination, *_kind(sync).identity(sync, stream)))


def _generations(run: SyncRun) -> Generations:
    return Generations(run.home.snapshots / run.sync.name, storage_from_environment())


@contextmanager
def _database(folder: RunFolder) -> Iterator[duckdb.DuckDBPyConnection]:
    scratch = folder.path / "scratch"
    try:
        make_private_folder(scratch)
        with scratch_database(scratch) as database:
            yield database
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
