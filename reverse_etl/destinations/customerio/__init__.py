"""Customer.io: operations of Track API v2, manual segments of v1, the App API calls that syncs need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reverse_etl.config.streams import ROWS
from reverse_etl.destinations.customerio.sync import Outgoing, Sync
from reverse_etl.destinations.customerio.workspace import WorkspaceConfig as Config

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    import pyarrow as pa

    from reverse_etl.changeset.recipient import Recipient
    from reverse_etl.destinations.customerio.destination import CustomerIO
    from reverse_etl.destinations.customerio.spot_check import SpotCheck
    from reverse_etl.destinations.first_sync import Asks, FirstRows
    from reverse_etl.destinations.powers import AsSent, KeysLike
    from reverse_etl.destinations.request_powers import Backfill
    from reverse_etl.errors import ConfigError
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
    "cleared",
    "first_rows",
    "forgets_after_s",
    "identity",
    "keys_like",
    "lasting",
    "old_rows",
    "open_destination",
    "overwrites",
    "rows_of",
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
) -> AbstractAsyncContextManager[CustomerIO]:
    """The workspace, ready for one run of one sync."""
    from reverse_etl.destinations.customerio.destination import open_destination

    return open_destination(sync, config, patience=patience, clock=clock)


def not_looked_up(sync: Outgoing, config: Config) -> ConfigError | None:
    """Why a sync's rows cannot be read back; None where they can."""
    from reverse_etl.destinations.customerio.spot_check import not_looked_up

    return not_looked_up(sync, config)


def open_look_up(
    sync: Outgoing, config: Config, *, patience: Patience, clock: Clock
) -> AbstractAsyncContextManager[SpotCheck]:
    """The workspace, for reading people and objects back. Raises UnsetVariableError."""
    from reverse_etl.destinations.customerio.spot_check import open_look_up

    return open_look_up(sync, config, patience=patience, clock=clock)


def at_address(config: Config) -> Recipient:
    """The workspace as it is known without asking. Raises UnsetVariableError, ConfigError."""
    from reverse_etl.destinations.customerio.environment import at_address

    return at_address(config)


async def ask(config: Config, *, clock: Clock | None = None) -> Recipient:
    """The workspace as it calls itself. Raises DestinationError."""
    from reverse_etl.destinations.customerio.environment import ask

    return await ask(config, clock=clock)


async def ask_once(config: Config, *, clock: Clock | None = None) -> Recipient | None:
    """The same without waiting for one that is away; None where it does not identify itself at once."""
    from reverse_etl.destinations.customerio.environment import ask_once

    return await ask_once(config, clock=clock)


def old_rows(rows: Iterator[pa.RecordBatch], sync: Outgoing, *, started_at: int, scratch: Path) -> Backfill:
    """How many events, whose, and how many can trigger campaigns."""
    from reverse_etl.destinations.customerio.backfill import old_rows

    return old_rows(rows, sync, started_at=started_at, scratch=scratch)


def steps(config: Config) -> Iterator[Step]:
    """Connects and asks, step by step."""
    from reverse_etl.destinations.customerio.connection_check import steps

    return steps(config)


def first_rows(asks: Asks, there: Mapping[str, Sequence[str]]) -> FirstRows:  # noqa: ARG001 - it has no tables
    """What people, objects or events need, asked of a person."""
    from reverse_etl.destinations.customerio.questions import first_rows

    return first_rows(asks)


def shown(batch: pa.RecordBatch, sync: Outgoing, stream: str) -> list[bytes]:
    """Each row as the operation that would be sent, JSON."""
    from reverse_etl.destinations.customerio.operations import items

    return [*items(batch, sync, stream)]


def as_sent(batch: pa.RecordBatch, sync: Outgoing, stream: str) -> AsSent:
    """What Customer.io knows each row by, and its attributes as JSON."""
    from reverse_etl.destinations.customerio.compared import as_sent

    return as_sent(batch, sync, stream)


def cleared(sync: Outgoing, stream: str) -> str | None:
    """What clears an attribute of people, objects and relationships."""
    from reverse_etl.destinations.customerio.compared import cleared

    return cleared(sync, stream)


def identity(sync: Outgoing, stream: str) -> tuple[str, ...]:
    """People by id or e-mail address, objects, relationships or events."""
    from reverse_etl.destinations.customerio.compared import identity

    return identity(sync, stream)


def lasting(sync: Outgoing, stream: str) -> tuple[str, ...]:
    """The id of a person."""
    return ("id",) if sync.people is not None and stream == ROWS else ()


def keys_like(identifier: str, sync: Outgoing, stream: str) -> KeysLike:
    """Those of a person, of objects with an id, or of a person's relationships."""
    from reverse_etl.destinations.customerio.compared import keys_like

    return keys_like(identifier, sync, stream)


def overwrites(sync: Outgoing, stream: str) -> bool:  # noqa: ARG001 - any does
    """An attribute that is not sent stays as it is."""
    return False


def rows_of(keys: pa.StringArray, texts: Mapping[str, pa.StringArray], sync: Outgoing, stream: str) -> pa.RecordBatch:
    """People, objects or relationships with these keys and attributes."""
    from reverse_etl.destinations.customerio.compared import rows_of

    return rows_of(keys, texts, sync, stream)


def shape(sync: Outgoing, stream: str) -> str:
    """The settings that decide how a row is written."""
    from reverse_etl.destinations.customerio.compared import shape

    return shape(sync, stream)


def forgets_after_s(sync: Outgoing, stream: str) -> int | None:
    """Events that are older than `max_age`, and a week more."""
    from reverse_etl.destinations.customerio.compared import forgets_after_s

    return forgets_after_s(sync, stream)
