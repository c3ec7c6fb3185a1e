"""The rows of a run's folder on their way into a workspace, whoever asks for it: a run, or rows of a DataFrame."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from reverse_etl.changeset.parts import count
from reverse_etl.changeset.recipient import confirm
from reverse_etl.config.streams import ROWS
from reverse_etl.progress import Progress, tell
from reverse_etl.run.recipient import another_recipient
from reverse_etl.run.undelivered import identified

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reverse_etl.changeset.parts import Facts, RunFolder
    from reverse_etl.config.connections import WorkspaceConfig
    from reverse_etl.config.streams import Stream
    from reverse_etl.config.syncs import SyncConfig
    from reverse_etl.destinations.rate_limit import Clock
    from reverse_etl.destinations.shared_rate import Reserve


async def send(
    sync: SyncConfig,
    workspace: WorkspaceConfig,
    folder: RunFolder,
    facts: Facts,
    *,
    clock: Clock | None = None,
    reserve: Reserve | None = None,
) -> None:
    """Delivers what the checks let pass; each row's outcome is in the folder, whatever happens.

    Args:
        sync: What is sent.
        workspace: Where the rows go.
        folder: The rows, checked.
        facts: What their extraction knew.
        clock: Time.
        reserve: Where the rate limit is shared with other processes; None: it is not.

    Raises:
        WorkspaceError: The workspace stopped the delivery.
    """
    from reverse_etl.delivery import read_back
    from reverse_etl.delivery.deliver import deliver
    from reverse_etl.destinations.customerio.destination import open_destination
    from reverse_etl.destinations.rate_limit import Clock
    from reverse_etl.destinations.retry import Patience, RetryPolicy

    clock, name = clock or Clock(), f"workspace {workspace.name}"
    patience = Patience(RetryPolicy.from_environment(), name=name, clock=clock)
    waiting = list(sync.streams)
    with _books_of_the_rest(folder, waiting):
        async with open_destination(sync, workspace, patience=patience, clock=clock) as destination:
            await destination.prepare()
            if not confirm(folder, destination.recipient):
                raise another_recipient(folder.path.name, sync.name, workspace.name)
            await read_back.begin(destination, folder)
            while waiting:
                stream = waiting.pop(0).name
                parts, outcomes = folder.parts(stream), folder.outcomes(stream)
                progress = partial(_tell, stream)
                tell(Progress("deliver", stream, 0))
                await deliver(
                    parts, outcomes, destination, progress=progress, patience=patience, clock=clock, reserve=reserve
                )
                if stream == ROWS:
                    await destination.after_delivery(parts, outcomes)
            await read_back.finish(destination, folder, facts)
            if mirrors(sync, facts) and _is_whole(folder, facts):
                await destination.mirror(folder.parts(ROWS))


def mirrors(sync: SyncConfig, facts: Facts) -> bool:
    """Whether people leave the sync's segment whom these rows do not name."""
    segment = sync.people.segment if sync.people is not None else None
    return segment is not None and segment.mirror and not facts.retry_of


def _is_whole(folder: RunFolder, facts: Facts) -> bool:
    """Whether no row failed: one that did may say that somebody is still there."""
    return not any(count(folder.outcomes(stream)).failed for stream in facts.streams)


def _tell(stream: str, settled: int, failed: int, total: int) -> None:
    tell(Progress("deliver", stream, settled, failed, total))


@contextmanager
def _books_of_the_rest(folder: RunFolder, waiting: list[Stream]) -> Iterator[None]:
    """Whatever ends the delivery early, the rows of the streams still waiting are failed rows with that cause."""
    from reverse_etl.delivery.deliver import leave_undelivered

    try:
        yield
    except BaseException as error:
        for stream in waiting:
            parts = folder.parts(stream.name)
            leave_undelivered(parts, folder.outcomes(stream.name), identified(stream), error)
        raise
