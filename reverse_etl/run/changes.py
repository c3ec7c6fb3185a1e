"""The part of a run that compares: with which generation, what is marked before sending, what is entered afterwards.

Whether its rows may still be sent is for ``run.overtaken``.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reverse_etl.changes.ahead import FingerprintedAhead
from reverse_etl.changes.changed_rows import changed_rows
from reverse_etl.changes.compared import Compared, compared, keep
from reverse_etl.changes.secret import secret_id, secret_of
from reverse_etl.changeset.asked import reads_only_changes
from reverse_etl.changeset.recipient import Recipient, rows_for
from reverse_etl.changeset.scope import WHAT_CHANGED, Reads, Scope
from reverse_etl.changeset.while_read import take
from reverse_etl.files.scratch import scratch_in
from reverse_etl.run.acknowledged import generations_of, identities_of, settle, shapes_of
from reverse_etl.run.comparison import Comparison
from reverse_etl.run.gone import prepare_removals
from reverse_etl.run.overtaken import overtaken, require_newest
from reverse_etl.run.remembers import compares
from reverse_etl.run.shown import shown_key, shown_texts
from reverse_etl.state.snapshots import Snapshot, forget_snapshot, mark_sending, snapshot_of

if TYPE_CHECKING:
    from reverse_etl.changes.changed_rows import ChangedRow
    from reverse_etl.changes.generation import Made
    from reverse_etl.changeset.parts import Facts, RunFolder
    from reverse_etl.config.syncs import SyncConfig
    from reverse_etl.run.record import SyncRun


_OTHER_KEYS: Final = "What identifies rows is another thing than before, so every row is sent."


def generation_to_compare_with(run: SyncRun) -> int | None:
    """The generation that rows that are read from now on are compared with; None for a sync that does not compare.

    What an earlier run left half sent, and this one does not continue, is accounted for first.

    Raises:
        ConfigError: The secret is missing or too short.
        StateError: It cannot be read, or the files of what was acknowledged not be read or written.
    """
    if not compares(run.sync):
        return None
    # A secret that cannot be used ends the run before anything is read.
    secret_of(run.home.path)
    known = snapshot_of(run.store, run.sync.name)
    return settle(run, known).generation if known.sending else known.generation


def with_all_rows_when_due(run: SyncRun, scope: Scope) -> Scope:
    """What a run reads: everything where `full_every` is due and its queries would return what changed alone.

    Args:
        run: The run.
        scope: What it was asked to read.
    """
    sync = run.sync
    if (
        replace(scope, gone_max="", adds_max="", updates_max="") != WHAT_CHANGED
        or sync.changes.full_every is None
        or not reads_only_changes(sync)
    ):
        return scope
    snapshot = snapshot_of(run.store, sync.name)
    made = generations_of(run).made(snapshot.generation, snapshot.made_by) if snapshot.made_by else None
    return replace(scope, full=True) if made is not None and _is_due(sync, made) else scope


def compare(run: SyncRun, facts: Facts, *, planned: bool = False) -> Compared:
    """Compares a run's checked rows and marks those that are not to be sent.

    Args:
        run: The run.
        facts: What its extraction knew.
        planned: Whether nothing will be sent, so that it may be compared with what is about to be replaced.

    Raises:
        StateError: Another run has sent newer rows; or files cannot be read or written.
    """
    sync, folder = run.sync, run.folder
    snapshot = snapshot_of(run.store, sync.name)
    if not planned:
        require_newest(run, facts.generation, snapshot)
    secret = secret_of(run.home.path)
    made, note = _made(run, snapshot, secret)
    note = " ".join(filter(None, (note, _not_removed(sync) if note and made is None else "")))
    shapes = shapes_of(sync)
    reshaped = tuple(name for name in shapes if made is not None and made.shapes.get(name) != shapes[name])
    # What failed is sent by a retry even if it is as it was acknowledged: a run of everything may have been refused it.
    everything = facts.reads in (Reads.FULL, Reads.ONLY, Reads.RETRY, Reads.UNDO) or (
        made is not None and _is_due(sync, made)
    )
    found = Compared(
        generation=snapshot.generation,
        known=made is not None,
        everything=everything,
        reshaped=reshaped,
        gone_before=made.gone if made else 0,
        certain=snapshot.sending != folder.path.name,
        note=note or _reshaped_note(reshaped),
        shapes=shapes,
        identities=identities_of(sync),
    )
    with scratch_in(folder.path / "scratch") as database, ExitStack() as stack:
        if (ahead := take(FingerprintedAhead, sync, folder)) is not None:
            stack.callback(ahead.drop)
        comparison = Comparison(run, facts, made, secret, found, database, ahead)
        for stream in sync.streams:
            comparison.compare(stream)
    found = replace(found, names=comparison.names, note=" ".join(filter(None, comparison.notes)))
    if not found.stopped:
        prepare_removals(run, found.gone)
    keep(folder, found)
    return found


def first_changes(run: SyncRun, found: Compared, *, with_values: bool) -> dict[str, tuple[ChangedRow, ...]]:
    """The first rows of each stream of which it is known what changed.

    Args:
        run: The run.
        found: What its comparison found.
        with_values: Whether keys and values are shown.
    """
    snapshot = snapshot_of(run.store, run.sync.name)
    made, _ = _made(run, snapshot, secret_of(run.home.path))
    if made is None:
        return {}
    shown = {}
    with scratch_in(run.folder.path / "scratch") as database:
        for name, values in found.values.items():
            files = generations_of(run).needed_values(made, name)
            rows = changed_rows(run.folder.parts(name), files, values, database, with_values=with_values)
            shown[name] = tuple(_as_shown(run.sync, name, row) for row in rows)
    return shown


def _as_shown(sync: SyncConfig, stream: str, row: ChangedRow) -> ChangedRow:
    if row.key is None:
        return row
    return replace(row, key=shown_key(sync, stream, row.key), values=shown_texts(sync, row.values))


def begin_sending(run: SyncRun) -> None:
    """Marks that a run's rows are about to be sent.

    Raises:
        StateError: Another run has sent newer rows.
    """
    if not compares(run.sync):
        # What it sends is not compared: afterwards, nothing that was acknowledged before is certain.
        forget_snapshot(run.store, run.sync.name)
        return
    found, snapshot = compared(run.folder), snapshot_of(run.store, run.sync.name)
    # Also without a row to send it may take away what newer rows brought: who is in a mirrored segment.
    require_newest(run, found.generation if found else None, snapshot)
    if found is None or not found.changes_anything:
        return
    if found.certain and snapshot.sending == run.folder.path.name:
        keep(run.folder, replace(found, certain=False))
    changeset = run.folder.path.name
    if not mark_sending(run.store, run.sync.name, generation=found.generation, changeset=changeset):
        raise overtaken(run)


def note_repeats(folder: RunFolder) -> None:
    """Notes that rows of a run may have been sent twice, so that no refusal says that nothing was applied."""
    found = compared(folder)
    if found is not None and found.certain:
        keep(folder, replace(found, certain=False))


def _made(run: SyncRun, snapshot: Snapshot, secret: bytes) -> tuple[Made | None, str]:
    """What a generation is of, and why it cannot be used where that is worth a sentence."""
    if not snapshot.made_by:
        return None, _why_nothing_is_known(run, snapshot)
    made = generations_of(run).made(snapshot.generation, snapshot.made_by)
    if made is None:
        return None, "The files that say what was acknowledged are missing or damaged, so every row is sent."
    if made.secret_id != secret_id(secret):
        return None, "The secret is not the one that was used before, so every row is sent."
    rows = rows_for(run.folder)
    before = Recipient.from_text(made.recipient)
    if rows is None or before is None or not before.is_same(rows.recipient):
        return None, ""
    here, shapes = identities_of(run.sync), shapes_of(run.sync)
    # An earlier release did not write down what keys name: what else decides how rows are sent tells it, too.
    was, now = (made.identities, here) if made.identities else (made.shapes, shapes)
    if any(was[name] != now[name] for name in was.keys() & now.keys()):
        return None, _OTHER_KEYS if made.identities else _reshaped_note(tuple(was))
    return made, ""


def _why_nothing_is_known(run: SyncRun, snapshot: Snapshot) -> str:
    """A sentence; empty before the first run that compares has ended."""
    if snapshot.generation:
        return "The last run that sent rows did not compare them, so every row is sent."
    if snapshot == Snapshot() and generations_of(run).are_here:
        return "The state database no longer knows what was acknowledged, so every row is sent."
    return ""


def _not_removed(sync: SyncConfig) -> str:
    """What is no longer known besides, a sentence; empty where nothing would become of it."""
    gone = (sync.gone(stream.name) for stream in sync.streams)
    if sync.changes.by != "compare" or all(each is None or each.of_table for each in gone):
        return ""
    return f"What left the query since then is not known, and stays in the {sync.PLACE}."


def _is_due(sync: SyncConfig, made: Made) -> bool:
    every = sync.changes.full_every
    return every is not None and time.time() - made.full_at >= every.total_seconds()


def _reshaped_note(reshaped: tuple[str, ...]) -> str:
    if not reshaped:
        return ""
    return "How rows are sent changed in the sync's file, so every row is sent."
