"""Intercom: contacts with their tags, and companies, by its REST API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reverse_etl.destinations.intercom.config import Config
from reverse_etl.destinations.intercom.sync import Outgoing, Sync

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    import pyarrow as pa

    from reverse_etl.changeset.recipient import Recipient
    from reverse_etl.destinations.first_sync import Asks, FirstRows
    from reverse_etl.destinations.intercom.destination import IntercomWorkspace
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
) -> AbstractAsyncContextManager[IntercomWorkspace]:
    """The workspace, ready for one run of one sync."""
    from reverse_etl.destinations.intercom.destination import opened

    return opened(sync, config, columns, patience=patience, clock=clock)


def at_address(config: Config) -> Recipient:
    """The workspace as it is known without asking. Raises UnsetVariableError, ConfigError."""
    from reverse_etl.destinations.intercom.environment import at_address

    return at_address(config)


async def ask(config: Config, *, clock: Clock | None = None) -> Recipient:
    """The workspace as it calls itself. Raises DestinationError."""
    from reverse_etl.destinations._http.kind import ask
    from reverse_etl.destinations.intercom.client import opened

    return await ask(config, opened, at_address(config), clock)


async def ask_once(config: Config, *, clock: Clock | None = None) -> Recipient | None:
    """The same without waiting for one that is away."""
    from reverse_etl.destinations._http.kind import ask_once
    from reverse_etl.destinations.intercom.client import opened

    return await ask_once(config, opened, at_address(config), clock)


def steps(config: Config) -> Iterator[Step]:
    """Connects and asks who is there."""
    from reverse_etl.destinations._http.kind import steps
    from reverse_etl.destinations.intercom.client import opened

    return steps(config, opened)


def first_rows(asks: Asks, there: Mapping[str, Sequence[str]]) -> FirstRows:  # noqa: ARG001 - it has no tables
    """Contacts or companies, asked of a person."""
    from reverse_etl.destinations.intercom.questions import first_rows

    return first_rows(asks)


def shown(batch: pa.RecordBatch, sync: Outgoing, stream: str) -> list[bytes]:  # noqa: ARG001 - there is one
    """Each row as what would be sent, JSON."""
    from reverse_etl.destinations.intercom.items import items

    return items(batch, sync)


def as_sent(batch: pa.RecordBatch, sync: Outgoing, stream: str) -> AsSent:  # noqa: ARG001 - there is one
    """The key of each row, and its attributes."""
    from reverse_etl.destinations._http.compared import as_sent

    return as_sent(batch, sync)


def identity(sync: Outgoing, stream: str) -> tuple[str, ...]:  # noqa: ARG001 - there is one
    """Contacts or companies by their key."""
    return (sync.intercom.object, *sync.intercom.key)


def shape(sync: Outgoing, stream: str) -> str:  # noqa: ARG001 - there is one
    """How rows are written."""
    from reverse_etl.destinations._http.compared import shape

    return shape(sync)


def forgets_after_s(sync: Outgoing, stream: str) -> int | None:  # noqa: ARG001 - rows may return
    """Never."""
    return None
