"""The stages of one sync's run, written once: Dagster's assets and the preview are thin callers.

Extract, validate, compare where the sync asks for it, deliver: each reads what the one before it left in the run's
folder, so that a re-executed run continues from there. What is remembered after the run is written by ``close``,
however the run ends.
"""

from __future__ import annotations

from contextlib import nullcontext, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from reverse_etl.changeset.extract import Before, extract
from reverse_etl.changeset.parts import Facts
from reverse_etl.changeset.recipient import keep_rows_for
from reverse_etl.changeset.scope import WHAT_CHANGED, Scope
from reverse_etl.config.changes import late_of
from reverse_etl.errors import CheckFailedError, DestinationError, StateError
from reverse_etl.progress import listening
from reverse_etl.report import RunReport, Status
from reverse_etl.run import changes, gone, in_table, judged, pieces
from reverse_etl.run.carry import carried_rows
from reverse_etl.run.close import close
from reverse_etl.run.interrupts import heard, run_interruptibly
from reverse_etl.run.lease import note_wait
from reverse_etl.run.look_ahead import look_ahead
from reverse_etl.run.named_rows import named_rows
from reverse_etl.run.recipient import identify_recipient
from reverse_etl.run.remembers import compares
from reverse_etl.run.send import mirrors, send
from reverse_etl.run.sharing import fetch, put, put_changeset
from reverse_etl.run.while_read import while_read
from reverse_etl.schedule.longest_interval import longest_interval
from reverse_etl.state.run_history import find_run
from reverse_etl.state.runs import begin_run
from reverse_etl.state.syncs import feed_read_to, note_interval, remember_feed, sync_state
from reverse_etl.workers.folder_lock import claim

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from reverse_etl.changes.compared import Compared
    from reverse_etl.changeset.again import Wanted
    from reverse_etl.changeset.ahead import ShownTo
    from reverse_etl.checks.runner import Validation
    from reverse_etl.config.connections import DatabaseConfig, DestinationConfig
    from reverse_etl.pacing.rate_limit import Clock
    from reverse_etl.run.record import SyncRun


@heard()
def extract_changeset(
    run: SyncRun,
    database: DatabaseConfig,
    destination: DestinationConfig | None = None,
    *,
    scope: Scope = WHAT_CHANGED,
    clock: Clock | None = None,
) -> Facts:
    """Reads the changeset into the run's folder, or takes the one that is already there or may be continued.

    Args:
        run: The run.
        database: The sync's database.
        destination: Where the rows go; None for any.
        scope: What it is to read.
        clock: Time, for asking the workspace who it is.

    Raises:
        DestinationError: The workspace does not identify itself; or those rows failed in another one.
        StateError: The failed rows of the run to retry are no longer there, or the list of identifiers.
        SourceError: The database cannot give the rows.
        ConfigError: The query's result lacks a needed column; or the destination's table cannot take the rows.
    """
    from reverse_etl.run.planned_run import take_plan
    from reverse_etl.run.resume import take_over
    from reverse_etl.sources import connect, dialect

    scope.check(run.sync)
    judged.require_known(run.sync, scope.accepted)
    scope = pieces.scope_when_due(run, scope)
    late = late_of(run.sync.changes, database.late)
    known = identify_recipient(run, destination, scope=scope, clock=clock) if destination else None
    remembered = scope.from_last_sync_time and not (known and known.another)
    state = sync_state(run.store, run.sync.name)
    carried = carried_rows(run.home, run.sync.name, state.carried)
    before = replace(state.before() if remembered else Before(), carried=carried)
    recipient = known.rows.recipient if known else None
    before, in_pieces = pieces.to_read(run, scope, before, recipient)
    if scope.plan and run.root_run_id == run.run_id:
        take_plan(run, scope.plan, recipient)
    elif run.root_run_id == run.run_id:
        take_over(
            run.sync,
            run.home,
            run.store,
            run_id=run.run_id,
            mark=before.mark,
            scope=scope,
            late=late,
            recipient=recipient,
        )
    _begin(run, before.mark.last_sync_time)
    facts = run.folder.facts()
    if known and (facts is None or run.root_run_id == run.run_id):
        keep_rows_for(run.folder, known.rows)
    if facts is None:
        generation = changes.generation_to_compare_with(run)
        wanted = named_rows(run.sync, run.home, scope)
        if destination is not None:
            look_ahead(run.sync, destination, dialect(database), clock=clock)
        with connect(database) as session, _looked_at(run, wanted) as shown_to:
            facts = extract(
                run.sync, session, run.folder, before=before, dialect=dialect(database), late=late, scope=scope,
                wanted=wanted, timezone=database.timezone, generation=generation, pieces=in_pieces,
                shown_to=shown_to,
            )  # fmt: skip
    put_changeset(run)
    return facts


