"""Whether a run's rows may still be sent: never over newer ones than those that they were read against.

Each run that sends moves the sync's generation, whether or not it compares: so a sync's file may change between them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reverse_etl.errors import StateError

if TYPE_CHECKING:
    from reverse_etl.errors import ReverseEtlError
    from reverse_etl.run.record import SyncRun
    from reverse_etl.state.snapshots import Snapshot


def is_newest(snapshot: Snapshot, generation: int | None, changeset: str) -> bool:
    """Whether no other run has sent rows since those of a changeset were read.

    Args:
        snapshot: What counts as acknowledged now.
        generation: What counted when they were read; None where they were not read to be compared.
        changeset: Whose rows they are.
    """
    mine = snapshot.made_by == changeset
    return (generation == snapshot.generation or mine) and snapshot.sending in ("", changeset)


def require_newest(run: SyncRun, generation: int | None, snapshot: Snapshot) -> None:
    """Ends a run that compares, and whose rows are not to be sent any more.

    Raises:
        StateError: Another run has sent newer rows; or they were not read to be compared.
    """
    if generation is None:
        raise StateError(
            "these rows were not compared, as the sync's file now asks: nothing was sent.",
            hint=f"Read them again: reverse-etl run {run.sync.name}",
        ).located(run.sync.where)
    if not is_newest(snapshot, generation, run.folder.path.name):
        raise overtaken(run)


def overtaken(run: SyncRun) -> ReverseEtlError:
    """What ends a run after another one has sent newer rows."""
    return StateError(
        "a later run has sent newer rows than this one read, so nothing was sent.",
        hint=f"Read them again: reverse-etl run {run.sync.name}",
    ).located(run.sync.where)
