"""Rows that are gone: when a run knows them at all, how many it may remove at once, and which run may.

Nothing is removed because something is unknown. Rows that are not all rows, or that have no key, remove nothing.
Neither does a run where nothing was acknowledged, or while another sync of the same things has a run that has not
ended. And a run that continues another run's rows removes nothing, because these may be older than what is there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from reverse_etl.changes.gone import GoneKeys, find_gone, gone_before, write_gone_in_log, write_removals
from reverse_etl.changes.keyed import FINGERPRINTS_FILE
from reverse_etl.changes.secret import secret_id, secret_of
from reverse_etl.changeset.columns import deleted_rows
from reverse_etl.changeset.excluded import Excluded
from reverse_etl.changeset.from_log import GONE_FILE as GONE_IN_LOG
from reverse_etl.changeset.parts import REMOVALS_FILE, ROW_NUMBER
from reverse_etl.config.gone import DELETED
from reverse_etl.config.limits import parse_limit
from reverse_etl.counted import counted
from reverse_etl.errors import CheckFailedError
from reverse_etl.files.private import whole_file
from reverse_etl.report import Outcome
from reverse_etl.run.acknowledged import generations_of, identities_of
from reverse_etl.run.planned_run import PREFIX
from reverse_etl.state.snapshots import snapshot_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import duckdb

    from reverse_etl.changes.generation import Made
    from reverse_etl.changes.keyed import Keyed
    from reverse_etl.changeset.parts import Facts, Parts
    from reverse_etl.config.gone import Gone
    from reverse_etl.config.streams import Stream
    from reverse_etl.config.syncs import SyncConfig
    from reverse_etl.destinations.powers import AsSent
    from reverse_etl.run.record import SyncRun

NOTHING_SENT: Final = ": nothing was sent"
"""In the sentences about a run that removes too much."""

_LEFT_TO_NEXT: Final = ("left_to_next_run", "a run that continues another one removes nothing: the next run does.")


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found of a stream's gone keys.

    Attributes:
        keys: By what becomes of them; None where it is not known who is gone.
        note: Why not, a sentence; empty where there is no reason to say so.
    """

    keys: GoneKeys | None = None
    note: str = ""


def look_for_gone(
    run: SyncRun, facts: Facts, stream: Stream, before: Path, database: duckdb.DuckDBPyConnection, among: Path | None
) -> Looked:
    """Finds which keys of a stream are gone, and which of them are removed now. Raises StateError.

    Args:
        run: The run, whose rows have fingerprints.
        facts: What its extraction knew.
        stream: The stream.
        before: What was acknowledged.
        database: For a while.
        among: The fingerprints of the keys that a database's log names as gone; None where it named none.
    """
    gone = run.sync.gone(stream.name)
    if gone is None:
        return Looked()
    parts = run.folder.parts(stream.name)
    if unknown := _without_key(parts, facts.streams[stream.name].rows):
        return Looked(note=f"{unknown}, so it is not known who is gone: nothing was removed.")
    others, unknown = elsewhere(run, stream.name)
    if unknown:
        return Looked(note=unknown)
    if stream.gone in run.folder.removals() and not may_remove(run):
        # What became of them is known by their numbers.
        return Looked(gone_before(parts, before, database))
    keys = find_gone(parts, before, database, gone, read_at=facts.started_at, among=among, elsewhere=others)
    note = ""
    if keys.unnamed:
        left = counted(keys.unnamed, "row is gone and left as it is", "rows are gone and left as they are")
        their = "its identifier was" if keys.unnamed == 1 else "their identifiers were"
        note = f"{left}: {their} not remembered when the destination acknowledged this."
    return Looked(keys, note)


def note_gone_in_log(
    run: SyncRun, facts: Facts, stream: Stream, as_sent: Callable[[pa.RecordBatch], AsSent], keyed: Keyed
) -> None:
    """Writes the fingerprints of the keys that a database's log named and that have no row, where it was asked."""
    if run.sync.changes.by != "log" or not facts.is_whole or facts.has_all_rows:
        return
    path = run.folder.path / GONE_IN_LOG
    # Where nothing changed, no key was looked for.
    read = pq.read_table(path, columns=["key"]).column("key").combine_chunks() if path.exists() else None
    keys = pa.array([], pa.string()) if read is None else read
    [column] = stream.identifier
    write_gone_in_log(keys, run.folder.parts(stream.name), column, as_sent, keyed)


