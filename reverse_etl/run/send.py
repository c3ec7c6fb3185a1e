"""The rows of a run's folder on their way into a destination: those of a run, or of a DataFrame."""

from __future__ import annotations

import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from reverse_etl.changeset.parts import count
from reverse_etl.changeset.recipient import confirm
from reverse_etl.config.streams import ROWS
from reverse_etl.progress import Progress, emit
from reverse_etl.run.narrowed import items_of
from reverse_etl.run.notices import note_notices
from reverse_etl.run.recipient import another_recipient
from reverse_etl.run.sent import remember_sent
from reverse_etl.run.undelivered import identified

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reverse_etl.changeset.parts import Facts, RunFolder
    from reverse_etl.config.connections import DestinationConfig
    from reverse_etl.config.streams import Stream
    from reverse_etl.config.syncs import OutgoingRows
    from reverse_etl.pacing.rate_limit import Clock


async def send(
    sync: OutgoingRows,
    config: DestinationConfig,
    folder: RunFolder,
    facts: Facts,
    *,
    clock: Clock | None = None,
    state_url: str = "",
) -> bool:
    """Delivers what the checks let pass; each row's outcome is in the folder, whatever happens.

    Args:
        sync: What is sent.
        config: Where the rows go.
        folder: The rows, checked.
        facts: What their extraction knew.
        clock: Time.
        state_url: Of the state, over which processes share a rate limit; empty: this one has it for itself.

    Returns:
        Whether a row may have been sent more than once, because an answer did not settle it.

    Raises:
        DestinationError: The destination stopped the delivery.
    """
    from reverse_etl.delivery import read_back
    from reverse_etl.delivery.deliver import deliver
    from reverse_etl.delivery.removal import removal
    from reverse_etl.destinations import kind
    from reverse_etl.destinations.powers import Finishes, MarksRuns, Removes
    from reverse_etl.destinations.request_powers import JudgesAge, LooksAtAll
    from reverse_etl.pacing.rate_limit import Clock
    from reverse_etl.pacing.retry import Patience, RetryPolicy
    from reverse_etl.state.rate_slots import RateSlots

    clock = clock or Clock()
    patience = Patience(RetryPolicy.from_environment(), name=config.label, clock=clock)
    schema = folder.parts(ROWS).schema()
    columns = schema.names if schema is not None else []
    waiting = _in_order(sync, folder)
    repeated = False
    with _outcomes_of_the_rest(folder, waiting):
        async with kind(config.type).open_destination(
            sync, config, columns, patience=patience, clock=clock
        ) as destination:
            if isinstance(destination, MarksRuns):
                destination.of_run(folder.path.name, facts.started_at)
            if isinstance(destination, JudgesAge) and not facts.backfill:
                destination.judge_age(partial(_database_now, facts))
            if state_url:
                remember_sent(destination, sync, folder, facts, state_url=state_url)
            await destination.prepare()
            if not confirm(folder, destination.recipient):
                raise another_recipient(folder.path.name, sync.name, config)
            await read_back.begin(destination, folder)
            reserve = RateSlots(state_url, config.name).reserve if state_url else None
            if isinstance(destination, LooksAtAll):
                await destination.before_delivery(folder.parts(ROWS), folder.outcomes(ROWS))
            while waiting:
                name, stream = waiting.pop(0)
                parts, outcomes = folder.parts(name), folder.outcomes(name)
                emit(Progress("deliver", name, 0))
                delivered = await deliver(
                    parts,
                    outcomes,
                    destination if name == stream.name else removal(destination, stream.name),
                    progress=partial(_emit, name),
                    patience=patience,
                    clock=clock,
                    reserve=reserve,
                    identified_by=stream.identifier,
                    items_of=items_of(folder, name, destination),
                )
                repeated |= delivered.repeated
                if name == ROWS and isinstance(destination, Finishes):
                    await destination.after_delivery(parts, outcomes)
            await read_back.finish(destination, folder, sync.streams)
            note_notices(destination, folder)
            if mirrors(sync, facts) and isinstance(destination, Removes) and _is_whole(folder, facts):
                await destination.mirror(folder.parts(ROWS))
    return repeated


def mirrors(sync: OutgoingRows, facts: Facts) -> bool:
    """Whether what these rows do not name is taken away."""
    return sync.mirrors and facts.is_whole


def _is_whole(folder: RunFolder, facts: Facts) -> bool:
    """Whether no row failed: one that did may be of a person who is still there."""
    return not any(count(folder.outcomes(stream)).failed for stream in facts.streams)


def _database_now(facts: Facts) -> float:
    return time.time() + (facts.clock_ahead_s or 0.0)


def _in_order(sync: OutgoingRows, folder: RunFolder) -> list[tuple[str, Stream]]:
    """What is sent: the streams, and last what is gone, that which needs another first. Each with the stream it is of.

    A relationship is removed before its person or its object.
    """
    removals = folder.removals()
    gone = [(stream.gone, stream) for stream in reversed(sync.streams) if stream.gone in removals]
    return [*((stream.name, stream) for stream in sync.streams), *gone]


def _emit(stream: str, settled: int, failed: int, total: int) -> None:
    emit(Progress("deliver", stream, settled, failed, total))


@contextmanager
def _outcomes_of_the_rest(folder: RunFolder, waiting: list[tuple[str, Stream]]) -> Iterator[None]:
    """Whatever ends the delivery early, the rows of the streams still waiting are failed rows with that cause."""
    from reverse_etl.delivery.deliver import leave_undelivered

    try:
        yield
    except BaseException as error:
        for name, stream in waiting:
            parts, outcomes = folder.parts(name), folder.outcomes(name)
            leave_undelivered(parts, outcomes, identified(stream), error, identified_by=stream.identifier)
        raise