@heard()
def validate_changeset(run: SyncRun) -> Validation:
    """Marks each row as sendable or not. A ``stop`` closes the run as failed; the caller ends it.

    Raises:
        StateError: There is no changeset in the run's folder.
        ConfigError: A check names a column that the query does not return.
    """
    from reverse_etl.checks.runner import take, validate

    _begin(run)
    facts = _facts(run)
    past = judged.past_of(run.sync, run.store, facts, run.root_run_id)
    validation = validate(run.sync, run.folder, past=past, ahead=take(run.sync, run.folder))
    judged.remember(run, facts, validation.results)
    put(run)
    if validation.stopped:
        error = CheckFailedError(validation.stopped, hint=validation.let_pass).located(run.sync.where)
        close(run, Status.FAILED, message=str(error), exit_code=error.exit_code)
    return validation


@heard()
def compare_changeset(run: SyncRun) -> Compared:
    """Marks the rows that are as the destination acknowledged them before, and finds who is gone.

    Where more is gone than may be removed at once, the run is closed as failed; the caller ends it.

    Raises:
        StateError: There is no changeset in the run's folder; or another run has sent newer rows.
    """
    _begin(run)
    found = changes.compare(run, _facts(run))
    put(run)
    if found.stopped:
        error = CheckFailedError(found.stopped).located(run.sync.where)
        close(run, Status.FAILED, message=str(error), exit_code=error.exit_code)
    return found


def deliver_changeset(run: SyncRun, destination: DestinationConfig, *, clock: Clock | None = None) -> RunReport:
    """Sends the valid rows, stream by stream, then segment membership; closes the run.

    Args:
        run: The run.
        destination: Where the rows go.
        clock: Time, for pacing and retries.

    Raises:
        DestinationError: The workspace stopped the run; rows without an answer are ``undelivered``.
        StateError: There is no changeset in the run's folder.
    """
    from reverse_etl.delivery import read_back

    _begin(run)
    facts = _facts(run)
    looks = in_table.looks_first(run)
    sends = bool(facts.total or run.folder.removals() or mirrors(run.sync, facts) or looks)
    position = feed_read_to(run.store, run.sync.name)
    if sends:
        if not compares(run.sync):
            gone.require_few_deleted(run, facts)
        gone.leave_removals(run)
        if looks:
            in_table.require_within_limits(run, facts, destination, clock=clock)
    if sends or compares(run.sync):
        # Also where nothing is sent it may be remembered since when a row is gone.
        changes.begin_sending(run)
    if sends or read_back.is_due(position, datetime.now(UTC)):
        read_back.continue_from(run.folder, position)
        # A run without rows does not need the workspace: what it would have read there, a later one reads.
        harmless = () if sends else (DestinationError,)
        with listening(partial(note_wait, run)), suppress(*harmless):
            sent = send(run.sync, destination, run.folder, facts, clock=clock, state_url=run.home.state_url)
            if run_interruptibly(sent):
                changes.note_repeats(run.folder)
    with heard(at_the_end=False):
        report = close(run, None)
    # The run has ended: what is not remembered here comes again in the message of the next one.
    with suppress(StateError):
        if read_back.earlier(run.folder, run.sync.name) in report.message:
            remember_feed(run.store, run.sync.name, read_back.reported(run.folder))
    return report


def _begin(run: SyncRun, since: int | None = None) -> None:
    """Puts the run into the history, whichever stage a re-execution starts with, and keeps others off its folder."""
    from reverse_etl.state.interrupted_runs import CONTINUES, end_gone

    run.home.find_continued(run.sync.name, run.root_run_id)
    if claim(run.folder.path):
        fetch(run.folder)
    since = _facts(run).since if since is None else since
    if run.run_id != run.root_run_id:
        # The folder is ours alone: an earlier attempt that still seems to run is gone.
        end_gone(run.store, run.root_run_id, by=run.run_id, then=CONTINUES)
    known = find_run(run.store, run.run_id)
    if known is None or known.status is not Status.RUNNING:
        begin_run(
            run.store,
            run.run_id,
            root_run_id=run.root_run_id,
            sync=run.sync.name,
            workspace=run.sync.destination,
            started_at=run.began_at,
            since=since,
        )
        every = longest_interval(run.sync.schedule, datetime.now(UTC))
        note_interval(run.store, run.sync.name, None if every is None else every.total_seconds())


def _looked_at(run: SyncRun, wanted: Wanted | None) -> AbstractContextManager[ShownTo | None]:
    """Looks at rows while they are read, where this process runs the later stages; not at rows that may be gone."""
    return while_read(run) if run.one_process and wanted is None else nullcontext()


def _facts(run: SyncRun) -> Facts:
    facts = run.folder.facts()
    if facts is None:
        raise StateError(
            f"there is no changeset of run {run.root_run_id[:8]} in {run.folder.path}.",
            hint=f"Launch the whole job {run.sync.name}, not this step alone.",
        )
    return facts
