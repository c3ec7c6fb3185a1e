"""The rows of a run's folder on their way into a workspace, whoever asks for it: a run, or rows of a DataFrame."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from reverse_etl.changeset.extract import queries
from reverse_etl.changeset.parts import count
from reverse_etl.changeset.recipient import confirm
from reverse_etl.progress import Progress, tell
from reverse_etl.run.recipient import another_recipient
from reverse_etl.run.undelivered import identified

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reverse_etl.changeset.parts import Facts, RunFolder
    from reverse_etl.config.connections import WorkspaceConfig
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
    waiting = list(queries(sync))
    with _books_of_the_rest(sync, folder, facts, waiting):
        async with open_destination(sync, workspace, patience=patience, clock=clock) as destination:
            await destination.prepare()
            if not confirm(folder, destination.recipient):
                raise another_recipient(folder.path.name, sync.name, workspace.name)
            await read_back.begin(destination, folder)
            while waiting:
                query = waiting.pop(0)
                parts = folder.parts(query)
                outcomes = parts.outcomes(getattr(facts, query))
                progress = partial(_tell, query)
                tell(Progress("deliver", query, 0))
                await deliver(
                    parts, outcomes, destination, progress=progress, patience=patience, clock=clock, reserve=reserve
                )
                if query == "rows":
                    await destination.after_delivery(parts, outcomes)
            await read_back.finish(destination, folder, facts, list(queries(sync)))
            if mirrors(sync, facts) and _is_whole(folder, facts, queries(sync)):
                await destination.mirror(folder.parts("rows"))


def mirrors(sync: SyncConfig, facts: Facts) -> bool:
    """Whether people leave the sync's segment whom these rows do not name."""
    segment = sync.people.segment if sync.people is not None else None
    return segment is not None and segment.mirror and not facts.retry_of


def _is_whole(folder: RunFolder, facts: Facts, names: Iterable[str]) -> bool:
    """Whether no row failed: one that did may say that somebody is still there."""
    return not any(count(folder.parts(query).outcomes(getattr(facts, query))).failed for query in names)


def _tell(query: str, settled: int, failed: int, total: int) -> None:
    tell(Progress("deliver", query, settled, failed, total))


@contextmanager
def _books_of_the_rest(sync: SyncConfig, folder: RunFolder, facts: Facts, waiting: list[str]) -> Iterator[None]:
    """Whatever ends the delivery early, the rows of the queries still waiting are failed rows with that cause."""
    from reverse_etl.delivery.deliver import leave_undelivered

    try:
        yield
    except BaseException as error:
        for query in waiting:
            parts = folder.parts(query)
            leave_undelivered(parts, parts.outcomes(getattr(facts, query)), identified(sync, query), error)
        raise
