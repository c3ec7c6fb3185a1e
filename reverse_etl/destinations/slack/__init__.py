"""Slack: rows as messages into channels and to people, by a bot's token or an incoming webhook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reverse_etl.destinations.slack.config import Config
from reverse_etl.destinations.slack.sync import Outgoing, Sync

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    import pyarrow as pa

    from reverse_etl.changeset.recipient import Recipient
    from reverse_etl.destinations.first_sync import Asks, FirstRows
    from reverse_etl.destinations.powers import AsSent
    from reverse_etl.destinations.slack.destination import SlackWorkspace
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
    columns: Sequence[str],  # noqa: ARG001 - it takes any
    *,
    patience: Patience | None = None,
    clock: Clock | None = None,
) -> AbstractAsyncContextManager[SlackWorkspace]:
    """The workspace, ready for one run of one sync."""
    from reverse_etl.destinations.slack.destination import opened

    return opened(sync, config, patience=patience, clock=clock)


def at_address(config: Config) -> Recipient:
    """The workspace as it is known without asking. Raises UnsetVariableError, ConfigError."""
    from reverse_etl.destinations.slack.environment import at_address

    return at_address(config)


async def ask(config: Config, *, clock: Clock | None = None) -> Recipient:
    """The same with its team, once its credential was taken. Raises DestinationError."""
    from reverse_etl.destinations._http.kind import ask
    from reverse_etl.destinations.slack.client import opened

    return await ask(config, opened, at_address(config), clock)


async def ask_once(config: Config, *, clock: Clock | None = None) -> Recipient | None:
    """The same without waiting for one that is away."""
    from reverse_etl.destinations._http.kind import ask_once
    from reverse_etl.destinations.slack.client import opened

    return await ask_once(config, opened, at_address(config), clock)


def steps(config: Config) -> Iterator[Step]:
    """Connects, tries the credential, and says what the token may do."""
    from reverse_etl.destinations._http.kind import steps
    from reverse_etl.destinations.slack.client import opened, step_of_scopes

    return steps(config, opened, more=step_of_scopes)


def first_rows(asks: Asks, there: Mapping[str, Sequence[str]]) -> FirstRows:  # noqa: ARG001 - it has no tables
    """What messages need, asked of a person."""
    from reverse_etl.destinations.slack.questions import first_rows

    return first_rows(asks)


def shown(batch: pa.RecordBatch, sync: Outgoing, stream: str) -> list[bytes]:  # noqa: ARG001 - there is one
    """Each row as the message that would be sent, JSON."""
    from reverse_etl.destinations.slack.items import messages

    return messages(batch, sync)


def as_sent(batch: pa.RecordBatch, sync: Outgoing, stream: str) -> AsSent:  # noqa: ARG001 - there is one
    """What tells each row's message from others, and the message."""
    from reverse_etl.destinations.slack.items import as_sent

    return as_sent(batch, sync)


def identity(sync: Outgoing, stream: str) -> tuple[str, ...]:  # noqa: ARG001 - there is one
    """Messages, by the columns that tell them apart."""
    return (sync.slack.records, *sync.slack.once_per)


def shape(sync: Outgoing, stream: str) -> str:  # noqa: ARG001 - there is one
    """Nothing: a message that was posted is not posted again because its template changed."""
    return sync.slack.records


def forgets_after_s(sync: Outgoing, stream: str) -> int | None:  # noqa: ARG001 - rows may return
    """Never."""
    return None
