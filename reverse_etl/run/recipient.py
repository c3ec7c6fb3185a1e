"""Whose the acknowledgements are that a sync's last sync time stands for, before anything is read.

Last sync time belongs to the workspace that completed it. Another one behind the same name starts from 0, and no run
continues with rows that were read for another. Decision: docs/decisions/0013-whose-acknowledgements.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reverse_etl.changeset.recipient import RowsFor
from reverse_etl.errors import WorkspaceRefusedError
from reverse_etl.state.run_history import recipient_of_run
from reverse_etl.state.syncs import adopt_recipient, sync_state

if TYPE_CHECKING:
    from reverse_etl.changeset.recipient import Recipient
    from reverse_etl.config.connections import WorkspaceConfig
    from reverse_etl.destinations.rate_limit import Clock
    from reverse_etl.run.record import SyncRun


@dataclass(frozen=True, slots=True)
class Whose:
    """What a run knows of its workspace before it reads.

    Attributes:
        rows: For whom it reads.
        another: Whether that is another one than the one that last sync time belongs to.
    """

    rows: RowsFor
    another: bool = False


def whose(run: SyncRun, workspace: WorkspaceConfig, *, retry_of: str = "", clock: Clock | None = None) -> Whose:
    """Compares the workspace with the one that is remembered, which it becomes where none is.

    A workspace that does not answer is taken for the remembered one if its address is the same: nothing is sent, and
    last sync time stays, until it has said who it is.

    Args:
        run: The run.
        workspace: Where its rows go.
        retry_of: The run whose failed rows are read; empty for a run of its own.
        clock: Time.

    Raises:
        WorkspaceError: It does not say who it is, and its address is another one; or the rows failed in another one.
        UnsetVariableError: A credential names a variable that is not set.
    """
    from reverse_etl.delivery.interrupts import run_interruptibly
    from reverse_etl.destinations.customerio.environment import ask, ask_once, at_address

    state = sync_state(run.store, run.sync.name)
    remembered = recipient_of_run(run.store, retry_of) if retry_of else state.recipient
    address = at_address(workspace)
    found: Recipient | None
    if remembered is not None and remembered.address != address.address:
        found = run_interruptibly(ask(workspace, clock=clock))
    else:
        found = run_interruptibly(ask_once(workspace, clock=clock))
    if found is None:
        return Whose(RowsFor(remembered or address))
    if remembered is None or remembered.is_same(found):
        if remembered is None and state.last_sync_time and not retry_of:
            adopt_recipient(run.store, run.sync.name, found)
        return Whose(RowsFor(found, confirmed=True))
    if retry_of:
        raise WorkspaceRefusedError(
            f"the rows of run {retry_of[:8]} failed in another workspace than the one that is {workspace.name} now; "
            "nothing was sent.",
            hint=f"Run the sync instead: reverse-etl run {run.sync.name}",
        )
    note = (
        f"Workspace {workspace.name} is another one than the one that completed this sync before: "
        "everything was read again, from last sync time 0."
    )
    return Whose(RowsFor(found, confirmed=True, note=note), another=True)


def another_recipient(run_id: str, sync: str, workspace: str) -> WorkspaceRefusedError:
    """The error of a run whose rows were read for another workspace."""
    return WorkspaceRefusedError(
        f"workspace {workspace} is another one than the one that the rows of run {run_id[:8]} were read for; "
        "nothing was sent to it.",
        hint=f"Run the whole sync: reverse-etl run {sync}",
    )
