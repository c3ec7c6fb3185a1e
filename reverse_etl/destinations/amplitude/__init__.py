"""Amplitude: properties of users and groups, and events, by its Batch Event Upload API; members of cohorts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reverse_etl.destinations.amplitude.config import Config
from reverse_etl.destinations.amplitude.sync import Outgoing, Sync

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    import pyarrow as pa

    from reverse_etl.changeset.recipient import Recipient
    from reverse_etl.destinations.amplitude.cohort import AmplitudeCohort
    from reverse_etl.destinations.amplitude.destination import AmplitudeProject
    from reverse_etl.destinations.first_sync import Asks, FirstRows
    from reverse_etl.destinations.powers import AsSent
    from reverse_etl.pacing.rate_limit import Clock
    from reverse_etl.pacing.retry import Patience
    from reverse_etl.report import Step

__all__ = [
    "Config",
    "Outgoing",
    "Sync",
    "as_sent",
    "ask",
    "ask_once",
    "at_address",
    "first_rows",
    "forgets_after_s",
    "identity",
    "open_destination",
    "shape",
    "shown",
    "steps",
]


def open_destination(
    sync: Outgoing,
    config: Config,
    columns: Sequence[str],
    *,
    patience: Patience | None = None,
    clock: Clock | None = None,
) -> AbstractAsyncContextManager[AmplitudeProject | AmplitudeCohort]:
    """The project, or its cohort, ready for one run of one sync."""
    if sync.amplitude.send == "cohort":
        from reverse_etl.destinations.amplitude import cohort

        return cohort.opened(sync, config, columns, patience=patience, clock=clock)
    from reverse_etl.destinations.amplitude.destination import opened

    return opened(sync, config, patience=patience, clock=clock)


def at_address(config: Config) -> Recipient:
    """The project as it is known without asking. Raises UnsetVariableError, ConfigError."""
    from reverse_etl.destinations.amplitude.environment import at_address

    return at_address(config)


async def ask(config: Config, *, clock: Clock | None = None) -> Recipient:
    """The same, once its key was taken. Raises DestinationError."""
    from reverse_etl.destinations._http.kind import ask
    from reverse_etl.destinations.amplitude.client import opened

    return await ask(config, opened, at_address(config), clock)


async def ask_once(config: Config, *, clock: Clock | None = None) -> Recipient | None:
    """The same without waiting for one that is away."""
    from reverse_etl.destinations._http.kind import ask_once
    from reverse_etl.destinations.amplitude.client import opened

    return await ask_once(config, opened, at_address(config), clock)


def steps(config: Config) -> Iterator[Step]:
    """Connects and tries the key, and the secret key where there is one."""
    from reverse_etl.destinations._http.kind import steps
    from reverse_etl.destinations.amplitude.client import opened
    from reverse_etl.destinations.amplitude.cohorts import step
    from reverse_etl.pacing.rate_limit import Clock

    return steps(config, opened, more=lambda _, patience: step(config, Clock(), patience))


def first_rows(asks: Asks, there: Mapping[str, Sequence[str]]) -> FirstRows:  # noqa: ARG001 - it has no tables
    """What users' properties or events need, asked of a person."""
    from reverse_etl.destinations.amplitude.questions import first_rows

    return first_rows(asks)


def shown(batch: pa.RecordBatch, sync: Outgoing, stream: str) -> list[bytes]:  # noqa: ARG001 - there is one
    """Each row as the event or the member that would be sent, JSON."""
    from reverse_etl.destinations.amplitude.items import items
    from reverse_etl.destinations.amplitude.members import members

    return members(batch, sync) if sync.amplitude.send == "cohort" else items(batch, sync)


def as_sent(batch: pa.RecordBatch, sync: Outgoing, stream: str) -> AsSent:  # noqa: ARG001 - there is one
    """The key of each row, and its properties; an event's key is all of it."""
    from reverse_etl.destinations.amplitude.items import as_sent

    return as_sent(batch, sync)


def identity(sync: Outgoing, stream: str) -> tuple[str, ...]:  # noqa: ARG001 - there is one
    """Users by id or device, groups of a kind, events, or members of a cohort."""
    cohort = sync.amplitude.cohort
    return (sync.amplitude.send if cohort is None else cohort.called, *sync.amplitude.key)


def shape(sync: Outgoing, stream: str) -> str:  # noqa: ARG001 - there is one
    """How rows are written."""
    from reverse_etl.destinations._http.compared import shape

    return shape(sync)


def forgets_after_s(sync: Outgoing, stream: str) -> int | None:  # noqa: ARG001 - rows may return
    """Never."""
    return None
