"""The three stages of one sync's run, written once: Dagster's assets and the preview are thin callers.

Extract, validate, deliver: each reads what the one before it left in the run's folder, so that a re-executed
run continues from there. What is remembered after the run is written by ``close``, however the run ends.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING

from reverse_etl.changeset.again import FailedBefore
from reverse_etl.changeset.claim import claim
from reverse_etl.changeset.extract import Before, extract
from reverse_etl.changeset.parts import Facts, RunFolder
from reverse_etl.changeset.recipient import keep_rows_for
from reverse_etl.closing import close
from reverse_etl.config.changes import late_of
from reverse_etl.delivery.interrupts import heard, run_interruptibly, undisturbed
from reverse_etl.errors import INTERRUPTED_EXIT_CODE, CheckFailedError, ReverseEtlError, StateError, WorkspaceError
from reverse_etl.open_runs import leave_open
from reverse_etl.overlap import note_wait, take_turn
from reverse_etl.plugins import load
from reverse_etl.progress import listening
from reverse_etl.report import RunReport, Status
from reverse_etl.sending import mirrors, send
from reverse_etl.sharing import fetch, put, put_changeset
from reverse_etl.state import feeds, heartbeat, turns
from reverse_etl.whose import whose

if TYPE_CHECKING:
    from collections.abc import Callable

    from reverse_etl.checks.runner import Validation
    from reverse_etl.config.connections import DatabaseConfig, WorkspaceConfig
    from reverse_etl.config.syncs import SyncConfig
    from reverse_etl.destinations.rate_limit import Clock
    from reverse_etl.state.home import Home
    from reverse_etl.state.store import Store


def _nobody(said: object) -> None:
    """Who hears of a run unless a listener is named."""


@dataclass(frozen=True, slots=True)
class SyncRun:
    """One run of one sync. As a context it takes the workspace's turn, and closes the books when its block fails.

    Attributes:
        sync: What runs.
        run_id: Its id in the history (``state.run_ids``).
        root_run_id: The id of the run whose changeset is used: the first of a chain of re-executions.
        home: Where its files go.
        store: What is remembered.
        began_at: Aware UTC, by this machine's clock.
        closed: Called once its books are closed, with the report; raises nothing.
        waits: Called with a sentence while the run waits for its turn in the workspace.
        one_process: Whether this process, which runs this stage, also runs those that follow.
        turn_id: The id under which it has its turn: Dagster's run id; empty where that is ``run_id``.
    """

    sync: SyncConfig
    run_id: str
    root_run_id: str
    home: Home
    store: Store
    began_at: datetime
    closed: Callable[[RunReport], None] = _nobody
    waits: Callable[[str], None] = _nobody
    one_process: bool = True
    turn_id: str = ""

    @property
    def turn(self) -> str:
        """The id under which it has its turn, and gives its signs of life."""
        return self.turn_id or self.run_id

    @property
    def folder(self) -> RunFolder:
        """The run's folder, shared with its re-executions."""
        return self.home.run_folder(self.sync.name, self.root_run_id)

    def __enter__(self) -> SyncRun:
        """Takes the workspace's turn. Raises WorkspaceBusyError where another run has it, StateError."""
        try:
            take_turn(self)
        except BaseException as error:
            heartbeat.stop(self.turn)
            if not isinstance(error, Exception):
                message = f"{self.sync.where}: the run was canceled while it waited its turn. Nothing was read or sent."
                close(self, Status.CANCELED, message=message, exit_code=INTERRUPTED_EXIT_CODE)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            if self.one_process and heartbeat.beats(self.turn):
                leave_open(self.run_id, self.turn, self._end_between)
            elif heartbeat.stop(self.turn):
                turns.rest(self.store, self.turn)
            return
        heartbeat.stop(self.turn)
        if isinstance(error, ReverseEtlError):
            error.located(self.sync.where)
            close(self, Status.FAILED, message=str(error), exit_code=error.exit_code)
        elif isinstance(error, Exception) and not self.folder.path.is_dir():
            gone = _gone(self)
            close(self, Status.FAILED, message=str(gone), exit_code=gone.exit_code)
            raise gone from error
        elif isinstance(error, Exception):
            message = f"{self.sync.where}: {type(error).__name__}; see the run's log."
            close(self, Status.FAILED, message=message, exit_code=1)
        else:
            why = heartbeat.reason(self.turn)
            stopped = f"stopped: {why}. The next run continues from there" if why else "canceled"
            code = StateError.exit_code if why else INTERRUPTED_EXIT_CODE
            with undisturbed():
                close(self, Status.CANCELED, message=f"{self.sync.where}: the run was {stopped}.", exit_code=code)

    def _end_between(self) -> None:
        """Closes the books where no further stage comes."""
        why = heartbeat.reason(self.turn) or "it was canceled, or the stages after this one were not selected"
        message = f"{self.sync.where}: the run ended before its delivery: {why}. Nothing was sent."
        with undisturbed():
            close(self, Status.CANCELED, message=message, exit_code=INTERRUPTED_EXIT_CODE)


