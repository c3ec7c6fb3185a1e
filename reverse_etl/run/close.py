"""The end of a run: its row in the history, its failed rows, the new last sync time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from reverse_etl.changes.ahead import remove_left
from reverse_etl.changes.compared import compared
from reverse_etl.changeset.asked import reads_only_changes
from reverse_etl.changeset.excluded import excluded_by
from reverse_etl.changeset.failed_rows_csv import write_failed_rows
from reverse_etl.changeset.parts import count
from reverse_etl.changeset.recipient import rows_for
from reverse_etl.changeset.scope import Reads
from reverse_etl.changeset.while_read import drop
from reverse_etl.errors import StateError
from reverse_etl.report import Counts, PieceOf, RunReport, Status
from reverse_etl.run.acknowledged import forget_old_generations, write_generation
from reverse_etl.run.carry import carry, failed_rows, forget
from reverse_etl.run.open_runs import has_closed
from reverse_etl.run.remembers import compares
from reverse_etl.run.sentences import joined
from reverse_etl.run.sharing import put_at_end
from reverse_etl.run.undelivered import write_undelivered
from reverse_etl.run.verdict import verdict
from reverse_etl.state import workspace_lease
from reverse_etl.state.check_results import warnings_of
from reverse_etl.state.runs import Reading, close_run
from reverse_etl.state.syncs import sync_state
from reverse_etl.workers import heartbeat
from reverse_etl.workers.folder_lock import release

if TYPE_CHECKING:
    from reverse_etl.changeset.parts import Facts
    from reverse_etl.changeset.recipient import RowsFor
    from reverse_etl.run.record import SyncRun
    from reverse_etl.state.runs import Carrying


_NOT_CONFIRMED: Final = "The {} did not identify itself, so last sync time stays."


def close(run: SyncRun, status: Status | None, *, message: str = "", exit_code: int = 0) -> RunReport:
    """Writes the run's row, its failed rows and, for a completed run, the new last sync time; others may continue it.

    Args:
        run: The run.
        status: How it ended; None lets the counts decide: completed, some rows failed, or failed as they do not add up.
        message: First line for people.
        exit_code: What the command ends with.
    """
    try:
        report = _close(run, status, message, exit_code)
    finally:
        drop(run.folder)
        remove_left(run.folder)
        has_closed(run.run_id)
        release(run.folder.path)
        heartbeat.stop(run.lease_id)
    workspace_lease.give_back(run.store, run.lease_id)
    run.closed(report)
    return report


def _close(run: SyncRun, status: Status | None, message: str, exit_code: int) -> RunReport:
    from reverse_etl.delivery.read_back import not_verified
    from reverse_etl.state.run_history import attempt_of

    facts, rows_are_for = run.folder.facts(), rows_for(run.folder)
    if facts is not None and status is not None:
        write_undelivered(run.sync, run.folder, status=status, exit_code=exit_code)
    streams = {stream: count(run.folder.outcomes(stream)) for stream in run.folder.sent()}
    total = sum(streams.values(), Counts())
    csv = run.home.failed_rows_csv(run.sync.name, run.run_id)
    attempt = attempt_of(run.store, run.run_id, root_run_id=run.root_run_id, began_at=run.began_at)
    attempt += facts.attempts_before if facts else 0
    failed = write_failed_rows(csv, failed_rows(run, facts, attempt)) if total.failed else 0
    found_at, here_only = put_at_end(run, csv if failed else None)
    carrying = None
    if status is None and not here_only:
        carrying, here_only = _carry(run, facts, attempt)
    if status is None and not here_only:
        status, message, exit_code = verdict(run.sync, run.folder, streams, carrying, run_id=run.run_id)
    else:
        if status is None:
            status, message, exit_code = Status.FAILED, f"{run.sync.where}: {here_only}", StateError.exit_code
        elif here_only:
            message = joined(message, f"Besides, {here_only}")
        if total.delivered:
            message = joined(message, not_verified(run.folder, run.sync.name))
    follows, not_kept = _write_generation(run, facts, status)
    if not_kept:
        status, exit_code = Status.FAILED, StateError.exit_code
        message = joined(message, f"Besides, {not_kept}") if message else f"{run.sync.where}: {not_kept}"
    confirmed = rows_are_for is None or rows_are_for.confirmed
    not_confirmed = "" if confirmed or exit_code else _NOT_CONFIRMED.format(run.sync.PLACE)
    # It is about what was read.
    if facts is not None and rows_are_for is not None and (note := rows_are_for.note or not_confirmed):
        message = joined(message, note) if message else f"{run.sync.where}: {note}"
    kept = status is Status.COMPLETED or (carrying is not None and not carrying.holds)
    if total.failed and not kept and (note := _not_read_again(run, facts, rows_are_for)):
        message = joined(message, note) if message else f"{run.sync.where}: {note}"
    found = compared(run.folder)
    with run.store.reading() as connection:
        warnings = warnings_of(connection, [run.run_id]).get(run.run_id, ())
    report = RunReport(
        sync=run.sync.name,
        run_id=run.run_id,
        status=status,
        started_at=run.began_at,
        duration_s=max(0.0, time.time() - run.began_at.timestamp()),
        read_from=facts.read_from if facts else None,
        streams=streams,
        failed_rows_csv=found_at,
        message=message,
        exit_code=exit_code,
        reads=facts.reads.value if facts else "",
        carried=carrying.counts if carrying else None,
        excluded_by=excluded_by(run.folder, total.excluded) if total.excluded else (),
        warnings=warnings,
        piece=PieceOf(facts.piece.number, facts.piece.of) if facts and facts.piece else None,
        added=sum(each.added for each in found.streams.values()) if found else None,
        changed=sum(each.changed for each in found.streams.values()) if found else None,
    )
    closed = close_run(
        run.store,
        report,
        root_run_id=run.root_run_id,
        workspace=run.sync.destination,
        failed_rows=failed_rows(run, facts, attempt),
        addresses={stream.name for stream in run.sync.streams if "email" in stream.identifier},
        new_last_sync_time=facts.next_last_sync_time if facts and confirmed else None,
        sent_as_of=facts.started_at if facts and total.delivered else None,
        read=_reading(facts, rows_are_for, confirmed=confirmed) if facts else None,
        snapshot=None if follows is None else (follows, run.folder.path.name),
        carrying=carrying,
    )
    if follows is not None:
        forget_old_generations(run, follows + 1)
    if carrying is not None:
        forget(run, carrying)
    return closed


def _reading(facts: Facts, rows: RowsFor | None, *, confirmed: bool) -> Reading:
    """What is remembered of the reading: for changes after a last piece, what the run of the first one knew."""
    of = facts.piece or facts
    return Reading(
        of.reaches_to,
        of.clock_ahead_s,
        facts.asked,
        rows.recipient if rows else None,
        of.place,
        piece=facts.piece if confirmed else None,
        everything=facts.is_whole and facts.read_from == 0,
    )


def _write_generation(run: SyncRun, facts: Facts | None, status: Status) -> tuple[int | None, str]:
    """What is acknowledged now: the generation that it follows, and why it could not be written, a sentence.

    A run that stopped while it sent is continued, or accounted for by the next one.
    """
    if facts is None or status not in (Status.COMPLETED, Status.SOME_ROWS_FAILED):
        return None, ""
    try:
        return write_generation(run, facts), ""
    except StateError as error:
        return None, f"what was acknowledged could not be kept: {error}"


def _carry(run: SyncRun, facts: Facts | None, attempt: int) -> tuple[Carrying | None, str]:
    """What becomes of failed rows that are carried, and why they could not be written, a sentence."""
    if facts is None:
        return None, ""
    try:
        return carry(run, facts, attempt), ""
    except StateError as error:
        return None, f"the failed rows that the next run reads again could not be kept: {error}"


def _not_read_again(run: SyncRun, facts: Facts | None, rows: RowsFor | None) -> str:
    """What to do for the failed rows of a run that read rows which last sync time does not stand for."""
    if facts is None or facts.since or facts.retry_of or facts.reads is Reads.UNDO or (rows is not None and rows.note):
        return ""
    # A piece that is left is read again, whatever last sync time is.
    if facts.piece is not None:
        return ""
    if run.sync.changes.by == "log" or reads_only_changes(run.sync):
        of_next = "reads only what changed since last sync time"
    elif compares(run.sync):
        of_next = f"sends only what differs from what the {run.sync.PLACE} acknowledged"
    else:
        return ""
    if not sync_state(run.store, run.sync.name).last_sync_time:
        return ""
    again = "run with --full again, or run" if facts.reads is Reads.FULL else "run"
    return f"The next run {of_next}: for these rows, {again}: reverse-etl retry {run.sync.name}"
