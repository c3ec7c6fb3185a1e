"""Which workspace acknowledged the rows that a sync's last sync time stands for, before anything is read.

Last sync time belongs to the workspace that completed it. Another one behind the same name starts from 0, and no run
continues with rows that were read for another. Decision: docs/decisions/0013-whose-acknowledgements.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reverse_etl.changeset.recipient import RowsFor
from reverse_etl.changeset.scope import WHAT_CHANGED, Scope
from reverse_etl.errors import DestinationRefusedError
from reverse_etl.state.run_history import recipient_of_run
from reverse_etl.state.syncs import adopt_recipient, sync_state

if TYPE_CHECKING:
    from reverse_etl.changeset.recipient import Recipient
    from reverse_etl.config.connections import DestinationConfig
    from reverse_etl.pacing.rate_limit import Clock
    from reverse_etl.run.record import SyncRun


@dataclass(frozen=True, slots=True)
class Identified:
    """What a run knows of its workspace before it reads.

    Attributes:
        rows: The workspace that it reads for.
        another: Whether last sync time belongs to a different one.
    """

    rows: RowsFor
    another: bool = False


def identify_recipient(
    run: SyncRun, config: DestinationConfig, *, scope: Scope = WHAT_CHANGED, clock: Clock | None = None
) -> Identified:
    """Compares the workspace with the remembered one; where none is remembered, remembers it.

    A workspace that does not answer is taken for the remembered one if its address is the same: nothing is sent, and
    last sync time stays, until it has identified itself.

    Args:
        run: The run.
        config: Where its rows go.
        scope: What it is to read.
        clock: Time.

    Raises:
        DestinationError: It does not identify itself at another address; or the rows failed in another one.
        UnsetVariableError: A credential names a variable that is not set.
    """
    from reverse_etl.destinations import kind
    from reverse_etl.run.interrupts import run_interruptibly

    state, retry_of = sync_state(run.store, run.sync.name), scope.retry_of
    remembered = recipient_of_run(run.store, retry_of) if retry_of else state.recipient
    of = kind(config.type)
    address = of.at_address(config)
    found: Recipient | None
    if remembered is not None and remembered.address != address.address:
        found = run_interruptibly(of.ask(config, clock=clock))
    else:
        found = run_interruptibly(of.ask_once(config, clock=clock))
    if found is None:
        return Identified(RowsFor(remembered or address))
    if remembered is None or remembered.is_same(found):
        if remembered is None and state.last_sync_time and not retry_of:
            adopt_recipient(run.store, run.sync.name, found)
        return Identified(RowsFor(found, confirmed=True))
    noun = config.label.split()[0]
    if retry_of:
        raise DestinationRefusedError(
            f"the rows of run {retry_of[:8]} failed in another {noun} than the one that is {config.name} now; "
            "nothing was sent.",
            hint=f"Run the sync instead: reverse-etl run {run.sync.name}",
        )
    what = "everything was read again" if scope.reads.is_whole else "the next run of all rows reads everything again"
    note = f"{config.label.capitalize()} is not the one that completed this sync before: {what}, from last sync time 0."
    return Identified(RowsFor(found, confirmed=True, note=note), another=True)


def another_recipient(run_id: str, sync: str, config: DestinationConfig) -> DestinationRefusedError:
    """The error of a run whose rows were read for another workspace."""
    return DestinationRefusedError(
        f"{config.label} is not the one that the rows of run {run_id[:8]} were read for; nothing was sent to it.",
        hint=f"Run the whole sync: reverse-etl run {sync}",
    )