@heard()
def extract_changeset(
    run: SyncRun,
    database: DatabaseConfig,
    workspace: WorkspaceConfig | None = None,
    *,
    full: bool = False,
    retry_of: str = "",
    clock: Clock | None = None,
) -> Facts:
    """Reads the changeset into the run's folder, or takes the one that is already there or may be continued.

    Args:
        run: The run.
        database: The sync's database.
        workspace: Where the rows go; None where it is whoever it was.
        full: Read from last sync time 0, whatever is remembered.
        retry_of: The id of a run: read only the rows that failed in it.
        clock: Time, for asking the workspace who it is.

    Raises:
        WorkspaceError: Whose last sync time is, the workspace does not say; or those rows failed in another one.
        StateError: That run's failed rows are no longer there.
        SourceError: The database cannot give the rows.
        ConfigError: The query's result lacks a needed column.
    """
    from reverse_etl.resume import take_over
    from reverse_etl.sources import connect

    late = late_of(run.sync.changes, database.late)
    known = whose(run, workspace, retry_of=retry_of, clock=clock) if workspace else None
    before = Before() if full or retry_of or (known and known.another) else run.store.sync(run.sync.name).before()
    if run.root_run_id == run.run_id:
        mark = None if full or retry_of else before.mark
        recipient = known.rows.recipient if known else None
        take_over(run.sync, run.home, run.store, run_id=run.run_id, mark=mark, late=late, recipient=recipient)
    _begin(run, before.mark.last_sync_time)
    facts = run.folder.facts()
    if known and (facts is None or run.root_run_id == run.run_id):
        keep_rows_for(run.folder, known.rows)
    if facts is None:
        failed = FailedBefore(retry_of, run.home.fetch_failed_rows(run.sync.name, retry_of)) if retry_of else None
        with connect(database) as session:
            facts = extract(
                run.sync, session, run.folder, before=before, dialect=dialect(database), late=late, failed=failed,
                timezone=database.timezone,
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
    from reverse_etl.checks.runner import validate

    _begin(run)
    validation = validate(run.sync, run.folder)
    put(run)
    if validation.stopped:
        error = CheckFailedError(validation.stopped).located(run.sync.where)
        close(run, Status.FAILED, message=str(error), exit_code=error.exit_code)
    return validation


def deliver_changeset(run: SyncRun, workspace: WorkspaceConfig, *, clock: Clock | None = None) -> RunReport:
    """Sends the valid rows, then their relationships, then segment membership; closes the run.

    Args:
        run: The run.
        workspace: Where the rows go.
        clock: Time, for pacing and retries.

    Raises:
        WorkspaceError: The workspace stopped the run; rows without an answer are ``undelivered``.
        StateError: There is no changeset in the run's folder.
    """
    from reverse_etl.delivery import read_back
    from reverse_etl.state.pace import Pace

    _begin(run)
    facts = _facts(run)
    sends = bool(facts.rows or facts.relationships or mirrors(run.sync, facts))
    position = feeds.read_to(run.store, run.sync.name)
    if sends or read_back.is_due(position, datetime.now(UTC)):
        read_back.continue_from(run.folder, position)
        pace = Pace(run.home.state_url, workspace.name, workspace.requests_per_second)
        # A run without rows does not need the workspace: what it would have read there, a later one reads.
        harmless = () if sends else (WorkspaceError,)
        with listening(partial(note_wait, run)), suppress(*harmless):
            run_interruptibly(send(run.sync, workspace, run.folder, facts, clock=clock, reserve=pace.reserve))
    report = close(run, None)
    # The run has ended: what is not remembered here comes again in the message of the next one.
    with suppress(StateError):
        if read_back.earlier(run.folder, run.sync.name) in report.message:
            feeds.remember(run.store, run.sync.name, read_back.reported(run.folder))
    return report


def _begin(run: SyncRun, since: int | None = None) -> None:
    """Puts the run into the history, whichever stage a re-execution starts with, and keeps others off its folder."""
    from reverse_etl.state.unfinished import end_gone

    run.home.find_continued(run.sync.name, run.root_run_id)
    if claim(run.folder.path):
        fetch(run.folder)
    since = _facts(run).since if since is None else since
    if run.run_id != run.root_run_id:
        # The folder is ours alone: an earlier attempt that still seems to run is gone.
        end_gone(run.store, run.root_run_id, by=run.run_id, continued=True)
    known = run.store.run(run.run_id)
    if known is None or known.status is not Status.RUNNING:
        run.store.begin_run(
            run.run_id,
            root_run_id=run.root_run_id,
            sync=run.sync.name,
            workspace=run.sync.workspace,
            started_at=run.began_at,
            since=since,
        )


def _facts(run: SyncRun) -> Facts:
    facts = run.folder.facts()
    if facts is None:
        raise StateError(
            f"there is no changeset of run {run.root_run_id[:8]} in {run.folder.path}.",
            hint=f"Launch the whole job {run.sync.name}, not this step alone.",
        )
    return facts


def _gone(run: SyncRun) -> ReverseEtlError:
    return StateError(
        f"the run's folder {run.folder.path} is gone.", hint="Leave the home folder alone while a run is in progress."
    ).located(run.sync.where)


def dialect(database: DatabaseConfig) -> str:
    """The SQL dialect of a database, by sqlglot's name."""
    return str(load("reverse_etl.sources", database.type).DIALECT)