def too_many(sync: SyncConfig, stream: Stream, gone: Gone, facts: Facts, keys: GoneKeys, deleted: int) -> str:
    """Why nothing is sent, because more is gone than may be at once: a sentence; empty where it is not.

    Args:
        sync: The sync.
        stream: The stream.
        gone: What is done with what is gone.
        facts: What the extraction knew.
        keys: The keys that are gone.
        deleted: Rows that say of themselves that they are gone, of those that are sent.
    """
    how_many, known = keys.removed + deleted, keys.known
    if not how_many:
        return ""
    one, several = f"known {_thing(sync, stream)}", f"known {_things(sync, stream)}"
    if gone.of_table:
        one, several = "row of the table", "rows of the table"
    what = f"{how_many:,} of {counted(known, one, several)}"
    is_or_are = "is" if how_many == 1 else "are"
    if facts.gone_max:
        limit = parse_limit(facts.gone_max)
        if not limit.exceeded_by(how_many, known):
            return ""
        see = f"See which: reverse-etl plan {sync.name} --values"
        return f"{what} {is_or_are} gone, more than --gone-max {facts.gone_max} allows{NOTHING_SENT}. {see}"
    again = f"If they are to go, run: reverse-etl run {sync.name} --gone-max {how_many}"
    read = facts.streams[stream.name]
    if keys.removed and read.rows == read.left_out and facts.has_all_rows:
        none = "every row was left out" if read.rows else "the query returned no row"
        return f"{none}, so {what} {is_or_are} gone{NOTHING_SENT}. {again}"
    if how_many <= gone.most(known):
        return ""
    most = gone.most(known)
    limit_text = (
        f"`gone_max_rows: {most}`" if most == gone.max_rows else f"the {most:,} of `gone_max: {gone.max_percent:g}%`"
    )
    return f"{what} {is_or_are} gone, more than {limit_text}{NOTHING_SENT}. {again}"


def require_few_deleted(run: SyncRun, facts: Facts) -> None:
    """Ends a run that does not compare, and whose rows say of more than may be at once that they are gone.

    Raises:
        CheckFailedError: They are more than ``gone_max_rows``; nothing was sent.
    """
    if sentence := deleted_too_many(run, facts):
        raise CheckFailedError(sentence).located(run.sync.where)


def deleted_too_many(run: SyncRun, facts: Facts) -> str:
    """Why a run that does not compare sends nothing; empty where it may."""
    for stream in run.sync.streams:
        gone = run.sync.gone(stream.name)
        if gone is None:
            continue
        deleted = _count_deleted(run, stream.name)
        most = gone.max_rows
        if facts.gone_max:
            limit = parse_limit(facts.gone_max)
            most = deleted if limit.percent is not None else limit.rows or 0
        if deleted > most:
            things = counted(deleted, f"{_thing(run.sync, stream)} is", f"{_things(run.sync, stream)} are")
            named = f"--gone-max {facts.gone_max}" if facts.gone_max else f"`gone_max_rows: {gone.max_rows}`"
            return (
                f"{things} marked as deleted, more than {named} allows{NOTHING_SENT}. "
                f"If they are to go, run: reverse-etl run {run.sync.name} --gone-max {deleted}"
            )
    return ""


def prepare_removals(run: SyncRun, gone: dict[str, GoneKeys]) -> None:
    """Writes the rows that stand for the keys to remove, where the run may remove any. Raises StateError."""
    if not may_remove(run):
        return
    rows = {}
    for stream in run.sync.streams:
        if stream.name in gone and gone[stream.name].removed:
            removals = run.folder.parts(stream.gone)
            rows[stream.gone] = write_removals(run.folder.parts(stream.name), removals, stream)
    if rows or run.folder.removals():
        with whole_file(run.folder.path / REMOVALS_FILE) as file:
            file.write(json.dumps(rows).encode())


