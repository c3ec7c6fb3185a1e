"""A stage is attended: its run holds the workspace's lease, and is closed when the stage fails."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from reverse_etl.errors import INTERRUPTED_EXIT_CODE, ReverseEtlError, StateError
from reverse_etl.report import Status
from reverse_etl.run.close import close
from reverse_etl.run.interrupts import undisturbed
from reverse_etl.run.lease import take_lease
from reverse_etl.run.open_runs import leave_open
from reverse_etl.state import workspace_lease
from reverse_etl.workers import heartbeat

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reverse_etl.run.record import SyncRun


@contextmanager
def attend(run: SyncRun) -> Iterator[SyncRun]:
    """Takes the workspace's lease for a stage, and closes the run when its block fails.

    Raises:
        WorkspaceBusyError: Another run holds the lease.
        StateError: The state database does not answer; or the run's folder vanished.
    """
    _take(run)
    try:
        yield run
    except BaseException as error:
        with undisturbed():
            _close_failed(run, error)
        raise
    if run.one_process and heartbeat.beats(run.lease_id):
        leave_open(run.run_id, run.lease_id, partial(_end_between, run))
    elif heartbeat.stop(run.lease_id):
        workspace_lease.rest(run.store, run.lease_id)


def _take(run: SyncRun) -> None:
    try:
        take_lease(run)
    except BaseException as error:
        with undisturbed():
            heartbeat.stop(run.lease_id)
            if not isinstance(error, Exception):
                message = (
                    f"{run.sync.where}: the run was canceled while waiting for the {run.sync.PLACE}. "
                    "Nothing was read or sent."
                )
                close(run, Status.CANCELED, message=message, exit_code=INTERRUPTED_EXIT_CODE)
        raise


def _close_failed(run: SyncRun, error: BaseException) -> None:
    """Closes a run after an error of its stage. Raises StateError where its folder is gone."""
    heartbeat.stop(run.lease_id)
    if isinstance(error, ReverseEtlError):
        error.located(run.sync.where)
        close(run, Status.FAILED, message=str(error), exit_code=error.exit_code)
    elif isinstance(error, Exception) and not run.folder.path.is_dir():
        gone = _gone(run)
        close(run, Status.FAILED, message=str(gone), exit_code=gone.exit_code)
        raise gone from error
    elif isinstance(error, Exception):
        message = f"{run.sync.where}: {type(error).__name__}; see the run's log."
        close(run, Status.FAILED, message=message, exit_code=1)
    else:
        why = heartbeat.reason(run.lease_id)
        stopped = f"stopped: {why}. The next run continues from there" if why else "canceled"
        code = StateError.exit_code if why else INTERRUPTED_EXIT_CODE
        close(run, Status.CANCELED, message=f"{run.sync.where}: the run was {stopped}.", exit_code=code)


def _end_between(run: SyncRun) -> None:
    """Closes the run where no further stage comes."""
    why = heartbeat.reason(run.lease_id) or "it was canceled, or the stages after this one were not selected"
    message = f"{run.sync.where}: the run ended before its delivery: {why}. Nothing was sent."
    with undisturbed():
        close(run, Status.CANCELED, message=message, exit_code=INTERRUPTED_EXIT_CODE)


def _gone(run: SyncRun) -> ReverseEtlError:
    return StateError(
        f"the run's folder {run.folder.path} is gone.", hint="Leave the home folder alone while a run is in progress."
    ).located(run.sync.where)