def may_remove(run: SyncRun) -> bool:
    """Whether a run that has not begun to send may remove what is gone: the rows' reader, or the first with a plan."""
    changeset = run.folder.path.name
    if run.root_run_id != run.run_id or not changeset.startswith(PREFIX):
        return changeset == run.root_run_id == run.run_id
    # Otherwise another run began to send it, or has, and this one continues: what it removes has numbers and answers.
    snapshot = snapshot_of(run.store, run.sync.name)
    return changeset not in (snapshot.sending, snapshot.made_by)


def leave_removals(run: SyncRun) -> None:
    """Leaves what an earlier run did not remove for the next one that reads. Raises StateError."""
    for stream in () if may_remove(run) else run.folder.removals():
        removals, outcomes = run.folder.parts(stream), run.folder.outcomes(stream)
        left = outcomes == Outcome.UNDELIVERED
        if left.any():
            outcomes[left] = Outcome.EXCLUDED
            removals.write_excluded([Excluded(*_LEFT_TO_NEXT, rows=int(np.count_nonzero(left)))])
            removals.write_outcomes(outcomes)


def _without_key(parts: Parts, rows: int) -> str:
    """Rows of which it is not known whose they are, the beginning of a sentence; empty for none."""
    unshaped = int(np.count_nonzero(parts.shaped(rows) == Outcome.REJECTED))
    if unshaped:
        return f"{counted(unshaped, 'row')} could not be shaped"
    stored = sum(pq.read_metadata(path).num_rows for path in parts.paths())
    without = stored - pq.read_metadata(parts.folder / FINGERPRINTS_FILE).num_rows
    return f"{counted(without, 'row has', 'rows have')} no identifier" if without else ""


def elsewhere(run: SyncRun, stream: str) -> tuple[list[Path], str]:
    """What other syncs acknowledged of the same things; and why that is not known of one of them, a sentence."""
    found: list[Path] = []
    for mine, other, theirs in run.sync.beside:
        if mine != stream:
            continue
        if file := dict(run.sync.uncompared).get(other):
            never = f"Sync {other} does not compare, so it is never known whom it sends: nothing was removed."
            return [], f"{never} Write `changes: {{by: compare}}` in {file}, and run it."
        snapshot = snapshot_of(run.store, other)
        if snapshot.sending:
            return [], f"Sync {other} has a run without an end, so it is not known whom it sends: nothing was removed."
        generations = generations_of(run, other)
        made = generations.made(snapshot.generation, snapshot.made_by) if snapshot.made_by else None
        if made is None or not _names_the_same(run, mine, made, theirs):
            return [], f"It is not known whom sync {other} sends until it has run: nothing was removed."
        found.append(generations.stream(snapshot.generation, theirs))
    return found, ""


def _names_the_same(run: SyncRun, mine: str, made: Made, theirs: str) -> bool:
    """Whether another sync's keys can be compared with this one's: made with the same secret, of the same things."""
    # An earlier release did not write down what keys name.
    same = theirs in made.rows and made.identities.get(theirs) in (None, identities_of(run.sync)[mine])
    return same and made.secret_id == secret_id(secret_of(run.home.path))


def _count_deleted(run: SyncRun, stream: str) -> int:
    outcomes, found = run.folder.outcomes(stream), 0
    parts = run.folder.parts(stream)
    schema = parts.schema()
    if schema is None or DELETED not in schema.names:
        return 0
    for batch in parts.batches([DELETED]):
        sent = outcomes[batch.column(ROW_NUMBER).to_numpy() - 1] == Outcome.UNDELIVERED
        found += int(np.count_nonzero(deleted_rows(batch).to_numpy(zero_copy_only=False) & sent))
    return found


def _thing(sync: SyncConfig, stream: Stream) -> str:
    things = _things(sync, stream)
    return "person" if things == "people" else things.removesuffix("s")


def _things(sync: SyncConfig, stream: Stream) -> str:
    return sync.kind if stream.name == "rows" else stream.name
